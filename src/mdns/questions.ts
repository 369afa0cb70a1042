import { encodeMessage } from './encode.ts';
import { CLASS, TYPE, type DnsRecord } from './message.ts';
import { nameKey } from './name.ts';
import type { Output } from './output.ts';
import { pack, type Group } from './packing.ts';

/** RFC 6762 §5.2: the same question at most once a second. */
const SAME_GAP = 1000;

interface Asking { readonly name: string; readonly type: number; due: number }

export interface QuestionsParts {
  readonly output: (output: Output) => void;
  /** RFC 6762 §5.1, §6.7: as a plain resolver asks, one question in each message. */
  readonly plain: boolean;
  /** What is known already, with the TTL it has left, to go along with a question (§7.1). */
  readonly known: (name: string, type: number, now: number) => DnsRecord[];
}

/** Questions waiting to be asked: together where they can be, none twice within a second. */
export class Questions {
  readonly #parts: QuestionsParts;
  readonly #asking = new Map<string, Asking>();
  readonly #asked = new Map<string, number>();
  #next = Infinity;

  constructor(parts: QuestionsParts) {
    this.#parts = parts;
  }

  ask(name: string, type: number, at: number): void {
    const key = questionKey(name, type);
    const due = Math.max(at, (this.#asked.get(key) ?? -Infinity) + SAME_GAP);
    const asking = this.#asking.get(key);
    if (asking && asking.due <= due) return;
    this.#asking.set(key, { name, type, due });
    this.#next = Math.min(this.#next, due);
  }

  /** Nobody wants to know any more (XEP-0174 §3: cancel queries once answered or gone). */
  cancel(name: string, type: number): void {
    this.#asking.delete(questionKey(name, type));
  }

  /** RFC 6762 §7.3: another asked what we were about to ask. Whether there was such a question. */
  heard(name: string, type: number, now: number): boolean {
    const key = questionKey(name, type);
    const asking = this.#asking.get(key);
    if (!asking || asking.due > now + SAME_GAP) return false;
    this.#asking.delete(key);
    this.#noteAsked(key, now);
    return true;
  }

  next(): number {
    return this.#next;
  }

  tick(now: number): void {
    if (now < this.#next) return;
    const due: Asking[] = [];
    this.#next = Infinity;
    for (const [key, asking] of this.#asking) {
      if (asking.due <= now) {
        due.push(asking);
        this.#asking.delete(key);
        this.#noteAsked(key, now);
      } else this.#next = Math.min(this.#next, asking.due);
    }
    for (const [key, at] of this.#asked) {
      if (at + SAME_GAP > now) break;
      this.#asked.delete(key);
    }
    this.#send(due, now);
  }

  /** Kept in the order of time. */
  #noteAsked(key: string, now: number): void {
    this.#asked.delete(key);
    this.#asked.set(key, now);
  }

  #send(due: readonly Asking[], now: number): void {
    const plain: Group[] = [];
    for (const { name, type } of due) {
      const question = { name, type, class: CLASS.IN, unicast: false };
      const known = type === TYPE.PTR && !this.#parts.plain ? this.#parts.known(name, type, now) : [];
      if (known.length === 0) {
        plain.push({ questions: [question] });
        continue;
      }
      // §7.2: known answers that do not fit follow in further packets, announced by TC.
      const messages = pack([{ questions: [question] }, ...known.map((record) => ({ answers: [record] }))], {});
      for (const [index, message] of messages.entries()) {
        this.#parts.output({ type: 'send', bytes: encodeMessage({ ...message, truncated: index < messages.length - 1 }) });
      }
    }
    const messages = this.#parts.plain ? plain.flatMap((group) => pack([group], {})) : pack(plain, {});
    for (const message of messages) this.#parts.output({ type: 'send', bytes: encodeMessage(message) });
  }
}

function questionKey(name: string, type: number): string {
  return `${type} ${nameKey(name)}`;
}
