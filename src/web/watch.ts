import type { Box } from '../index.ts';
import type { WebLimits } from './limits.ts';
import { boxSection, homesSection, lossesSection, peersSection, type Sections, subscriptionsSection } from './look.ts';
import { TopicWatch } from './topic-watch.ts';
import type { Watcher } from './watcher.ts';

export type WatchedBox = Pick<Box, 'status' | 'items' | 'topics' | 'subscriptions' | 'peers'>;

/** Looks at the box again and again, while a page is open and not otherwise: one look serves all pages. */
export class Watch {
  readonly #box: WatchedBox;
  readonly #limits: WebLimits;
  readonly #topics: TopicWatch;
  readonly #watchers: Set<Watcher> = new Set();
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #again = false;
  #losses: Sections['losses'] = { total: 0, rows: [] };

  constructor(box: WatchedBox, limits: WebLimits) {
    this.#box = box;
    this.#limits = limits;
    this.#topics = new TopicWatch(box, limits);
  }

  get full(): boolean {
    return this.#watchers.size >= this.#limits.watchers;
  }

  add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    this.now();
  }

  remove(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    if (this.#watchers.size === 0) clearTimeout(this.#timer);
  }

  /** Looks at once: something was done. */
  now(): void {
    clearTimeout(this.#timer);
    if (this.#looking) this.#again = true;
    else if (this.#watchers.size > 0) void this.#look();
  }

  show(sections: Partial<Sections>): void {
    for (const watcher of this.#watchers) watcher.show(sections);
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const watcher of this.#watchers) watcher.end();
    this.#watchers.clear();
  }

  async #look(): Promise<void> {
    this.#looking = true;
    const began = performance.now();
    // A box that is being closed answers nothing; the pages see their stream end.
    await this.#lookOnce().catch(() => undefined);
    this.#looking = false;
    if (this.#watchers.size === 0) return;
    const { look, pauses, longestPause } = this.#limits;
    const pause = this.#again ? look / 4 : Math.max(look, Math.min(longestPause, (performance.now() - began) * pauses));
    this.#again = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#look(), pause);
    this.#timer.unref();
  }

  async #lookOnce(): Promise<void> {
    const searches = [...this.#watchers].map(({ search }) => search);
    const [status, peers, subscriptions] = await Promise.all([this.#box.status(), this.#box.peers.list(), this.#box.subscriptions.list()]);
    const topics = await this.#topics.look(searches, performance.now());
    if (status.log.losses !== this.#losses.total) this.#losses = lossesSection(await this.#box.items('$ledger', { last: this.#limits.losses }), status.log.losses);
    const sections: Omit<Sections, 'topics' | 'pairings'> = {
      box: boxSection(status, Date.now()),
      homes: homesSection(status.homes),
      peers: peersSection(peers, this.#limits),
      subscriptions: subscriptionsSection(subscriptions, this.#limits),
      losses: this.#losses,
    };
    for (const watcher of this.#watchers) {
      const shown = topics.get(watcher.search);
      watcher.show(shown ? { ...sections, topics: shown } : sections);
    }
  }
}
