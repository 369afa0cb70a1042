import type { From, Value } from '../index.ts';
import { UsageError } from './usage-error.ts';

/** JSON, or text if it is not JSON. */
export function parseValue(text: string): Value {
  try {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- JSON has no other values
    return JSON.parse(text) as Value;
  } catch {
    return text; // not JSON: that is the rule, not a failure
  }
}

/** Whether what has that media type is text, however much it looks like JSON. */
export function isWritten(contentType: string): boolean {
  return /^text\/|[/+]xml\s*(?:;|$)/i.test(contentType);
}

const NAMED = ['new', 'last', 'start'] as const;

/** `new`, `last`, `start`, a position (a whole number), or a time as ISO 8601 has it. */
export function parseFrom(text: string, what: string = '--from'): From {
  const named = NAMED.find((name) => name === text);
  if (named) return named;
  if (/^\d+$/.test(text)) return { seq: Number(text) };
  const time = /^\d{4}-/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new UsageError(`${what} is new, last, start, a position such as 1500, or a time such as 2026-11-23T05:00:00Z, not "${text}"`);
  }
  return { time };
}
