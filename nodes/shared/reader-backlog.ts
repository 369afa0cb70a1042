import type { Box, SubscriptionInfo } from '../../src/index.ts';
import { ageInWords } from './age-in-words.ts';
import type { Asked } from './asked.ts';

/** How often a reader that is behind looks how far. */
const LOOK_MS = 5000;

/** What waits for a durable reader. */
export type Backlog = Pick<SubscriptionInfo, 'pending' | 'oldestAge'>;

/** How much waits in the box for one durable reader, and for how long; asked again and again while it is behind. */
export class ReaderBacklog {
  #now: Backlog | undefined;
  readonly #isOf: (reader: SubscriptionInfo) => boolean;
  readonly #asked: Asked;
  readonly #changed: () => void;
  readonly #more: () => boolean;
  #looking: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(parts: {
    /** Whether it is that reader's line in the list. */
    readonly isOf: (reader: SubscriptionInfo) => boolean;
    readonly asked: Asked;
    readonly changed: () => void;
    /** Whether to go on looking though nothing waits. */
    readonly more?: () => boolean;
  }) {
    this.#isOf = parts.isOf;
    this.#asked = parts.asked;
    this.#changed = parts.changed;
    this.#more = parts.more ?? ((): boolean => false);
  }

  get now(): Backlog | undefined { return this.#now; }

  async look(box: Box): Promise<SubscriptionInfo | undefined> {
    const info = (await this.#asked.answer(box.subscriptions.list())).find(this.#isOf);
    this.#now = info && info.pending > 0 ? info : undefined;
    this.#changed();
    if (this.#now || this.#more()) this.lookLater(box);
    return info;
  }

  /** The reader has had one of them: between two looks that is counted here. */
  passed(): void {
    if (!this.#now) return;
    const pending = this.#now.pending - 1;
    this.#now = pending > 0 ? { ...this.#now, pending } : undefined;
  }

  /** It is behind, or may be. */
  lookLater(box: Box): void {
    if (this.#looking || this.#stopped) return;
    this.#looking = setTimeout(() => {
      this.#looking = undefined;
      this.look(box).catch(() => undefined); // a box that has gone away is told by the reading itself
    }, LOOK_MS);
    this.#looking.unref();
  }

  /** Until it is asked to look again. */
  rest(): void {
    clearTimeout(this.#looking);
    this.#looking = undefined;
  }

  close(): void {
    this.#stopped = true;
    this.rest();
  }
}

/** As a part of a status: how many wait, and from `old` ms on how long the oldest has. */
export function queueInWords(all: readonly (Backlog | undefined)[], old: number): string {
  const behind = all.filter((backlog) => backlog !== undefined);
  if (behind.length === 0) return '';
  const pending = behind.reduce((sum, backlog) => sum + backlog.pending, 0);
  const oldest = Math.max(...behind.map(({ oldestAge = 0 }) => oldestAge));
  return `, ${pending} queued${oldest < old ? '' : `, oldest ${ageInWords(oldest)}`}`;
}
