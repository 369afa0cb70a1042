import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../src/mdns/encode.ts';
import type { DnsRecord } from '../../src/mdns/message.ts';
import { pack, PACKET_BYTES } from '../../src/mdns/packing.ts';
import { rr } from '../conformance/rfc-6762/one-link.ts';

const label = fc.constantFrom('a', 'bb', 'Ärger', String.raw`john\.doe@pc`, '_presence', 'local', 'x'.repeat(60));
const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
const record: fc.Arbitrary<DnsRecord> = fc.oneof(
  fc.tuple(name, name).map(([owner, target]) => rr.ptr(owner, target)),
  fc.tuple(name, name).map(([owner, target]) => rr.srv(owner, target)),
  fc.tuple(name, fc.string({ maxLength: 200 })).map(([owner, value]) => rr.txt(owner, [['k', value]])),
  name.map((owner) => rr.a(owner, 'fe80::1')),
);

describe('packing', () => {
  it('keeps every message within the MTU, each group in one piece and in order', () => {
    fc.assert(fc.property(fc.array(fc.record({ answers: fc.array(record, { minLength: 1, maxLength: 2 }), additionals: fc.array(record, { maxLength: 3 }) })), fc.boolean(), (groups, compressTargets) => {
      const messages = pack(groups, { response: true }, { compressTargets });
      expect(messages.flatMap(({ answers }) => answers)).toEqual(groups.flatMap(({ answers }) => answers));
      expect(messages.flatMap(({ additionals }) => additionals)).toEqual(groups.flatMap(({ additionals }) => additionals));
      for (const message of messages) expect(encodeMessage(message, { compressTargets }).length).toBeLessThanOrEqual(PACKET_BYTES);
    }));
  });

  it('counts on no name that is written out after the one that would point to it', () => {
    const host = `${'x'.repeat(60)}.local`;
    for (let bytes = 1200; bytes < 1400; bytes++) {
      const filler = { ...rr.txt('f'), data: { kind: 'bytes', bytes: new Uint8Array(bytes) } } as const;
      const groups = [{ answers: [filler] }, { answers: [rr.a('q', '10.0.0.1')], additionals: [rr.srv('s', host)] }, { answers: [rr.a(host, '10.0.0.1')] }];
      const sizes = pack(groups, { response: true }, { compressTargets: false }).map((message) => encodeMessage(message, { compressTargets: false }).length);
      expect(Math.max(...sizes)).toBeLessThanOrEqual(PACKET_BYTES);
    }
  });

  it('fills them: no two neighbours would fit into one', () => {
    const groups = Array.from({ length: 1000 }, (_, index) => ({ answers: [rr.ptr('_presence._tcp.local', `device-${index}@kitchen._presence._tcp.local`)] }));
    const messages = pack(groups, {});
    const sizes = messages.map((message) => encodeMessage(message).length);
    expect(Math.min(...sizes.slice(0, -1))).toBeGreaterThan(PACKET_BYTES - 40);
  });

  it('gives one record over the MTU a packet of its own, without additionals', () => {
    const big = { ...rr.txt('a'), data: { kind: 'bytes', bytes: new Uint8Array(5000) } } as const;
    const messages = pack([{ answers: [rr.a('b', '10.0.0.1')] }, { answers: [big], additionals: [rr.a('a', '10.0.0.1')] }], { response: true });
    expect(messages.map(({ answers, additionals }) => [answers.length, additionals.length])).toEqual([[1, 0], [1, 0]]);
  });
});
