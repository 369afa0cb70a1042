// Errors across the socket: code and message survive, stacks stay at home.
import { ERROR_CODES, LanpostError, type ErrorCode } from '../errors.ts';
import { isRecord } from './record.ts';

export interface Failure {
  readonly code?: ErrorCode;
  readonly name: string;
  readonly message: string;
}

/** Characters of a message: what a caller gave is often quoted in it, and it has to fit into a frame. */
const MOST_WORDS = 8192;

const isCode = (value: unknown): value is ErrorCode => typeof value === 'string' && Object.hasOwn(ERROR_CODES, value);

export function toFailure(error: unknown): Failure {
  if (error instanceof LanpostError) return { code: error.code, name: error.name, message: cut(error.message) };
  if (error instanceof Error) return { name: cut(error.name), message: cut(error.message) };
  return { name: 'Error', message: cut(String(error)) };
}

function cut(words: string): string {
  return words.length > MOST_WORDS ? `${words.slice(0, MOST_WORDS)}…` : words;
}

export function parseFailure(value: unknown): Failure {
  const fields = isRecord(value) ? value : {};
  const { code, name, message } = fields;
  return {
    ...isCode(code) ? { code } : {},
    name: typeof name === 'string' ? name : 'Error',
    message: typeof message === 'string' ? message : 'unknown failure',
  };
}

export function toError({ code, name, message }: Failure): Error {
  if (code) return new LanpostError(code, message);
  if (name === 'TypeError') return new TypeError(message);
  if (name === 'RangeError') return new RangeError(message);
  return new Error(message);
}
