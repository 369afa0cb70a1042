import type { Value } from '../../api.ts';
import { checkSenml, SENML_FIELDS, SENML_VERSION, senmlFault, type SenmlRecord } from './pack.ts';

/** §4.5.3: below this a time is relative to now. */
const ABSOLUTE = 2 ** 28;

/** Of one record once nothing is left out: RFC 8428 §4.6. Times are seconds since 1970. */
export interface ResolvedSenmlRecord {
  readonly bver?: number;
  readonly n: string;
  readonly u?: string;
  readonly v?: number;
  readonly vs?: string;
  readonly vb?: boolean;
  readonly vd?: string;
  readonly s?: number;
  readonly t: number;
  readonly ut?: number;
}

/**
 * The records of a pack with their base fields applied, their times made absolute, in the order of their times
 * (RFC 8428 §4.6). `now`, in seconds since 1970, is what relative times count from: when the pack was made, as near as that is known.
 * Fields that the RFC does not name are left out.
 */
export function resolveSenml(pack: Value, now: number): ResolvedSenmlRecord[] {
  if (!Number.isFinite(now)) throw new TypeError('now must be a number of seconds');
  const base: Base = { n: '', t: 0, v: undefined, s: undefined, u: undefined, version: undefined };
  const resolved = checkSenml(pack).map((record, at) => {
    take(base, record);
    return one(base, record, now, at);
  });
  return resolved.toSorted((a, b) => a.t - b.t);
}

interface Base { n: string; t: number; v: number | undefined; s: number | undefined; u: string | undefined; version: number | undefined }

function take(base: Base, record: SenmlRecord): void {
  base.n = text(record, 'bn') ?? base.n;
  base.t = number(record, 'bt') ?? base.t;
  base.v = number(record, 'bv') ?? base.v;
  base.s = number(record, 'bs') ?? base.s;
  base.u = text(record, 'bu') ?? base.u;
  base.version = number(record, 'bver') ?? base.version;
}

function one(base: Base, record: SenmlRecord, now: number, at: number): ResolvedSenmlRecord {
  const time = sum(base.t, number(record, 't'), at) ?? 0;
  const [unit, vs, vb, vd] = [text(record, 'u') ?? base.u, text(record, 'vs'), record['vb'], text(record, 'vd')];
  const other = vs !== undefined || typeof vb === 'boolean' || vd !== undefined;
  const v = other ? undefined : sum(base.v, number(record, 'v'), at);
  const s = sum(base.s, number(record, 's'), at);
  const ut = number(record, 'ut');
  return {
    // A version is left out where it is the usual one.
    ...base.version === undefined || base.version === SENML_VERSION ? {} : { bver: base.version },
    n: base.n + (text(record, 'n') ?? ''),
    ...unit === undefined ? {} : { u: unit },
    ...v === undefined ? {} : { v },
    ...vs === undefined ? {} : { vs },
    ...typeof vb === 'boolean' ? { vb } : {},
    ...vd === undefined ? {} : { vd },
    ...s === undefined ? {} : { s },
    t: time < ABSOLUTE ? now + time : time,
    ...ut === undefined ? {} : { ut },
  };
}

/** Of what is there; nothing when neither is. */
function sum(base: number | undefined, own: number | undefined, at: number): number | undefined {
  if (base === undefined && own === undefined) return undefined;
  const value = (base ?? 0) + (own ?? 0);
  return Number.isFinite(value) ? value : senmlFault(`what record ${at} adds up to is no number`);
}

function text(record: SenmlRecord, label: string): string | undefined {
  const value = record[label];
  return typeof value === 'string' && SENML_FIELDS.has(label) ? value : undefined;
}

function number(record: SenmlRecord, label: string): number | undefined {
  const value = record[label];
  return typeof value === 'number' ? value : undefined;
}
