// What checks values against schemas; loaded when the first topic has one.
import { cpuUsage } from 'node:process';
import { createContext, Script } from 'node:vm';
import { type OutputUnit, type Schema, Validator } from '@cfworker/json-schema';
import type { Value } from '../../api.ts';
import { draftOf } from './schema.ts';

/** Milliseconds of the processor's time for one item: a pattern can take for ever over a text that was made for it. */
export const CHECK_TIME = 100;
/** Bytes of a value, and of a schema that has nothing to go round in, below which no clock is needed. */
const SMALL_VALUE = 4096;
const SMALL_SCHEMA = 2048;
/** What may cost more than the size of the value times that of the schema. */
const COSTLY = /"(?:pattern|patternProperties|format|uniqueItems|\$ref|unevaluatedItems|unevaluatedProperties|multipleOf)":/;

/** Says what is wrong with a value, if anything. */
export type Check = (value: Value, bytes: number) => string | undefined;

/** Makes checks of schemas; all share one watch over the time. */
export function validators(): (schema: Value) => Check {
  const timed = watch();
  return (schema) => validator(schema, timed);
}

function validator(schema: Value, timed: (work: () => void) => void): Check {
  const text = JSON.stringify(schema);
  // A copy: the library is free to write on it.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has been looked at
  const validate = new Validator(JSON.parse(text) as Schema, draftOf(schema), true);
  const quick = text.length <= SMALL_SCHEMA && !COSTLY.test(text);
  return (value, bytes) => {
    let errors: readonly OutputUnit[] = [];
    const run = (): void => { ({ errors } = validate.validate(value)); };
    try {
      if (quick && bytes <= SMALL_VALUE) run();
      else timed(run);
    } catch (error) {
      if (error instanceof TooLong) return `cannot be checked within ${CHECK_TIME} ms`;
      // Recursion without end, a stack too deep: the schema's fault, but it is the item that is not taken.
      if (error instanceof RangeError) return 'cannot be checked: the schema goes round in itself';
      throw error;
    }
    return errors.length === 0 ? undefined : inWords(errors);
  };
}

/** How often it is begun anew, with twice the time, because the machine had no time for this process. */
const MOST_TRIES = 6;

/**
 * V8 ends a script that takes too long, wherever it is, also within a regular expression. It goes by the clock on the
 * wall, which runs on while other processes have the processor: it is too long only if this process had it.
 */
function watch(): (work: () => void) => void {
  let current: (() => void) | undefined;
  const context = createContext({ run: () => current?.() });
  const script = new Script('run()');
  const ends = (work: () => void, timeout: number): boolean => {
    current = work;
    try {
      script.runInContext(context, { timeout });
      return true;
    } catch (error) {
      if (isRecord(error) && error['code'] === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false;
      throw error;
    }
  };
  return (work) => {
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const before = cpuUsage();
      if (ends(work, CHECK_TIME * 2 ** tries)) return;
      const { user, system } = cpuUsage(before);
      if (user + system >= CHECK_TIME * 900) break; // microseconds, a tenth less
    }
    throw new TooLong();
  };
}

class TooLong extends Error {}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function inWords(errors: readonly OutputUnit[]): string {
  // The first that is about a choice says it all; what comes after it is what one of the choices wanted.
  const choice = errors.find(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf' || keyword === 'not');
  const last = choice ?? errors.at(-1);
  if (!last) return 'does not fit';
  const path = last.instanceLocation.slice(1);
  return `${path === '' ? 'it' : path.slice(0, 200)} ${reason(last)}`;
}

function reason({ keyword, error }: OutputUnit): string {
  const wanted = [...error.matchAll(/"([^"]*)"/g)].map(([, word]) => word);
  switch (keyword) {
    case 'type': return `must be ${wanted.slice(1).join(' or ')}`;
    case 'required': return `must have "${wanted[0]}"`;
    case 'false': return 'is not allowed';
    case 'anyOf': return 'must be one of the forms that the schema names';
    case 'oneOf': return 'must be exactly one of the forms that the schema names';
    case 'not': return 'must not be what the schema excludes';
    default: return `does not fit: ${error.slice(0, 200)}`;
  }
}
