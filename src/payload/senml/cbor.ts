// The CBOR form of SenML, RFC 8428 §6: labels of the RFC are numbers, data are bytes.
import { Encoder, Tag } from 'cbor-x';
import { LanpostError } from '../../errors.ts';
import { checkCbor } from '../cbor.ts';
import { assertValue } from '../value.ts';
import { checkSenml, SENML_FIELDS, senmlFault, type SenmlPack } from './pack.ts';

const OPTIONS = { useRecords: false, variableMapSize: true, mapsAsObjects: false, tagUint8Array: false } as const;
const LABELS: ReadonlyMap<number, string> = new Map([...SENML_FIELDS].map(([label, { cbor }]) => [cbor, label]));
/** RFC 8949 §3.4.4 */
const DECIMAL_FRACTION = 4;

export function senmlToCbor(pack: SenmlPack): Uint8Array {
  const records = pack.map((record) => new Map(Object.entries(record).map(([label, value]): [string | number, unknown] => {
    const field = SENML_FIELDS.get(label);
    return [field?.cbor ?? label, field?.kind === 'data' && typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64url')) : value];
  })));
  return Uint8Array.from(new Encoder(OPTIONS).encode(records));
}

/** Throws `invalid-value` for what is no SenML, or says more than JSON can. */
export function cborToSenml(bytes: Uint8Array): SenmlPack {
  checkCbor(bytes, { integerKeys: true, tags: [DECIMAL_FRACTION] });
  let records: unknown;
  try {
    records = new Encoder(OPTIONS).decode(Buffer.from(bytes));
  } catch (error) {
    throw new LanpostError('invalid-value', 'Not acceptable CBOR.', { cause: error });
  }
  if (!Array.isArray(records)) return senmlFault('it is a list of records');
  const pack: unknown = records.map((record: unknown, at) => {
    if (!(record instanceof Map)) return senmlFault(`record ${at} is no map`);
    const fields = [...record].map(([key, value]: [unknown, unknown]): [string, unknown] => {
      const label = typeof key === 'number' ? LABELS.get(key) : String(key);
      if (label === undefined) senmlFault(`record ${at} has a field of number ${String(key)}, which is not defined`);
      // A label has one spelling, or the same field could be there twice.
      if (typeof key !== 'number' && SENML_FIELDS.has(label)) senmlFault(`"${label}" of record ${at} has a number in CBOR`);
      return [label, fieldValue(label, value, at)];
    });
    return Object.fromEntries(fields);
  });
  assertValue(pack);
  return checkSenml(pack);
}

function fieldValue(label: string, value: unknown, at: number): unknown {
  if (SENML_FIELDS.get(label)?.kind === 'data') {
    return value instanceof Uint8Array ? Buffer.from(value).toString('base64url') : senmlFault(`"vd" of record ${at} must be bytes`);
  }
  return jsonOf(value, label, at);
}

/** What JSON says of it: bytes and keys that are numbers it cannot. */
function jsonOf(value: unknown, label: string, at: number): unknown {
  const fault = (): never => senmlFault(`"${label.slice(0, 64)}" of record ${at} has no form in JSON`);
  if (value instanceof Tag) return decimal(value) ?? fault();
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value + 0 : fault();
  if (value instanceof Uint8Array) return fault();
  if (Array.isArray(value)) return value.map((one: unknown) => jsonOf(one, label, at));
  if (!(value instanceof Map)) return value;
  const entries: [unknown, unknown][] = [...value];
  return Object.fromEntries(entries.map(([key, one]) => (typeof key === 'string' ? [key, jsonOf(one, label, at)] : fault())) satisfies [string, unknown][]);
}

/** [exponent, mantissa], exactly as a decimal number of JSON is read. */
function decimal({ value, tag }: Tag): number | undefined {
  if (tag !== DECIMAL_FRACTION || !Array.isArray(value) || value.length !== 2) return undefined;
  const [exponent, mantissa] = value.map(Number);
  const number = Number(`${mantissa}e${exponent}`);
  return Number.isSafeInteger(exponent) && Number.isSafeInteger(mantissa) && Number.isFinite(number) ? number + 0 : undefined;
}
