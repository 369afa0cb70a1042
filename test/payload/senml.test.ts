import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/api.ts';
import { LanpostError } from '../../src/errors.ts';
import { fromPayload, toPayload } from '../../src/payload/payload.ts';
import { cborToSenml, senmlToCbor } from '../../src/payload/senml/cbor.ts';
import { checkSenml, type SenmlPack } from '../../src/payload/senml/pack.ts';
import { resolveSenml } from '../../src/payload/senml/resolve.ts';
import { elementToSenml, senmlToElement } from '../../src/payload/senml/xml.ts';
import { elementToPayload, payloadToElement } from '../../src/payload/xml.ts';
import { parseElement } from '../../src/xml/parse.ts';
import { serialize } from '../../src/xml/serialize.ts';

const name = fc.stringMatching(/^[A-Za-z0-9][-A-Za-z0-9:./_]{0,20}$/);
const number = fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })).map((n) => n + 0);
const value = fc.oneof(
  fc.record({ v: number }), fc.record({ vs: fc.string({ unit: 'binary' }) }), fc.record({ vb: fc.boolean() }),
  fc.record({ vd: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('base64url')) }), fc.record({ s: number }),
);
const rest = fc.record({ u: fc.string(), t: number, ut: number, bt: number, bu: fc.string(), bv: number, bs: number, note: fc.string({ unit: 'binary' }) }, { requiredKeys: [] });
const record = fc.tuple(fc.record({ n: name }), value, rest).map(([...parts]): SenmlPack[number] => Object.assign({}, ...parts) as SenmlPack[number]);
const pack = fc.tuple(fc.option(name, { nil: undefined }), fc.array(record, { minLength: 1, maxLength: 5 }))
  .map(([bn, records]): SenmlPack => records.map((one, at) => (at === 0 && bn !== undefined ? { bn, ...one } : one)));

const legal = (packed: SenmlPack): boolean => {
  try {
    senmlToElement(packed);
    return true;
  } catch {
    return false;
  }
};

/** Two doubles may add up to what is no number. */
const summable = (packed: SenmlPack): boolean => {
  try {
    resolveSenml(packed, 0);
    return true;
  } catch {
    return false;
  }
};

/** RFC 8428 §5.1.2 and §5.1.3. */
const VOLTAGES: SenmlPack = [{ bn: 'urn:dev:ow:10e2073a01080063:', n: 'voltage', u: 'V', v: 120.1 }, { n: 'current', u: 'A', v: 1.2 }];
const CURRENTS: SenmlPack = [
  { bn: 'urn:dev:ow:10e2073a0108006:', bt: 1.276020076001e9, bu: 'A', bver: 5, n: 'voltage', u: 'V', v: 120.1 },
  { n: 'current', t: -5, v: 1.2 }, { n: 'current', t: -4, v: 1.3 }, { n: 'current', t: -3, v: 1.4 },
  { n: 'current', t: -2, v: 1.5 }, { n: 'current', t: -1, v: 1.6 }, { n: 'current', v: 1.7 },
];

