// What becomes of homes, told as it happens: states, and how far a backlog has gone up, that no more often than somebody can follow.
import type { HomeEvent, HomeState, HomeStatus } from '../api.ts';
import type { Clock, Timer } from '../clock.ts';
import { EventSource } from '../event-stream.ts';
import type { Drain } from './drain.ts';

/** Between two that tell how far one home is, ms. */
export const PROGRESS = 1_000;
/** To see how far it is counts what waits: at most such a part of the time. */
const SHARE = 20;

export interface ToldHome {
  readonly jid: string;
  status(): Promise<HomeStatus>;
  readonly drained: Drain['last'];
}

export class HomeEvents {
  readonly #clock: Clock;
  readonly #source = new EventSource<HomeEvent>();
  readonly #states = new Map<string, HomeState>();
  /** Homes of which it will be told how far they are. */
  readonly #timers = new Map<string, Timer>();
  /** When what is on its way up began. */
  readonly #drains = new Map<string, number>();
  /** One after the other, as they happened. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** As they all are, then what becomes of them. */
  watch(homes: () => Promise<HomeStatus[]>, signal?: AbortSignal): AsyncIterableIterator<HomeEvent> {
    const events = this.#source.follow({ signal });
    let asked: Promise<HomeEvent[]> | undefined;
    const iterator: AsyncIterableIterator<HomeEvent> = {
      [Symbol.asyncIterator]: () => iterator,
      async next() {
        asked ??= homes().then((all) => all.map((home): HomeEvent => ({ type: 'state', home })));
        const first = await asked;
        const event = signal?.aborted ? undefined : first.shift();
        return event ? { done: false, value: event } : events.next();
      },
      return: () => events.return?.() ?? Promise.resolve({ done: true, value: undefined }),
    };
    return iterator;
  }

  /** Its state is another, or may be. */
  changed(home: ToldHome): void {
    if (!this.#source.isFollowed) {
      this.#states.delete(home.jid);
      return;
    }
    this.#then(async () => {
      const status = await home.status();
      if (this.#states.get(home.jid) === status.state) return;
      this.#states.set(home.jid, status.state);
      if (status.state !== 'online') this.#drains.delete(home.jid);
      this.#source.emit({ type: 'state', home: status });
    });
  }

  /** The home has acknowledged something. */
  moved(home: ToldHome): void {
    if (this.#source.isFollowed && !this.#timers.has(home.jid)) this.#tell(home, PROGRESS);
  }

  #tell(home: ToldHome, after: number): void {
    this.#timers.set(home.jid, this.#clock.after(after, () => this.#then(async () => {
      const began = this.#clock.mono();
      // One that cannot be asked now is asked again when something has moved.
      const status = await home.status().finally(() => this.#timers.delete(home.jid));
      const cost = this.#clock.mono() - began;
      const { draining } = status;
      if (draining) {
        this.#drains.set(home.jid, draining.since);
        this.#source.emit({ type: 'draining', home: status });
        // That the last of it is up nothing tells again.
        this.#tell(home, Math.max(PROGRESS, cost * SHARE));
      } else if (this.#drains.delete(home.jid) && status.state === 'online') {
        this.#source.emit({ type: 'drained', home: status, ...(home.drained ? { drained: home.drained } : {}) });
      }
    })));
  }

  #then(work: () => Promise<void>): void {
    this.#turn = this.#turn.then(work).catch(() => undefined); // a log that is closing has nothing to tell any more
  }

  gone(jid: string): void {
    this.#timers.get(jid)?.stop();
    this.#timers.delete(jid);
    this.#drains.delete(jid);
    this.#states.delete(jid);
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.stop();
    this.#source.close();
  }
}
