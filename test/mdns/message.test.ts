import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import { addressFromBytes, addressToBytes, canonicalAddress, inSubnet, isHostAddress } from '../../src/mdns/address.ts';
import { decodeMessage } from '../../src/mdns/decode.ts';
import { encodeMessage } from '../../src/mdns/encode.ts';
import { dataKey, makeMessage, TYPE, type DnsRecord, type Message, type RecordData } from '../../src/mdns/message.ts';
import { cutText, escapeLabel, firstLabel, labelFromBytes, labelToBytes, nameKey } from '../../src/mdns/name.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const record = (name: string, type: number, data: RecordData, more: Partial<DnsRecord> = {}): DnsRecord => ({
  name, type, class: 1, flush: false, ttl: 120, data, ...more,
});

const label = fc.oneof(
  fc.string({ minLength: 1, maxLength: 12 }).filter((text) => Buffer.byteLength(text) <= 63).map(escapeLabel),
  fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => labelFromBytes(Buffer.from(bytes))),
  fc.constantFrom('_presence', '_tcp', 'local', 'LOCAL', String.raw`john\.doe@pc`),
);
const name = fc.array(label, { maxLength: 5 }).map((labels) => labels.join('.'));
const u16 = fc.nat(0xffff);
const address = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }))
  .map((bytes) => addressFromBytes(Buffer.from(bytes)));
const typed: fc.Arbitrary<{ type: number; data: RecordData }> = fc.oneof(
  address.map((text) => ({ type: text.includes(':') ? TYPE.AAAA : TYPE.A, data: { kind: 'address', address: text } as const })),
  name.map((target) => ({ type: TYPE.PTR, data: { kind: 'name', target } as const })),
  fc.tuple(u16, u16, u16, name).map(([priority, weight, port, target]) => ({ type: TYPE.SRV, data: { kind: 'service', priority, weight, port, target } as const })),
  fc.tuple(name, fc.uniqueArray(fc.nat(0xffff), { maxLength: 6 })).map(([next, types]) => ({
    type: TYPE.NSEC, data: { kind: 'absent', next, types: types.toSorted((a, b) => a - b) } as const,
  })),
  fc.tuple(fc.constantFrom(TYPE.TXT, TYPE.NULL, 13, 99, 65_280), fc.uint8Array({ maxLength: 300 })).map(([type, bytes]) => ({
    type, data: { kind: 'bytes', bytes } as const,
  })),
);
const anyRecord: fc.Arbitrary<DnsRecord> = fc.tuple(name, typed, fc.boolean(), fc.nat(0xffff_ffff)).map(([owner, what, flush, ttl]) => (
  { name: owner, ...what, class: 1, flush, ttl }
));
const anyMessage: fc.Arbitrary<Message> = fc.record({
  id: u16, response: fc.boolean(), opcode: fc.nat(15), authoritative: fc.boolean(), truncated: fc.boolean(), rcode: fc.nat(15),
  questions: fc.array(fc.record({ name, type: u16, class: fc.constantFrom(1, 255), unicast: fc.boolean() }), { maxLength: 4 }),
  answers: fc.array(anyRecord, { maxLength: 6 }),
  authorities: fc.array(anyRecord, { maxLength: 3 }),
  additionals: fc.array(anyRecord, { maxLength: 3 }),
});