describe('the three forms', () => {
  it('say the same: JSON to CBOR and back, JSON to XML and back', () => {
    fc.assert(fc.property(pack, (packed) => {
      expect(checkSenml(packed)).toStrictEqual(packed);
      expect(cborToSenml(senmlToCbor(packed))).toStrictEqual(packed);
    }), { numRuns: 500 });
    fc.assert(fc.property(pack.filter(legal), (packed) => {
      expect(elementToSenml(parseElement(serialize(senmlToElement(packed))))).toStrictEqual(packed);
    }), { numRuns: 500 });
  });

  it('survive every road as the payload they are, whether XML can say them or not', () => {
    fc.assert(fc.property(pack, (packed) => {
      const payload = toPayload(packed, 'application/senml+json');
      const back = elementToPayload(parseElement(serialize(payloadToElement(payload))));
      expect(back.contentType).toBe('application/senml+json');
      expect(Buffer.from(back.bytes).equals(payload.bytes)).toBe(true);
      expect(fromPayload(back)).toStrictEqual(packed);
    }), { numRuns: 500 });
  });

  it('§7: on XMPP it is <sensml/>', () => {
    expect(serialize(payloadToElement(toPayload(VOLTAGES, 'application/senml+json')))).toBe(
      `<sensml xmlns='urn:ietf:params:xml:ns:senml'><senml bn='urn:dev:ow:10e2073a01080063:' n='voltage' u='V' v='120.1'/><senml n='current' u='A' v='1.2'/></sensml>`,
    );
  });

  it('§7: what others write is read', () => {
    const theirs = `<sensml xmlns="urn:ietf:params:xml:ns:senml">
      <senml bn="urn:dev:ow:10e2073a01080063" bt="1.320067464e+09" bu="%RH" v="20"></senml>
      <senml u="lon" v="24.30621" vb2="x"></senml> <s:senml xmlns:s="urn:ietf:params:xml:ns:senml" vb="1"/></sensml>`;
    expect(toPayload(theirs, 'application/senml+xml')).toEqual(toPayload([
      { bn: 'urn:dev:ow:10e2073a01080063', bt: 1320067464, bu: '%RH', v: 20 }, { u: 'lon', v: 24.30621, vb2: 'x' }, { vb: true },
    ], 'application/senml+json'));
    expect(elementToPayload(parseElement(theirs)).contentType).toBe('application/senml+json');
  });

  it('§6: the example of the RFC, byte for byte', () => {
    // Appendix of §6: 87 a7 21 78 1b … ; the numbers of our coder are doubles and integers as there.
    const hex = Buffer.from(senmlToCbor(CURRENTS)).toString('hex');
    expect(hex.startsWith('87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b00106223614120050067766f6c7461676501615602fb405e066666666666a3006763757272656e74062402fb3ff3333333333333')).toBe(true);
    expect(toPayload(Buffer.from(hex, 'hex'), 'application/senml+cbor')).toEqual(toPayload(CURRENTS, 'application/senml+json'));
  });

  it('§6: data are bytes, decimal fractions are numbers', () => {
    const bytes = Uint8Array.of(0x81, 0xa2, 0x00, 0x61, 0x61, 0x08, 0x42, 0xfb, 0xff);
    expect(cborToSenml(bytes)).toEqual([{ n: 'a', vd: '-_8' }]);
    expect(senmlToCbor([{ n: 'a', vd: '-_8' }])).toEqual(bytes);
    // 4([-1, 273]) = 27.3
    expect(cborToSenml(Uint8Array.of(0x81, 0xa2, 0x00, 0x61, 0x61, 0x02, 0xc4, 0x82, 0x20, 0x19, 0x01, 0x11))).toEqual([{ n: 'a', v: 27.3 }]);
  });
});

