import { isIP } from 'node:net';
import { LanpostError } from '../errors.ts';
import { splitPort } from './host-port.ts';

const PORT = 53;
/** So that a name of an instance and of its type still fits before it. */
const DOMAIN_BYTES = 160;

export interface DnsServer {
  readonly address: string;
  readonly port: number;
}

/** `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:53`. */
export function parseServer(text: string): DnsServer {
  const { host: address, port } = splitPort(text, PORT) ?? { host: '', port: 0 };
  if (isIP(address) === 0) throw new LanpostError('invalid-value', `"${text}" is no address of a DNS server`);
  return { address, port };
}

/** A domain that may be looked through for peers; `local` is looked through anyhow. */
export function checkedDomain(text: string): string {
  const isDomain = text.length <= DOMAIN_BYTES && /^[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*$/i.test(text) && !/(^|\.)local$/i.test(text);
  if (!isDomain) throw new LanpostError('invalid-value', `"${text}" is no domain to look for peers in`);
  return text;
}
