// What becomes of single records at one reader each, for whoever published them and waits to be told. In memory: who waits does not
// outlive the process either.
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';

/** How a record can end for a reader; `withheld`: it is none that this reader gets. */
export type Outcome = 'delivered' | 'superseded' | 'expired' | 'overflow' | 'dropped' | 'withheld' | 'poison' | 'corrupt';

/** Records that are followed at once; of the oldest it is not told any more. */
export const MAX_FOLLOWED = 10_000;
/** Outcomes that were told and are still known, for whoever publishes the same again. */
const MAX_TOLD = 10_000;
/** A reader passes over what it does not find any more without a word: that is looked at so often while anybody waits, ms. */
const LOOK = 1000;

/** Whom a draft is followed to. */
export interface Follow {
  /** The cursor. */
  readonly reader: string;
  /** What whoever asks calls it. */
  readonly as: string;
}

/** Where a record is for a reader: `gone`: there is no such reader; not read yet; being worked on; taken, but not settled; behind. */
export type Standing = 'gone' | 'ahead' | 'open' | 'taken' | 'past';

interface Followed {
  readonly seq: number;
  readonly topic: string;
  reader: string;
  /** What it is when that settles: the reader has it for now. */
  taken: Outcome | undefined;
  /** Until it is known and told. */
  outcome: Outcome | LanpostError | undefined;
  tell: ((outcome: Outcome | LanpostError) => void)[];
}

/** Under one name. */
interface Asked {
  readonly followed: Followed;
  /** Who has published it and is yet to be told. */
  count: number;
}

export interface OutcomesParts {
  readonly clock: Clock;
  readonly standing: (reader: string, topic: string, seq: number) => Standing;
  /** Whether the reader has put it aside. */
  readonly isAside: (reader: string, seq: number) => boolean;
  /** How it was taken from a reader that has yet to come to it. */
  readonly lost: (reader: string, topic: string, seq: number) => Outcome | undefined;
  /** Whether the topic keeps only the newest. */
  readonly isLatest: (topic: string) => boolean;
}

export class Outcomes {
  readonly #parts: OutcomesParts;
  /** By position and what the reader is called, oldest first. */
  readonly #all = new Map<string, Asked>();
  /** What was told of those that nobody waits for any more, under the same names, longest ago first. */
  readonly #told = new Map<string, { readonly reader: string; readonly outcome: Outcome }>();
  /** By cursor, what is not known yet. */
  readonly #open = new Map<string, Map<number, Followed>>();
  #timer: Timer | undefined;

  constructor(parts: OutcomesParts) {
    this.#parts = parts;
  }

  /** Before any reader can have the record. */
  follow(follow: Follow, { seq, topic, repeated }: { readonly seq: number; readonly topic: string; readonly repeated: boolean }): void {
    const { reader, as } = follow;
    const key = keyOf(seq, as);
    const known = this.#all.get(key);
    const open = this.#open.get(reader)?.get(seq);
    const standing = repeated && !open ? this.#parts.standing(reader, topic, seq) : 'ahead';
    const lost = standing === 'ahead' && repeated && !open ? this.#parts.lost(reader, topic, seq) : undefined;
    if (known && (standing === 'past' || lost !== undefined || known.followed === open)) {
      known.count += 1;
      return;
    }
    const outcome = standing === 'past' ? this.#past(follow, seq) : lost && (this.#told.get(key)?.outcome ?? lost);
    // The one that is there already, by another name of its reader. Nothing newer has taken its place, or it would be no repeat.
    const followed = open ?? { seq, topic, reader, taken: standing === 'taken' ? 'delivered' : undefined, outcome, tell: [] };
    this.#all.delete(key);
    this.#all.set(key, { followed, count: 1 });
    if (outcome === undefined) {
      this.#opened(followed);
      this.#timer ??= this.#parts.clock.after(LOOK, () => this.#look());
    }
    const [oldest] = this.#all;
    if (this.#all.size > MAX_FOLLOWED && oldest) {
      this.#all.delete(oldest[0]);
      this.#settle(oldest[1].followed, new LanpostError('busy', `More than ${MAX_FOLLOWED} items are followed: this one is on disk and goes on its way, but it is not told any more what becomes of it.`));
    }
  }

  /** It has been. That its reader is past it does not say that it had it: what expired, was too much or was left out lies behind as well. */
  #past({ reader, as }: Follow, seq: number): Outcome | LanpostError {
    if (this.#parts.isAside(reader, seq)) return 'poison';
    return this.#told.get(keyOf(seq, as))?.outcome
      ?? new LanpostError('not-found', `What became of ${seq} at ${as} is not known any more: it was published before, and ${as} is past it.`);
  }

