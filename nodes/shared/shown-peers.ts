import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Box, Peer, PeerEvent, PeerTopic, TopicQuery } from '../../src/index.ts';

/** Which peers a node is about. */
export interface Wanted {
  readonly only?: 'boxes' | 'people';
  /** A namespace that their software must know. */
  readonly feature?: string;
}

/** How long a box that is back has to see whom it saw before: it asks three times meanwhile (RFC 6762 §5.2: after 1 s, then 2 s), ms. */
const ABSENT_MS = 5000;

/** Peers asked at once for what they can do. */
const ASKED_AT_ONCE = 8;

export type FoundPeer = Peer & { readonly topics?: readonly PeerTopic[] };

function isOf(peer: Peer, { only }: Wanted): boolean {
  return only === undefined || peer.box === (only === 'boxes');
}

function fits(peer: Peer, wanted: Wanted): boolean {
  return isOf(peer, wanted) && (wanted.feature === undefined || peer.features?.includes(wanted.feature) === true);
}

/**
 * Who comes, changes and goes, of those that are wanted: whoever starts to fit comes, whoever does no more goes. Over all the times
 * that a box was away: `told` has whom a flow was told of, and what is said when it is back is what is not so any more.
 */
export class ShownPeers {
  /** By name, as they were told. */
  readonly told: Map<string, Peer> = new Map();
  readonly #wanted: Wanted;
  readonly #absent: number;

  /** `absent`: ms. */
  constructor(wanted: Wanted, absent: number = ABSENT_MS) {
    this.#wanted = wanted;
    this.#absent = absent;
  }

  async *events(box: Box, signal: AbortSignal): AsyncGenerator<PeerEvent> {
    const watching = box.peers.watch({ signal });
    try {
      /** Whether they are there still has to be seen. */
      const missing = await this.#missing(box);
      yield* this.#compared(missing.here);
      const absent = new AbortController();
      const late = missing.gone.size === 0 ? undefined : sleep(missing.off ? 0 : this.#absent, 'late' as const, { signal: absent.signal, ref: false });
      late?.catch(() => undefined); // who stops reading does not wait for it
      try {
        yield* this.#following(box, watching, missing.gone, late);
      } finally {
        absent.abort();
      }
    } finally {
      await watching.return?.();
    }
  }

  /** Of those that were told: who is there as they are now, and who is not seen. */
  async #missing(box: Box): Promise<{ readonly here: readonly Peer[]; readonly gone: Set<string>; readonly off: boolean }> {
    if (this.told.size === 0) return { here: [], gone: new Set(), off: false };
    const { feature } = this.#wanted;
    const told = async (): Promise<Peer[]> => (await box.peers.list()).filter(({ name }) => this.told.has(name));
    let here = await told();
    const unknown = feature === undefined ? [] : here.filter((peer) => isOf(peer, this.#wanted) && peer.features === undefined);
    // A box that was started anew has forgotten what they can do; who does not answer has the feature no more than who says no.
    if (unknown.length > 0) {
      await each(unknown, async ({ name }) => void await box.peers.features(name).catch(() => undefined));
      here = await told();
    }
    const names = new Set(here.map(({ name }) => name));
    return { here, gone: new Set([...this.told.keys()].filter((name) => !names.has(name))), off: (await box.status()).link.state === 'off' };
  }

  *#compared(here: readonly Peer[]): Generator<PeerEvent> {
    for (const peer of here) if (!isDeepStrictEqual(peer, this.told.get(peer.name))) yield* this.#changed(peer);
  }

  async *#following(box: Box, watching: AsyncIterator<PeerEvent>, missing: Set<string>, late: Promise<'late'> | undefined): AsyncGenerator<PeerEvent> {
    const asked = new Set<string>();
    let [next, waits]: [ReturnType<typeof watching.next> | undefined, typeof late] = [undefined, late];
    for (;;) {
      next ??= watching.next();
      const step = await (waits ? Promise.race([next, waits]) : next);
      if (step === 'late') {
        waits = undefined;
        for (const name of missing) yield* this.#gone(name);
        missing.clear();
        continue;
      }
      next = undefined;
      if (step.done) return;
      const { type, peer } = step.value;
      const { name } = peer;
      if (type === 'down') {
        asked.delete(name);
        missing.delete(name);
        yield* this.#gone(name, peer);
        continue;
      }
      const isAsked = this.#wanted.feature !== undefined && peer.features === undefined && isOf(peer, this.#wanted);
      if (isAsked && !asked.has(name)) {
        asked.add(name);
        // What it says comes as a change of the peer; who does not answer has the feature no more than who says no.
        box.peers.features(name).catch(() => undefined);
      }
      if (missing.has(name)) {
        // Who is back, and has not said yet what it can do, has as long for that.
        if (isAsked) continue;
        missing.delete(name);
        if (isDeepStrictEqual(peer, this.told.get(name))) continue;
      } else if (type === 'up' && this.told.has(name)) continue; // as it was when the watch began: it has been compared, and what became of it since comes by itself
      yield* this.#changed(peer);
    }
  }

  *#changed(peer: Peer): Generator<PeerEvent> {
    const { name } = peer;
    if (!fits(peer, this.#wanted)) {
      yield* this.#gone(name, peer);
      return;
    }
    const type = this.told.has(name) ? 'changed' : 'up';
    this.told.set(name, peer);
    yield { type, peer };
  }

  /** `peer`: as it was last. */
  *#gone(name: string, peer: Peer | undefined = this.told.get(name)): Generator<PeerEvent> {
    if (this.told.delete(name) && peer) yield { type: 'down', peer };
  }
}

/** Those that are wanted now; each is asked what it can do if that matters and is not known, and for its topics if they are to be told. */
export async function findPeers(box: Box, wanted: Wanted, topics?: TopicQuery): Promise<FoundPeer[]> {
  const peers = (await box.peers.list()).filter((peer) => isOf(peer, wanted));
  const { feature } = wanted;
  const found = await each(peers, async (peer): Promise<FoundPeer | undefined> => {
    // One that does not answer is not found by what it can do; the others are.
    const features = feature === undefined ? peer.features : peer.features ?? await box.peers.features(peer.name).catch(() => undefined);
    if (feature !== undefined && !features?.includes(feature)) return undefined;
    const told = topics && peer.box ? await box.peers.topics(peer.name, topics).catch(() => []) : undefined;
    return { ...peer, ...(features ? { features } : {}), ...(told ? { topics: told } : {}) };
  });
  const answered = found.filter((peer) => peer !== undefined);
  return topics ? answered.filter((peer) => peer.topics !== undefined && peer.topics.length > 0) : answered;
}

async function each<A, B>(all: readonly A[], work: (one: A) => Promise<B>): Promise<B[]> {
  const results: B[] = [];
  for (let at = 0; at < all.length; at += ASKED_AT_ONCE) results.push(...await Promise.all(all.slice(at, at + ASKED_AT_ONCE).map(work)));
  return results;
}