describe('DNS message codec', () => {
  it('gives back every message it wrote, also without compressed targets', () => {
    fc.assert(fc.property(anyMessage, fc.boolean(), (message, compressTargets) => {
      const bytes = encodeMessage(message, { compressTargets });
      const read = decodeMessage(bytes);
      expect(encodeMessage(read, { compressTargets })).toEqual(bytes);
      expect(read.questions).toEqual(message.questions);
      for (const section of ['answers', 'authorities', 'additionals'] as const) {
        expect(read[section].map(({ name: owner, ttl, flush }) => ({ owner, ttl, flush })))
          .toEqual(message[section].map(({ name: owner, ttl, flush }) => ({ owner, ttl, flush })));
        expect(read[section].map(dataKey)).toEqual(message[section].map(dataKey));
      }
    }), { numRuns: 500 });
  });

  it('answers arbitrary bytes with a message or its one typed error', () => {
    const outcome = (bytes: Uint8Array): string => {
      try {
        decodeMessage(bytes);
        return 'message';
      } catch (error) {
        return error instanceof LanpostError ? error.code : String(error);
      }
    };
    const check = (bytes: Uint8Array): void => { expect(['message', 'corrupt']).toContain(outcome(bytes)); };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), check), { numRuns: 3000 });
    fc.assert(fc.property(anyMessage, fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 8 }), fc.nat(2000), (message, flips, cut) => {
      const bytes = encodeMessage(message);
      for (const [at, value] of flips) bytes[at % bytes.length] = value;
      check(bytes.subarray(0, cut % 3 === 0 ? cut % bytes.length : bytes.length));
    }), { numRuns: 2000 });
  });

  it('writes the bytes avahi writes: compressed PTR, SRV with a compressed target', () => {
    const type = '_presence._tcp.local';
    const message = makeMessage({
      response: true,
      answers: [
        record(type, TYPE.PTR, { kind: 'name', target: `a@h1.${type}` }, { ttl: 4500 }),
        record(`a@h1.${type}`, TYPE.SRV, { kind: 'service', priority: 0, weight: 0, port: 5298, target: 'h1.local' }, { flush: true }),
      ],
    });
    expect(encodeMessage(message).toString('hex')).toBe(hex(`
      0000 8400 0000 0002 0000 0000
      09 5f70726573656e6365 04 5f746370 05 6c6f63616c 00 000c 0001 00001194 0007 04 61406831 c00c
      c02c 0021 8001 00000078 000b 0000 0000 14b2 02 6831 c01b`).toString('hex'));
  });

  it('keeps a dot inside a label apart from the dot between labels', () => {
    const bytes = encodeMessage(makeMessage({ questions: [{ name: String.raw`john\.doe@pc.local`, type: TYPE.ANY, class: 1, unicast: true }] }));
    expect(bytes.subarray(12, 25).toString('latin1')).toBe('\u000Bjohn.doe@pc\u0005'.slice(0, 13));
    expect(decodeMessage(bytes).questions[0]).toMatchObject({ name: String.raw`john\.doe@pc.local`, unicast: true });
    expect(firstLabel(String.raw`john\.doe@pc.local`)).toEqual({ label: 'john.doe@pc', rest: 'local' });
  });

  it('reads an empty TXT record and one of a single zero byte', () => {
    for (const bytes of [new Uint8Array(), Uint8Array.of(0)]) {
      const read = decodeMessage(encodeMessage(makeMessage({ answers: [record('x', TYPE.TXT, { kind: 'bytes', bytes })] })));
      expect(read.answers[0]?.data).toEqual({ kind: 'bytes', bytes });
    }
  });

  it('carries an OPT record without reading its class as flush bit and class', () => {
    const bytes = hex('0000 0000 0000 0000 0000 0001  00 0029 8005 00001194 0000');
    expect(decodeMessage(bytes).additionals[0]).toMatchObject({ type: TYPE.OPT, class: 0x8005, flush: false });
    expect(encodeMessage(decodeMessage(bytes)).equals(bytes)).toBe(true);
  });

  it.each([
    ['a pointer at itself', '0000 0000 0001 0000 0000 0000 c00c 000c 0001'],
    ['a pointer forward', '0000 0000 0001 0000 0000 0000 c010 000c 0001 00'],
    ['two names that point at each other', '0000 0000 0002 0000 0000 0000 0161 c012 000c 0001 c00c 000c 0001'],
    ['a pointer into the header', '0000 0000 0001 0000 0000 0000 c000 000c 0001'],
    ['an unknown label type', '0000 0000 0001 0000 0000 0000 41 000c 0001'],
    ['a record longer than the message', '0000 8400 0000 0001 0000 0000 00 0010 0001 00000000 0005 00'],
    ['an address of three bytes', '0000 8400 0000 0001 0000 0000 00 0001 0001 00000000 0003 010203'],
    ['a count without records', '0000 8400 0000 ffff 0000 0000'],
  ])('refuses %s', (_, bytes) => {
    expect(() => decodeMessage(hex(bytes))).toThrow(LanpostError);
  });

  it('reads past an NSEC record whose bitmap is malformed, as python-zeroconf 0.47 writes it', () => {
    const header = Buffer.from([0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0]);
    const nsec = Buffer.concat([Buffer.from('\u0001h\u0005local\0', 'latin1'), Buffer.from([0, 47, 0x80, 1, 0, 0, 0, 120, 0, 11, 0xc0, 12, 0, 0, 0, 5, 0, 0, 0x80, 0, 0x40])]);
    const good = Buffer.from([0xc0, 12, 0, 1, 0x80, 1, 0, 0, 0, 120, 0, 4, 10, 0, 0, 1]);
    const [unreadable, readable] = decodeMessage(Buffer.concat([header, nsec, good])).answers;
    expect(unreadable).toMatchObject({ name: 'h.local', type: TYPE.NSEC, data: { kind: 'bytes' } });
    expect(readable).toMatchObject({ name: 'h.local', data: { kind: 'address', address: '10.0.0.1' } });
  });

  it('bounds the work of long pointer chains', () => {
    // A first record whose data is a chain of pointers, each to the one before; a second named by the last of them.
    const links = Array.from({ length: 2000 }, (_, index) => (0xc000 | (index === 0 ? 12 : 23 + (index - 1) * 2)).toString(16)).join('');
    const chain = hex(`0000 8400 0000 0002 0000 0000  00 000a 0001 00000000 ${(4000).toString(16).padStart(4, '0')} ${links}
      ${(0xc000 | (23 + 3998)).toString(16)} 000a 0001 00000000 0000`);
    expect(() => decodeMessage(chain)).toThrow('too many pointers');
  });

  it('refuses to write a label over 63 bytes, a name over 255 and a message over one datagram', () => {
    const ask = (text: string) => () => encodeMessage(makeMessage({ questions: [{ name: text, type: 1, class: 1, unicast: false }] }));
    expect(ask('x'.repeat(63))).not.toThrow();
    expect(ask('x'.repeat(64))).toThrow(LanpostError);
    expect(ask(Array.from({ length: 5 }, () => 'x'.repeat(60)).join('.'))).toThrow(LanpostError);
    const big = record('x', TYPE.NULL, { kind: 'bytes', bytes: new Uint8Array(9000) });
    expect(() => encodeMessage(makeMessage({ answers: [big] }))).toThrow(expect.objectContaining({ code: 'too-large' }));
  });
});

