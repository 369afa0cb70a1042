// Spans and sizes as people type them, and the same words back: what is shown can be typed again.
import { UsageError } from './usage-error.ts';

const SPANS: readonly (readonly [string, number])[] = [['w', 604_800_000], ['d', 86_400_000], ['h', 3_600_000], ['min', 60_000], ['s', 1000], ['ms', 1]];
const SIZES: readonly (readonly [string, number])[] = [
  ['TiB', 2 ** 40], ['TB', 1e12], ['GiB', 2 ** 30], ['GB', 1e9], ['MiB', 2 ** 20], ['MB', 1e6], ['KiB', 2 ** 10], ['kB', 1e3], ['B', 1],
];

/** `90s`, `15min`, `12h`, `7d`, `2w` as milliseconds. */
export function parseSpan(what: string, text: string): number {
  return parse(what, text, SPANS, 'a span such as 90s, 15min, 12h or 7d');
}

/** `512B`, `64KiB`, `10MB` as bytes; a number alone is bytes. */
export function parseSize(what: string, text: string): number {
  return parse(what, /^\d+$/.test(text) ? `${text}B` : text, SIZES, 'a size such as 64KiB or 10MB');
}

export function spanAsTyped(ms: number): string { return asTyped(ms, SPANS); }

export function sizeAsTyped(bytes: number): string { return asTyped(bytes, SIZES); }

function parse(what: string, text: string, units: typeof SPANS, form: string): number {
  const [, number = '', given = ''] = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/.exec(text.trim()) ?? [];
  const unit = units.find(([name]) => name.toLowerCase() === given.toLowerCase()) ?? (given === 'm' ? units.find(([name]) => name === 'min') : undefined);
  const value = unit ? Math.round(Number(number) * unit[1]) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new UsageError(`${what} takes ${form}, not "${text}"`);
  return value;
}

/** In the largest unit of which it is a whole number. */
function asTyped(value: number, units: typeof SPANS): string {
  const [unit = '', factor = 1] = value === 0 ? units.at(-1) ?? [] : units.find(([, one]) => value % one === 0) ?? [];
  return `${value / factor}${unit}`;
}
