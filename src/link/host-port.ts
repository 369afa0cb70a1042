import { isIPv6 } from 'node:net';

export interface HostPort {
  readonly host: string;
  readonly port: number;
  /** It is written as an IPv6 address has to be, or is one alone. */
  readonly bracketed: boolean;
}

/** `host`, `host:port`, `[host]:port`, or an IPv6 address alone; undefined when it is none of these. What the host is, is not looked at. */
export function splitPort(text: string, usual: number): HostPort | undefined {
  const [, bracketed, plain, digits] = isIPv6(text) ? [text, text] : /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = digits === undefined ? usual : Number(digits);
  return host === undefined || port < 1 || port > 65_535 ? undefined : { host, port, bracketed: bracketed !== undefined };
}