describe('what is no SenML', () => {
  it.each<[string, unknown, string]>([
    ['an object', { n: 'a', v: 1 }, 'a list of at least one record'], ['nothing', [], 'a list of at least one record'], ['numbers', [1], 'record 0 is no object'],
    ['no name', [{ v: 1 }], 'record 0 has no name'], ['a name with a space', [{ n: 'a b', v: 1 }], 'the name of record 0'], ['a name that begins with a mark', [{ bn: ':', n: 'a', v: 1 }], 'the name of record 0'],
    ['no value', [{ n: 'a' }], 'record 0 has no value'], ['two values', [{ n: 'a', v: 1, vs: 'x' }], 'more than one value: v, vs'], ['a value of another kind', [{ n: 'a', v: '1' }], '"v" of record 0 must be a number'],
    ['padded data', [{ n: 'a', vd: 'YQ==' }], '"vd" of record 0 must be base64url'], ['data with bits too many', [{ n: 'a', vd: 'YR' }], '"vd" of record 0'],
    ['a field that must be understood', [{ n: 'a', v: 1, x_: 1 }], '"x_" of record 0 has to be understood'], ['a newer version', [{ bver: 11, n: 'a', v: 1 }], 'version 11'],
    ['another version later', [{ n: 'a', v: 1 }, { bver: 5, n: 'a', v: 1 }], 'record 1 is of another version'], ['a version of 0', [{ bver: 0, n: 'a', v: 1 }], '"bver" of record 0'],
  ])('%s is refused, saying where', (_name, packed, words) => {
    expect(() => toPayload(packed as Value, 'application/senml+json')).toThrow(expect.objectContaining({ code: 'invalid-value', message: expect.stringContaining(words) }));
  });

  it('§4.2, RFC 9100: a sum, or a base value, is enough; unknown fields are kept; version 26 has units by other names', () => {
    for (const packed of [[{ n: 'a', s: 1 }], [{ n: 'a', bv: 1 }, { n: 'b' }], [{ n: 'a', v: 1, x: { y: [null] } }], [{ bver: 26, n: 'a', u: 'ms', v: 1 }, { bver: 26, n: 'a', v: 1 }]]) {
      expect(fromPayload(toPayload(packed, 'application/senml+json'))).toEqual(packed);
    }
  });

  it.each([
    `<sensml xmlns='urn:ietf:params:xml:ns:senml'/>`, `<sensml xmlns='urn:ietf:params:xml:ns:senml'><senml n='a' v='x'/></sensml>`, `<sensml xmlns='urn:ietf:params:xml:ns:senml'><senml n='a' v='INF'/></sensml>`,
    `<sensml xmlns='urn:ietf:params:xml:ns:senml'><senml n='a' v='1'>x</senml></sensml>`, `<sensml xmlns='urn:ietf:params:xml:ns:senml'>x<senml n='a' v='1'/></sensml>`,
    `<sensml xmlns='urn:ietf:params:xml:ns:senml'><senml n='a' v='1' xml:lang='de'/></sensml>`, `<sensml xmlns='urn:ietf:params:xml:ns:senml'><senml xmlns='urn:x' n='a' v='1'/></sensml>`,
    `<sensml xmlns='urn:ietf:params:xml:ns:senml' a='b'><senml n='a' v='1'/></sensml>`,
  ])('%s is refused when published so, and XML like any other on a road', (text) => {
    expect(() => toPayload(text, 'application/senml+xml')).toThrow(LanpostError);
    expect(elementToPayload(parseElement(text))).toEqual({ contentType: 'application/xml', bytes: Buffer.from(text) });
    const payload = toPayload(text, 'application/xml');
    expect(elementToPayload(parseElement(serialize(payloadToElement(payload))))).toEqual({ ...payload, bytes: Buffer.from(payload.bytes) });
  });

  it.each([['a map', 'a0'], ['a number field of no number', '81a2006161182a01'], ['a field by its name', '81a2616e616161760 1'.replace(' ', '')], ['bytes as value', '81a2006161024100'], ['text as data', '81a200616108614a'], ['an integer key within', '81a3006161020161 78a10102'.replace(' ', '')], ['another tag', '81a200616102c101'], ['a fraction without parts', '81a200616102c401']])('CBOR with %s is refused', (_name, hex) => {
    expect(() => cborToSenml(Buffer.from(hex, 'hex'))).toThrow(LanpostError);
  });

  it('whatever comes is read or refused by name', () => {
    const quiet = (work: () => unknown): void => {
      let error: unknown;
      try {
        work();
      } catch (caught) {
        error = caught;
      }
      expect(error === undefined || error instanceof LanpostError).toBe(true);
    };
    fc.assert(fc.property(fc.oneof(fc.uint8Array({ maxLength: 64 }), pack.map(senmlToCbor).chain((good) => fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => Uint8Array.from(good, (old, i) => (i === at ? byte : old))))), (input) => quiet(() => cborToSenml(input))), { numRuns: 5000 });
    fc.assert(fc.property(fc.json(), (input) => quiet(() => checkSenml(JSON.parse(input) as Value))), { numRuns: 1000 });
    fc.assert(fc.property(fc.dictionary(fc.constantFrom('n', 'v', 'bn', 'bver', 't', 'vb', 'vd', 'x', 'x_'), fc.string()), (fields) => {
      const attributes = Object.entries(fields).map(([key, text]) => ` ${key}='${text.replace(/[^a-z0-9.:-]/g, '')}'`).join('');
      quiet(() => elementToSenml(parseElement(`<sensml xmlns='urn:ietf:params:xml:ns:senml'><senml${attributes}/></sensml>`)));
    }), { numRuns: 1000 });
  });
});

describe('§4.6: resolved', () => {
  it('base fields are applied, relative times counted from now, records in the order of time', () => {
    expect(resolveSenml(CURRENTS, 0)).toEqual([
      ...[-5, -4, -3, -2, -1].map((t, i) => ({ bver: 5, n: 'urn:dev:ow:10e2073a0108006:current', u: 'A', t: 1276020076.001 + t, v: [1.2, 1.3, 1.4, 1.5, 1.6][i] })),
      { bver: 5, n: 'urn:dev:ow:10e2073a0108006:voltage', u: 'V', t: 1276020076.001, v: 120.1 }, { bver: 5, n: 'urn:dev:ow:10e2073a0108006:current', u: 'A', t: 1276020076.001, v: 1.7 },
    ]);
    expect(resolveSenml([{ n: 'a', vs: 'x' }, { bn: 'b:', n: 'c', t: -2, bv: 20, v: 0.5, bs: 1 }, { n: 'd', bu: 'W' }], 1_700_000_000)).toEqual([
      { n: 'b:c', t: 1_699_999_998, v: 20.5, s: 1 }, { n: 'a', t: 1_700_000_000, vs: 'x' }, { n: 'b:d', t: 1_700_000_000, u: 'W', v: 20, s: 1 },
    ]);
  });

  it('resolving what is resolved changes nothing', () => {
    fc.assert(fc.property(pack.filter(summable), fc.integer({ min: 2 ** 28 + 1, max: 4e9 }), (packed, now) => {
      const once = resolveSenml(packed, now);
      // A time far before now is below what counts as absolute.
      fc.pre(once.every(({ t }) => t >= 2 ** 28));
      expect(resolveSenml(once as unknown as Value, 0)).toEqual(once);
    }));
  });

  it('takes a number of seconds as now', () => {
    expect(() => resolveSenml([{ n: 'a', v: 1 }], Number.NaN)).toThrow(TypeError);
  });
});
