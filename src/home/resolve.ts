// Where a domain's clients connect (RFC 6120 §3.2).
import { resolveSrv } from 'node:dns/promises';

export interface Target {
  readonly host: string;
  readonly port: number;
}

/** Where DNS does not say (RFC 6120 §3.2.2). */
export const PORT = 5222;

/** A host given by the owner is taken as it is; else SRV, else the domain itself. */
export async function targetsOf(domain: string, host?: string, port?: number): Promise<Target[]> {
  if (host !== undefined || port !== undefined) return [{ host: host ?? domain, port: port ?? PORT }];
  const fallback = [{ host: domain, port: PORT }];
  try {
    const records = await resolveSrv(`_xmpp-client._tcp.${domain}`);
    // RFC 6120 §3.2.1: a single "." says that the service is not there; then the domain would not help either.
    if (records.length === 0) return fallback;
    return records.filter((record) => record.name !== '' && record.name !== '.')
      .map((record) => ({ ...record, draw: Math.random() * (record.weight + 1) }))
      .toSorted((a, b) => a.priority - b.priority || b.draw - a.draw)
      .slice(0, 4).map((record) => ({ host: record.name, port: record.port }));
  } catch {
    // No SRV record, or no resolver: the address lookup of the domain will say what is wrong.
    return fallback;
  }
}
