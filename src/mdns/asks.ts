import { TYPE, type DnsRecord, type Message } from './message.ts';
import { nameKey } from './name.ts';
import type { Output } from './output.ts';

/** RFC 6762 §5.2: asked again after a second, then twice as long each time. */
const FIRST_GAP = 1000;
/** RFC 6762 §5.2: many hosts are told of a change at the same time, and would ask at the same time. */
const FIRST_DELAY = [20, 100] as const;

interface Ask { readonly name: string; readonly type: number; due: number; gap: number }

export interface AsksParts {
  readonly random: () => number;
  readonly output: (output: Output) => void;
  /** Puts the question, with others where it can. */
  readonly ask: (name: string, type: number, at: number) => void;
  readonly cancel: (name: string, type: number) => void;
}

/** Questions about single records, until they are answered or given up (XEP-0174 §3: such queries are cancelled). */
export class Asks {
  readonly #parts: AsksParts;
  readonly #asks = new Map<string, Ask>();

  constructor(parts: AsksParts) {
    this.#parts = parts;
  }

  start(name: string, type: number, now: number, soon: boolean): void {
    const due = soon ? now : now + FIRST_DELAY[0] + this.#parts.random() * FIRST_DELAY[1];
    const ask = this.#asks.get(askKey(name, type));
    if (ask) ask.due = Math.min(ask.due, due);
    else this.#asks.set(askKey(name, type), { name, type, due, gap: FIRST_GAP });
  }

  stop(name: string, type: number): void {
    if (this.#asks.delete(askKey(name, type))) this.#parts.cancel(name, type);
  }

  next(): number {
    if (this.#asks.size === 0) return Infinity;
    let next = Infinity;
    for (const { due } of this.#asks.values()) next = Math.min(next, due);
    return next;
  }

  tick(now: number): void {
    for (const ask of this.#asks.values()) {
      if (ask.due > now) continue;
      this.#parts.ask(ask.name, ask.type, now);
      ask.due = now + ask.gap;
      ask.gap *= 2;
    }
  }

  response(message: Message): void {
    if (this.#asks.size === 0) return;
    for (const record of message.answers) this.#answer(record);
    for (const record of message.additionals) this.#answer(record);
  }

  #answer(record: DnsRecord): void {
    // RFC 6762 §10.1: a goodbye tells nothing.
    if (record.ttl === 0) return;
    if (record.type !== TYPE.NSEC) {
      if (this.#asks.delete(askKey(record.name, record.type))) {
        this.#parts.cancel(record.name, record.type);
        this.#parts.output({ type: 'answer', record });
      }
      return;
    }
    if (record.data.kind !== 'absent') return;
    const key = nameKey(record.name);
    for (const [asked, ask] of this.#asks) {
      // §6.1: whoever holds the name says that there is no such record.
      if (nameKey(ask.name) !== key || record.data.types.includes(ask.type)) continue;
      this.#asks.delete(asked);
      this.#parts.cancel(ask.name, ask.type);
      this.#parts.output({ type: 'no answer', name: ask.name, rrtype: ask.type });
    }
  }
}

/** What questions are told apart by. */
export function askKey(name: string, type: number): string {
  return `${type} ${nameKey(name)}`;
}
