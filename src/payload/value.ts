// What may be published: checked once, at the door.
import type { Value } from '../api.ts';
import { LanpostError } from '../errors.ts';

/** Depth of a value, and how many values it may hold. */
export const MAX_DEPTH = 64;
const MAX_VALUES = 1_000_000;

const LONE_SURROGATE = /\p{Surrogate}/u;

function refuse(what: string, path: string): never {
  const where = path.length > 200 ? `…${path.slice(-200)}` : path;
  throw new LanpostError('invalid-value', `${what} cannot be published${path === '' ? '' : ` (at ${where})`}.`);
}

function checkText(text: string, path: string): void {
  if (LONE_SURROGATE.test(text)) refuse('Text with a lone surrogate', path);
}

/** Throws `invalid-value` that says what and where. */
export function assertValue(value: unknown): asserts value is Value {
  let count = 0;
  const visit = (at: unknown, path: string, depth: number): void => {
    if (++count > MAX_VALUES) refuse(`A value of more than ${MAX_VALUES} parts`, '');
    if (at === null || typeof at === 'boolean') return;
    if (typeof at === 'string') return checkText(at, path);
    if (typeof at === 'number') return Number.isFinite(at) ? undefined : refuse(String(at), path);
    if (typeof at !== 'object') return refuse(typeof at === 'undefined' ? 'undefined' : `A ${typeof at}`, path);
    if (isBytes(at)) return;
    if (depth >= MAX_DEPTH) refuse(`A value more than ${MAX_DEPTH} deep, or one that holds itself,`, path.slice(0, 60));
    if (Array.isArray(at)) {
      for (let i = 0; i < at.length; i++) visit(at[i], `${path}[${i}]`, depth + 1);
      return;
    }
    if (!isPlain(at)) return refuse(`A ${at.constructor?.name ?? 'special object'}`, path);
    for (const [key, child] of Object.entries(at)) {
      checkText(key, path);
      visit(child, path === '' ? key : `${path}.${key}`, depth + 1);
    }
  };
  visit(value, '', 0);
}

/** Whether there are bytes within a list or an object. */
export function holdsBytes(value: Value, inside = false): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (isBytes(value)) return inside;
  return Object.values(value).some((child: Value) => holdsBytes(child, true));
}

function tag(value: object): string {
  return Object.prototype.toString.call(value);
}

/** Values from another realm (a Node-RED function node) have other constructors: go by tags. */
function isBytes(value: object): boolean {
  return ArrayBuffer.isView(value) && tag(value) === '[object Uint8Array]';
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  return tag(value) === '[object Object]' && typeof prototype === 'object' && Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'hasOwnProperty');
}
