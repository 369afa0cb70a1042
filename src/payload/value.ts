// What may be published: checked once, at the door.
import type { Value } from '../api.ts';
import { LanpostError } from '../errors.ts';

/** Depth of a value, and how many values it may hold. */
export const MAX_DEPTH = 64;
const MAX_VALUES = 1_000_000;

/** Where a walk has got to: a key within what lies above. */
interface Place { readonly up: Place | undefined; readonly key: string | number }

/** What a value holds that not every form can say. */
export interface Traits {
  /** Bytes within a list or an object. */
  readonly bytes: boolean;
  /** A zero with a sign. */
  readonly minusZero: boolean;
}

/** What a walk has met so far. */
interface Walk { parts: number; bytes: boolean; minusZero: boolean }

function pathOf(place: Place | undefined): string {
  if (!place) return '';
  const above = pathOf(place.up);
  if (typeof place.key === 'number') return `${above}[${place.key}]`;
  return above === '' ? place.key : `${above}.${place.key}`;
}

function refuse(what: string, place: Place | undefined, most = 200): never {
  const path = pathOf(place);
  const where = path.length > most ? `…${path.slice(-most)}` : path;
  throw new LanpostError('invalid-value', `${what} cannot be published${path === '' ? '' : ` (at ${where})`}.`);
}

function placeOf(up: Place | undefined, key: string | number | undefined): Place | undefined {
  return key === undefined ? up : { up, key };
}

function checkText(text: string, up: Place | undefined, key?: string | number): void {
  if (!text.isWellFormed()) refuse('Text with a lone surrogate', placeOf(up, key));
}

/** Throws `invalid-value` that says what and where; else tells what forms the value can have. */
export function checkValue(value: unknown): Traits {
  const walk: Walk = { parts: 0, bytes: false, minusZero: false };
  visit(walk, value, undefined, undefined, 0);
  return walk;
}

export function assertValue(value: unknown): asserts value is Value {
  checkValue(value);
}

/** A value that is `key` of what lies at `up`; the value itself has no key. A place is made only for what holds more, and for an error. */
function visit(walk: Walk, at: unknown, up: Place | undefined, key: string | number | undefined, depth: number): void {
  if (++walk.parts > MAX_VALUES) refuse(`A value of more than ${MAX_VALUES} parts`, undefined);
  if (typeof at === 'string') return checkText(at, up, key);
  if (at === null || typeof at === 'boolean') return;
  if (typeof at === 'number') {
    if (at === 0) walk.minusZero ||= Object.is(at, -0);
    return Number.isFinite(at) ? undefined : refuse(String(at), placeOf(up, key));
  }
  if (typeof at !== 'object') return refuse(typeof at === 'undefined' ? 'undefined' : `A ${typeof at}`, placeOf(up, key));
  if (isBytes(at)) {
    walk.bytes ||= depth > 0;
    return;
  }
  const here = placeOf(up, key);
  if (depth >= MAX_DEPTH) refuse(`A value more than ${MAX_DEPTH} deep, or one that holds itself,`, here, 60);
  if (Array.isArray(at)) {
    for (let i = 0; i < at.length; i++) visit(walk, at[i], here, i, depth + 1);
    return;
  }
  if (!isPlain(at)) return refuse(`A ${at.constructor?.name ?? 'special object'}`, here);
  for (const name of Object.keys(at)) { // not its entries: an array for each costs more than all the checks
    checkText(name, here);
    visit(walk, at[name], here, name, depth + 1);
  }
}

function tag(value: object): string {
  return Object.prototype.toString.call(value);
}

/** Values from another realm (a Node-RED function node) have other constructors: go by tags. */
function isBytes(value: object): boolean {
  return ArrayBuffer.isView(value) && tag(value) === '[object Uint8Array]';
}

function isPlain(value: object): value is Readonly<Record<string, unknown>> {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  if (tag(value) !== '[object Object]') return false;
  return prototype === Object.prototype || (typeof prototype === 'object' && Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'hasOwnProperty'));
}
