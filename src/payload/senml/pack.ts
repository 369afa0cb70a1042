// SenML (RFC 8428): a pack of records. Inside the house it is its JSON value; xml.ts and cbor.ts beside this are its other forms.
import type { Value } from '../../api.ts';
import { LanpostError } from '../../errors.ts';

export type SenmlKind = 'text' | 'number' | 'flag' | 'version' | 'data';

/** RFC 8428 §4.3: the labels, what each is, and its number in CBOR (§6). */
export const SENML_FIELDS: ReadonlyMap<string, { readonly kind: SenmlKind; readonly cbor: number }> = new Map([
  ['bver', { kind: 'version', cbor: -1 }], ['bn', { kind: 'text', cbor: -2 }], ['bt', { kind: 'number', cbor: -3 }], ['bu', { kind: 'text', cbor: -4 }],
  ['bv', { kind: 'number', cbor: -5 }], ['bs', { kind: 'number', cbor: -6 }], ['n', { kind: 'text', cbor: 0 }], ['u', { kind: 'text', cbor: 1 }],
  ['v', { kind: 'number', cbor: 2 }], ['vs', { kind: 'text', cbor: 3 }], ['vb', { kind: 'flag', cbor: 4 }], ['s', { kind: 'number', cbor: 5 }],
  ['t', { kind: 'number', cbor: 6 }], ['ut', { kind: 'number', cbor: 7 }], ['vd', { kind: 'data', cbor: 8 }],
]);

/** A record as its JSON form has it: the fields of the table by their labels, and others that are to be ignored. */
export type SenmlRecord = Readonly<Record<string, Value>>;
export type SenmlPack = readonly SenmlRecord[];

/** §4.4: the version without a `bver`; and 26 = 10 with the bit of RFC 9100's secondary units, which are texts like other units. */
export const SENML_VERSION = 10;
const UNDERSTOOD = [26];

/** §4.5.1 */
const NAME = /^[A-Za-z0-9][-A-Za-z0-9:./_]*$/;
const VALUES = ['v', 'vs', 'vb', 'vd'];

export function senmlFault(what: string): never {
  throw new LanpostError('invalid-value', `Not acceptable SenML: ${what}.`);
}

/** RFC 4648 §5 without padding (§5 of the RFC on SenML), in the one spelling that those bytes have. */
export function isBase64Url(text: string): boolean {
  return /^[A-Za-z0-9_-]*$/.test(text) && Buffer.from(text, 'base64url').toString('base64url') === text;
}

/** A JSON value as a pack, or `invalid-value` that says which record is wrong, and how. */
export function checkSenml(value: Value): SenmlPack {
  if (!Array.isArray(value) || value.length === 0) return senmlFault('it is a list of at least one record');
  const records = value.map((record, at) => (isObject(record) ? record : senmlFault(`record ${at} is no object`)));
  const base = new Set<string>();
  let baseName = '';
  let version: Value | undefined;
  for (const [at, record] of records.entries()) {
    checkFields(record, at);
    if (typeof record['bn'] === 'string') baseName = record['bn'];
    checkName(baseName + (typeof record['n'] === 'string' ? record['n'] : ''), at);
    for (const label of ['bv', 'bs']) if (record[label] !== undefined) base.add(label);
    checkValues(record, base, at);
    // All have the same version: who says none goes by what was said before.
    if (record['bver'] !== undefined && at > 0 && record['bver'] !== (version ?? SENML_VERSION)) senmlFault(`record ${at} is of another version than those before it`);
    version = record['bver'] ?? version;
  }
  return records;
}

function checkFields(record: SenmlRecord, at: number): void {
  for (const [label, value] of Object.entries(record)) {
    const field = SENML_FIELDS.get(label);
    if (field) {
      if (!fits(field.kind, value)) senmlFault(`"${label}" of record ${at} must be ${WORDS[field.kind]}`);
    } else if (label.endsWith('_')) {
      senmlFault(`"${label.slice(0, 64)}" of record ${at} has to be understood, and is not`); // §4.4
    }
  }
  const version = record['bver'];
  if (typeof version === 'number' && version > SENML_VERSION && !UNDERSTOOD.includes(version)) senmlFault(`record ${at} is of version ${version}; ${SENML_VERSION} is understood`);
}

const WORDS: Readonly<Record<SenmlKind, string>> = {
  text: 'text', number: 'a number', flag: 'true or false', version: 'a whole number above 0', data: 'base64url without padding',
};

function fits(kind: SenmlKind, value: Value): boolean {
  switch (kind) {
    case 'text': return typeof value === 'string';
    case 'number': return typeof value === 'number';
    case 'flag': return typeof value === 'boolean';
    case 'version': return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
    default: return typeof value === 'string' && isBase64Url(value);
  }
}

function checkName(name: string, at: number): void {
  if (name === '') senmlFault(`record ${at} has no name`);
  if (!NAME.test(name)) senmlFault(`the name of record ${at} has other characters than A-Z a-z 0-9 - : . / _, or begins with one of the marks`);
}

/** §4.2: exactly one value, unless there is a sum. A base value is one, and a base sum a sum (§4.5.4). */
function checkValues(record: SenmlRecord, base: ReadonlySet<string>, at: number): void {
  const values = VALUES.filter((label) => record[label] !== undefined);
  if (values.length > 1) senmlFault(`record ${at} has more than one value: ${values.join(', ')}`);
  if (values.length === 0 && record['s'] === undefined && base.size === 0) senmlFault(`record ${at} has no value`);
}

function isObject(value: Value): value is { readonly [key: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}
