import { type DnsRecord, type Message, type RecordData, TYPE } from './message.ts';
import { labelEnd, nameKey } from './name.ts';
import type { Resolved } from './output.ts';

export interface Acquaintance {
  /** The browsed name of that key, as it was asked for. */
  readonly browses: { name(key: string): string | undefined };
  /** Whether an instance of that key is known; whether anybody is known to be at that host, by its key. */
  readonly instances: { has(key: string): boolean; isAt(host: string): boolean };
}

interface Introduced { service?: RecordData & { kind: 'service' }; text?: Uint8Array; readonly addresses: string[] }

/**
 * Who is new and says all of himself in one packet, in the usual order, as announcements do: he is told of at a glance,
 * before his records are remembered, which is most of the work. Whatever is not as plain as that is nobody here; the records tell.
 */
export function newcomer({ answers, additionals }: Message, { browses, instances }: Acquaintance): Resolved | undefined {
  const pointer = answers[0];
  if (pointer === undefined || pointer.type !== TYPE.PTR || pointer.data.kind !== 'name' || pointer.ttl === 0) return undefined;
  const owner = nameKey(pointer.name);
  const type = browses.name(owner);
  const { target } = pointer.data;
  const key = nameKey(target);
  if (type === undefined || instances.has(key)) return undefined;
  const end = labelEnd(target, 0);
  const label = target.slice(0, end);
  // What is escaped in it is for others to read.
  if (label.includes('\\') || !key.endsWith(owner) || key.length !== end + 1 + owner.length) return undefined;
  const said: Introduced = { addresses: [] };
  for (const record of answers) listen(record, target, said);
  for (const record of additionals) listen(record, target, said);
  const { service, text, addresses } = said;
  if (!service || !text || addresses.length === 0 || instances.isAt(nameKey(service.target))) return undefined;
  if (addresses.length > 1) addresses.sort();
  return { name: target, key, label, types: [type], host: service.target, port: service.port, text, addresses };
}

/** Of two that contradict each other the last is the newest. */
function listen({ name, ttl, type, data }: DnsRecord, target: string, said: Introduced): void {
  if (ttl === 0) return;
  if (name === target) {
    if (data.kind === 'service') said.service = data;
    else if (data.kind === 'bytes' && type === TYPE.TXT) said.text = data.bytes;
  } else if (data.kind === 'address' && name === said.service?.target && !said.addresses.includes(data.address)) said.addresses.push(data.address);
}
