// What a thousand hosts say about themselves, as packets: PTR, SRV, TXT and A, about 315 bytes each.
import { encodeMessage } from '../../../src/mdns/encode.ts';
import { type DnsRecord, makeMessage, TYPE, CLASS } from '../../../src/mdns/message.ts';
import { escapeLabel } from '../../../src/mdns/name.ts';
import { encodeText } from '../../../src/mdns/text.ts';

export const SERVICE = '_presence._tcp.local';
export const instanceOf = (index: number): string => `device-${String(index).padStart(4, '0')}@host-${index}`;
export const indexOf = (instance: string): number => Number(/^device-(\d+)@/.exec(instance)?.[1] ?? Number.NaN);

/** `version` goes into the status text, so that the newest one that arrived can be told; 0 is a goodbye (RFC 6762 §10.1). */
export function announcement(index: number, version: number): Buffer {
  const name = `${escapeLabel(instanceOf(index))}.${SERVICE}`;
  const host = `host-${index}.local`;
  const record = (owner: string, type: number, ttl: number, flush: boolean, data: DnsRecord['data']): DnsRecord => ({ name: owner, type, class: CLASS.IN, flush, ttl: version === 0 ? 0 : ttl, data });
  const text = encodeText([
    ['txtvers', '1'], ['1st', 'device'], ['last', String(index)], ['port.p2pj', '5298'], ['status', 'avail'], ['msg', `version ${version}`],
    ['node', 'urn:example:device'], ['hash', 'sha-1'], ['ver', 'q07IKJEyjvHSyhy//CH0CxmKi8w='],
  ]);
  return encodeMessage(makeMessage({
    response: true, authoritative: true,
    answers: [
      record(SERVICE, TYPE.PTR, 4500, false, { kind: 'name', target: name }),
      record(name, TYPE.SRV, 120, true, { kind: 'service', priority: 0, weight: 0, port: 5298, target: host }),
      record(name, TYPE.TXT, 4500, true, { kind: 'bytes', bytes: text }),
      record(host, TYPE.A, 120, true, { kind: 'address', address: `10.77.0.${20 + index % 200}` }),
    ],
  }));
}
