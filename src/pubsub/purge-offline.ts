import { LanpostError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { LogRecord } from '../log/record.ts';
import { itemId } from './delivery.ts';

/** Items looked at with one question. */
const PAGE = 100;

/**
 * XEP-0060 §16.4.4, `purge_offline`: where a topic's owner wants it, what a publisher published goes when it does. All
 * items are looked through for that: once, however many have left, and again only for those that leave meanwhile.
 */
export class PurgeOffline {
  readonly #log: Log;
  #left = new Set<string>();
  #looking: Promise<void> | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Resolves when what that key published is gone. */
  left(fingerprint: string): Promise<void> {
    this.#left.add(fingerprint);
    return this.#looking ??= this.#look();
  }

  async #look(): Promise<void> {
    try {
      while (this.#left.size > 0) {
        const left = this.#left;
        this.#left = new Set();
        await this.#purge(left).catch((error: unknown) => {
          // They are still to be looked for, with whoever leaves next.
          for (const fingerprint of left) this.#left.add(fingerprint);
          throw error;
        });
      }
    } finally {
      this.#looking = undefined;
    }
  }

  async #purge(left: ReadonlySet<string>): Promise<void> {
    const wanting = [...this.#log.topics()].filter(({ deleted, settings }) => !deleted && settings['purgeOffline'] === true);
    for (const { name } of wanting) {
      for (let after: number | undefined = 0; after !== undefined;) {
        const page = await this.#log.items(name, { after, limit: PAGE });
        const theirs = page.filter(({ extra }) => typeof extra === 'object' && extra !== null && 'key' in extra && typeof extra.key === 'string' && left.has(extra.key));
        await Promise.all(theirs.map((item) => this.#retract(name, item)));
        after = page.length < PAGE ? undefined : page.at(-1)?.seq;
      }
    }
  }

  /** Somebody else may have put another in its place by now, or it may have gone. */
  async #retract(topic: string, item: LogRecord): Promise<void> {
    await this.#log.append({ topic, kind: 'retract', id: itemId(item), meant: item.seq }).catch((error: unknown) => {
      if (!(error instanceof LanpostError && error.code === 'not-found')) throw error;
    });
  }
}