  /** Resolves with how it ended; once. */
  of(seq: number, as: string, signal?: AbortSignal): Promise<Outcome> {
    const key = keyOf(seq, as);
    const followed = this.#all.get(key)?.followed;
    if (!followed) return Promise.reject(new LanpostError('not-found', `What becomes of ${seq} at ${as} is not followed: it was published before, or has been told.`));
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        followed.tell = followed.tell.filter((one) => one !== tell);
        reject(signal?.reason);
      };
      const tell = (outcome: Outcome | LanpostError): void => {
        signal?.removeEventListener('abort', stop);
        const asked = this.#all.get(key);
        if (asked?.followed === followed && (asked.count -= 1) <= 0) this.#forget(key, followed);
        if (typeof outcome === 'string') resolve(outcome);
        else reject(outcome);
      };
      if (signal?.aborted) return stop();
      if (followed.outcome !== undefined) return tell(followed.outcome);
      followed.tell.push(tell);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  /** For the reader the record is over. */
  ended(reader: string, seq: number, outcome: Outcome): void {
    const followed = this.#open.get(reader)?.get(seq);
    if (followed) this.#settle(followed, outcome);
  }

  /** The reader has it for now: it is so when that has settled. */
  taken(reader: string, seq: number, outcome: Outcome): void {
    const followed = this.#open.get(reader)?.get(seq);
    if (followed) followed.taken = outcome;
  }

  /** What it had taken it does not have. */
  untaken(reader: string, fits: (topic: string, seq: number) => boolean): void {
    for (const followed of this.#of(reader)) if (fits(followed.topic, followed.seq)) followed.taken = undefined;
  }

  /** What was taken has settled, where that holds. */
  settled(reader: string, fits: (topic: string, seq: number) => boolean): void {
    for (const followed of this.#of(reader)) if (followed.taken !== undefined && fits(followed.topic, followed.seq)) this.#settle(followed, followed.taken);
  }

  /** The reader gets none of these any more. */
  lost(reader: string, outcome: Outcome, fits: (topic: string, seq: number) => boolean = () => true): void {
    for (const followed of this.#of(reader)) if (fits(followed.topic, followed.seq)) this.#settle(followed, outcome);
  }

  /** The reader was sent elsewhere, or is another: what it had not got it may get now. */
  sent(reader: string): void {
    for (const [key, told] of this.#told) if (told.reader === reader && told.outcome !== 'delivered') this.#told.delete(key);
  }

  /** What the reader has of a topic goes to another, where there is one, which knows what of it is done. */
  moved(reader: string, to: (topic: string) => string | undefined): void {
    for (const followed of this.#of(reader)) {
      const next = to(followed.topic);
      if (next === undefined || next === reader) continue;
      this.#closed(followed);
      followed.reader = next;
      followed.taken = undefined;
      this.#opened(followed);
    }
  }

  close(): void {
    this.#timer?.stop();
    this.#timer = undefined;
    for (const reader of this.#open.keys()) for (const followed of this.#of(reader)) this.#settle(followed, new LanpostError('closed', 'The box was closed before it was known what becomes of this item; it is on disk, and goes on its way when the box is opened again.'));
  }

  /** Nobody waits for it any more. */
  #forget(key: string, { reader, outcome }: Followed): void {
    this.#all.delete(key);
    // A reader may be sent back to what it had been sent past, and what was put aside may be taken after all.
    if (typeof outcome !== 'string' || outcome === 'dropped' || outcome === 'poison') return;
    this.#told.delete(key);
    this.#told.set(key, { reader, outcome });
    const [oldest] = this.#told;
    if (this.#told.size > MAX_TOLD && oldest) this.#told.delete(oldest[0]);
  }

  *#of(reader: string): IterableIterator<Followed> {
    yield* this.#open.get(reader)?.values() ?? [];
  }

  #opened(followed: Followed): void {
    const open = this.#open.get(followed.reader) ?? new Map<number, Followed>();
    this.#open.set(followed.reader, open.set(followed.seq, followed));
  }

  #closed({ reader, seq }: Followed): void {
    const open = this.#open.get(reader);
    open?.delete(seq);
    if (open?.size === 0) this.#open.delete(reader);
  }

  #settle(followed: Followed, outcome: Outcome | LanpostError): void {
    this.#closed(followed);
    if (followed.outcome !== undefined) return;
    followed.outcome = outcome;
    for (const tell of followed.tell.splice(0)) tell(outcome);
  }

  /** A reader that finds a record replaced, or damaged, passes over it without a word. */
  #look(): void {
    const { standing, isLatest, clock } = this.#parts;
    for (const reader of this.#open.keys()) {
      for (const followed of this.#of(reader)) {
        const at = standing(reader, followed.topic, followed.seq);
        if (at === 'gone') this.#settle(followed, 'dropped');
        else if ((at === 'past' || at === 'taken') && followed.taken === undefined) this.#settle(followed, isLatest(followed.topic) ? 'superseded' : 'corrupt');
      }
    }
    this.#timer = this.#open.size > 0 ? clock.after(LOOK, () => this.#look()) : undefined;
  }
}

function keyOf(seq: number, as: string): string {
  return `${seq} ${as}`;
}
