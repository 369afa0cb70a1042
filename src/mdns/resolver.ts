import type { Cache } from './cache.ts';
import { DueQueue, type Due } from './due-queue.ts';
import { asBuffer, TYPE } from './message.ts';
import { nameKey } from './name.ts';
import type { Output, Resolved } from './output.ts';
import type { Questions } from './questions.ts';

/** What an instance does not tell after so many questions (1, 2, 4, … s apart) it will not tell. */
const MAX_TRIES = 5;
const FIRST_GAP = 1000;
/** Instances looked at within so many ms, the others later: with one address a small packet changes all that are at its host. */
const LOOKS = 256;
const LOOKS_TIME = 100;
/** After so many, an instance without TXT is taken as it is (XEP-0174 §3: every key is optional). */
const TRIES_FOR_TEXT = 2;

export interface Instance extends Due {
  readonly key: string;
  readonly name: string;
  /** Its own part of the name, unescaped. */
  readonly label: string;
  /** Browsed names that lead to it: its type, and subtypes. */
  types: readonly string[];
  /** Key of the host it is at, as far as it is known. */
  host?: string;
  tries: number;
  /** What was last told about it. */
  shown?: Resolved;
  /** Where it was when that was last told. */
  at?: readonly string[];
}

export interface ResolverParts {
  readonly cache: Cache;
  readonly questions: Questions;
  readonly output: (output: Output) => void;
  /** A little, so that not all ask at once; ms. */
  readonly wait: () => number;
  /** It tells nothing of itself. */
  readonly drop: (instance: Instance, now: number) => void;
}

interface Facts {
  readonly service: { readonly port: number; readonly target: string } | undefined;
  readonly text: string | undefined;
  readonly addresses: readonly string[];
}

/** RFC 6763 §5, §6: asks for what an instance has not told of itself, and tells when it is whole. */
export class Resolver {
  readonly #parts: ResolverParts;
  readonly #unresolved = new DueQueue<Instance>();
  readonly #dirty = new Set<Instance>();
  /** Looks left, and since when they are counted. */
  #looks = LOOKS;
  #since = -Infinity;

  constructor(parts: ResolverParts) {
    this.#parts = parts;
  }

  /** Something of it is different; looked at when the packet is through. */
  touched(instance: Instance): void {
    this.#dirty.add(instance);
  }

  forget(instance: Instance): void {
    this.#dirty.delete(instance);
    this.#unresolved.remove(instance);
    for (const type of [TYPE.SRV, TYPE.TXT]) this.#parts.questions.cancel(instance.name, type);
    this.#lost(instance);
  }

  next(): number {
    return Math.min(this.#unresolved.next(), this.#dirty.size > 0 ? this.#since + LOOKS_TIME : Infinity);
  }

  tick(now: number): void {
    for (const instance of this.#unresolved.take(now)) this.#retry(instance, now);
  }

  settle(now: number): void {
    if (now - this.#since >= LOOKS_TIME) {
      this.#since = now;
      this.#looks = LOOKS;
    }
    for (const instance of this.#dirty) {
      if (this.#looks === 0) return;
      this.#looks -= 1;
      this.#dirty.delete(instance);
      this.#evaluate(instance, now);
    }
  }

  #evaluate(instance: Instance, now: number): void {
    const { service, text, addresses } = this.#facts(instance);
    const whole = service !== undefined && addresses.length > 0;
    if ((!whole || text === undefined) && instance.due === Infinity && instance.tries < MAX_TRIES) {
      // Not at once: the rest often follows in the next packet.
      instance.due = now + this.#parts.wait();
      this.#unresolved.add(instance);
    }
    if (!whole) return this.#lost(instance);
    if (text === undefined && instance.shown === undefined && instance.tries < TRIES_FOR_TEXT) return;
    const resolved: Resolved = {
      name: instance.name, key: instance.key, label: instance.label, types: instance.types.map(nameKey), host: service.target, port: service.port, text: text ?? '', addresses,
    };
    if (instance.shown && sameResolved(instance.shown, resolved)) return;
    instance.shown = resolved;
    instance.at = addresses;
    this.#parts.output({ type: 'found', service: resolved });
  }

  #lost(instance: Instance): void {
    if (instance.shown !== undefined) this.#parts.output({ type: 'lost', name: instance.name });
    delete instance.shown;
  }

  #facts(instance: Instance): Facts {
    const { cache } = this.#parts;
    const service = cache.newest(instance.key, TYPE.SRV)?.record.data;
    const text = cache.newest(instance.key, TYPE.TXT)?.record.data;
    const addresses: string[] = [];
    if (instance.host !== undefined) {
      for (const { record: { data } } of cache.set(instance.host)) if (data.kind === 'address') addresses.push(data.address);
      if (addresses.length > 1) addresses.sort();
    }
    return {
      service: service?.kind === 'service' ? service : undefined,
      text: text?.kind === 'bytes' ? asBuffer(text.bytes).toString('latin1') : undefined,
      addresses,
    };
  }

  #retry(instance: Instance, now: number): void {
    const { questions } = this.#parts;
    instance.due = Infinity;
    const { service, text, addresses } = this.#facts(instance);
    if (service && text !== undefined && addresses.length > 0) {
      instance.tries = 0;
      return;
    }
    if (instance.tries >= MAX_TRIES) {
      if (!service || addresses.length === 0) this.#parts.drop(instance, now);
      return;
    }
    if (!service) questions.ask(instance.name, TYPE.SRV, now);
    if (text === undefined) questions.ask(instance.name, TYPE.TXT, now);
    if (service && addresses.length === 0) {
      questions.ask(service.target, TYPE.A, now);
      questions.ask(service.target, TYPE.AAAA, now);
    }
    instance.due = now + FIRST_GAP * 2 ** instance.tries;
    instance.tries++;
    this.#unresolved.add(instance);
    this.#dirty.add(instance);
  }
}

function sameResolved(a: Resolved, b: Resolved): boolean {
  return a.host === b.host && a.port === b.port && a.text === b.text && sameList(a.types, b.types) && sameList(a.addresses, b.addresses);
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}
