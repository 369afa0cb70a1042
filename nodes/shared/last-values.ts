import type { Box, Delivery } from '../../src/index.ts';
import { codeOf } from './in-words.ts';

/** Whose newest items a reader gets when it begins: of topics that keep only the newest, of all, of none. */
export const LAST_OF = ['latest', 'all', 'none'] as const;
export type LastOf = (typeof LAST_OF)[number];

/** Newest items that one reader gets at most when it begins. */
export const MAX_LAST_VALUES = 10_000;
/** The most that a box gives at once, and one at the other end of the link. */
const [PAGE, PAGE_THERE] = [1000, 100];

/** The newest item of each topic that fits, here or at a peer, or of each of its keys; `comes`: those that the reader will get anyway. */
export async function* lastValues(box: Box, { filter, at, last: of }: { readonly filter: string; readonly at?: string; readonly last: LastOf }, comes: (delivery: Delivery) => boolean): AsyncGenerator<Delivery> {
  if (of === 'none') return;
  let left = MAX_LAST_VALUES;
  for (const { name, lane } of await (at === undefined ? topicsHere(box, filter) : box.peers.topics(at, { filter }))) {
    if (of === 'latest' && lane !== 'latest') continue;
    const most = Math.min(left, at === undefined ? PAGE : PAGE_THERE);
    for (const delivery of await newest(box, name, { last: lane === 'latest' ? most : 1, ...(at === undefined ? {} : { at }) })) {
      if (delivery.kind !== 'item' || comes(delivery)) continue;
      yield delivery;
      if (--left === 0) return;
    }
  }
}

async function topicsHere(box: Box, filter: string): Promise<{ readonly name: string; readonly lane: string }[]> {
  return (await box.topics.list(filter)).filter(({ items }) => items > 0);
}

async function newest(box: Box, topic: string, options: { readonly last: number; readonly at?: string }): Promise<Delivery[]> {
  try {
    return await box.items(topic, options);
  } catch (error) {
    // Deleted since, a topic that can only be listened to, or one of a peer's that this box may not read any more. With any other the
    // reader begins anew, and the node says why: else a dashboard would begin without a value, and nobody would know.
    const code = codeOf(error);
    if (code === 'not-found' || code === 'unsupported' || code === 'forbidden') return [];
    throw error;
  }
}

/** Whoever is asked is not there: it may be later. */
function isAway(code: string | undefined): boolean {
  return code === 'unreachable' || code === 'disconnected' || code === 'timeout';
}

/** How soon a peer that was not there is asked again, ms. */
const AGAIN_MS = 5000;

/** The last values at a peer, which need not be there when its reader begins, and sends on its own what comes. */
export class LastAtPeer {
  /** Topics that something has come of: what was before it comes too late. */
  readonly #passed = new Set<string>();
  /** What was given of each topic, until something else has come of it. */
  readonly #given = new Map<string, Set<string>>();
  #isOver = false;

  /** Gives them once, as soon as the peer is there and its owner lets this box read. */
  async give(box: Box, wanted: { readonly filter: string; readonly at: string; readonly last: LastOf }, { send, later, isLet, refused, signal }: {
    readonly send: (delivery: Delivery) => Promise<void>;
    /** Waits so many ms. */
    readonly later: (ms: number) => Promise<unknown>;
    /** Whether there is nothing that the owner there has not said yet, or has refused. */
    readonly isLet: () => Promise<boolean>;
    /** They come when it is let: what comes by itself then need not wait for them. */
    readonly refused: () => void;
    readonly signal: AbortSignal;
  }): Promise<void> {
    while (!this.#isOver && !signal.aborted) {
      try {
        for await (const delivery of lastValues(box, wanted, ({ topic, recordId }) => this.#passed.has(topic) || this.#given.get(topic)?.has(recordId) === true)) {
          if (signal.aborted) return;
          const of = this.#given.get(delivery.topic) ?? new Set();
          this.#given.set(delivery.topic, of.add(delivery.recordId));
          await send(delivery);
        }
        // A peer names only what may be read: of the rest nothing has come.
        this.#isOver = await isLet();
        if (!this.#isOver) {
          refused();
          do await later(AGAIN_MS);
          while (!signal.aborted && !(await isLet()));
          continue;
        }
        this.#passed.clear();
      } catch (error) {
        this.#isOver = !isAway(codeOf(error));
        if (this.#isOver) throw error;
        await later(AGAIN_MS);
      }
    }
  }

  /** Something came by itself; whether the flow has had just that as a last value, and nothing of its topic since. */
  came({ topic, recordId }: Delivery): boolean {
    if (!this.#isOver) this.#passed.add(topic);
    const given = this.#given.get(topic);
    if (given?.delete(recordId)) return true;
    this.#given.delete(topic);
    return false;
  }
}
