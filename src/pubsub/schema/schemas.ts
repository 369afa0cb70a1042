import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Value } from '../../api.ts';
import { LanpostError } from '../../errors.ts';
import { late } from '../../late.ts';
import { formOf, fromPayload, type Payload } from '../../payload/payload.ts';
import { checkValue } from '../../payload/value.ts';
import { Refusal } from '../refusal.ts';
import type { Check } from './validator.ts';

export type JsonSchema = { readonly [key: string]: Value };

/** The schemas of topics. What checks by them is loaded when the first is needed. */
export class Schemas {
  /** By the schema itself: a topic that is set anew has another. */
  readonly #checks = new WeakMap<JsonSchema, Check>();
  #make: ((schema: Value) => Check) | undefined;
  #loading: Promise<void> | undefined;
  #ready = false;

  /** Whether it can check at once. Whoever has waited for `load` goes on before anybody who asks this. */
  get ready(): boolean { return this.#ready; }

  load(): Promise<void> {
    if (this.#loading) return this.#loading;
    const loading = this.#load();
    this.#loading = loading;
    loading.then(this.#loaded, this.#failed);
    return loading;
  }

  readonly #loaded = (): void => { this.#ready = true; };
  readonly #failed = (): void => { this.#loading = undefined; };

  async #load(): Promise<void> {
    this.#make = (await late('What checks items against schemas', () => import('./validator.ts'))).validators();
  }

  /** Before a topic is set so: throws `invalid-value` when no item could be checked by it. `spend` has each look at a value. */
  async admit(schema: JsonSchema, spend: <T>(work: () => T) => T = (work) => work()): Promise<void> {
    await this.load();
    const check = this.#checkOf(schema);
    // Any value will do to find out whether it goes round in itself.
    for (const value of [null, {}, [], '', 0]) {
      const wrong = spend(() => check(value, Infinity));
      if (wrong?.startsWith('cannot be checked')) throw new Refusal('invalid-config', `topic setting "schema": an item ${wrong}`);
      await nextTurn();
    }
  }

  /** Throws `invalid-value` with the place and the fault. */
  check(topic: string, schema: JsonSchema, payload: Payload): void {
    const fault = this.fault(schema, payload);
    if (fault !== undefined) throw new Refusal('invalid-payload', `the item does not fit the schema of ${topic}: ${fault}`);
  }

  /** What is wrong with it, if anything. */
  fault(schema: JsonSchema, payload: Payload): string | undefined {
    const form = formOf(payload.contentType);
    if (form === 'xml' || form === 'bytes') return `${payload.contentType} is nothing that a JSON schema speaks of`;
    let value: Value;
    try {
      value = fromPayload(payload);
    } catch (error) {
      if (error instanceof LanpostError) return `its bytes are not ${payload.contentType}`;
      throw error;
    }
    if (checkValue(value).bytes) return 'bytes within it are nothing that a JSON schema speaks of';
    return this.#checkOf(schema)(value, payload.bytes.length);
  }

  #checkOf(schema: JsonSchema): Check {
    const known = this.#checks.get(schema);
    if (known) return known;
    if (!this.#make) throw new Error('what checks by schemas is not loaded');
    const check = this.#make(schema);
    this.#checks.set(schema, check);
    return check;
  }
}