describe('names', () => {
  it('survive their escaped form byte by byte', () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 63 }), (bytes) => {
      expect(labelToBytes(labelFromBytes(Buffer.from(bytes))).equals(Buffer.from(bytes))).toBe(true);
    }));
  });

  it('compare without case in ASCII only', () => {
    expect(nameKey('Ärger.LOCAL')).toBe('Ärger.local');
  });

  it('are cut between code points', () => {
    expect(cutText('aé€', 3)).toBe('aé');
    expect(cutText('aé€', 5)).toBe('aé');
    expect(cutText('aé€', 6)).toBe('aé€');
  });
});

describe('addresses', () => {
  it('have one canonical form', () => {
    fc.assert(fc.property(address, (text) => { expect(canonicalAddress(text)).toBe(text); }));
    expect(canonicalAddress('FE80:0:0:0::1%eth0')).toBe('fe80::1');
    expect(canonicalAddress('::')).toBe('::');
    expect(canonicalAddress('1:0:0:2:0:0:0:3')).toBe('1:0:0:2::3');
    expect(canonicalAddress('::ffff:10.0.0.1')).toBe('::ffff:a00:1');
  });

  it('know their subnet and whether a host can have them', () => {
    const bytes = (text: string): Uint8Array => addressToBytes(text) ?? new Uint8Array();
    expect(inSubnet(bytes('10.77.3.9'), bytes('10.77.0.1'), 22)).toBe(true);
    expect(inSubnet(bytes('10.77.4.9'), bytes('10.77.0.1'), 22)).toBe(false);
    expect(['127.0.0.1', '224.0.0.251', '0.0.0.0', '255.255.255.255', '::1', 'ff02::fb', '::', '::ffff:127.0.0.1', '::ffff:255.255.255.255', '10.0.0.1', 'fe80::1'].filter((text) => isHostAddress(bytes(text))))
      .toEqual(['10.0.0.1', 'fe80::1']);
  });
});
