import type { Value } from '../index.ts';

/** A value on one line, for people. */
export function valueInWords(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Uint8Array) return `[${value.length} bytes: ${Buffer.from(value.subarray(0, 32)).toString('base64')}${value.length > 32 ? '…' : ''}]`;
  return JSON.stringify(value);
}
