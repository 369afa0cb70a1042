// How long a key that nobody vouched for keeps a name from being spoken with in the clear. Too little, and whoever
// leaves `lanpost` out of a record has a box spoken with in the clear; too much, and whoever shows some key under a
// plain client's name once locks that client out.

const DAY = 24 * 3_600_000;
/** A key that was proven under a name over that long has it, wherever the name is announced. */
const EARNED = DAY;
/** A key that has not been proven for that long has no name any more. */
const KEPT = 30 * DAY;

/** Where a box is, on the link. */
export interface TenurePlace {
  readonly address: string;
  readonly port?: number | undefined;
}

/** A key under the name it was last proven by, when that name was announced as a box's. */
export interface Tenure {
  readonly name: string;
  /** First and last proven, ms since 1970. */
  readonly since: number;
  readonly last: number;
  /** Where that was. */
  readonly address: string;
  /** Where it said there that it listens. */
  readonly port?: number;
}

export function isTenure(value: unknown): value is Tenure {
  if (typeof value !== 'object' || value === null) return false;
  const { name, since, last, address, port = 0 }: { readonly [K in keyof Tenure]?: unknown } = value;
  return [name, address].every((text) => typeof text === 'string') && [since, last, port].every(Number.isFinite);
}

/** The key was proven under the name, which says that it is a box's, at that address. */
export function proven(before: Tenure | undefined, { name, address, port }: Pick<Tenure, 'name'> & TenurePlace, now: number): Tenure {
  const same = before?.name === name && isKept(before, now);
  return { name, address, ...(port === undefined ? {} : { port }), last: now, since: same ? Math.min(before.since, now) : now };
}

export function isEarned({ since, last }: Tenure): boolean {
  return last - since >= EARNED;
}

/** Whether the name, announced at these addresses, is to show the key: it has had it long enough, or is where it was shown. */
export function insists(tenure: Tenure | undefined, name: string, addresses: readonly string[], now: number): boolean {
  return tenure?.name === name && isKept(tenure, now) && (isEarned(tenure) || addresses.includes(tenure.address));
}

function isKept({ last }: Tenure, now: number): boolean {
  return Math.abs(now - last) <= KEPT;
}
