import type { Box, Peer, PeerEvent, PeerTopic, TopicQuery } from '../../src/index.ts';

/** Which peers a node is about. */
export interface Wanted {
  readonly only?: 'boxes' | 'people';
  /** A namespace that their software must know. */
  readonly feature?: string;
}

/** Peers asked at once for what they can do. */
const ASKED_AT_ONCE = 8;

export type FoundPeer = Peer & { readonly topics?: readonly PeerTopic[] };

function isOf(peer: Peer, { only }: Wanted): boolean {
  return only === undefined || peer.box === (only === 'boxes');
}

function fits(peer: Peer, wanted: Wanted): boolean {
  return isOf(peer, wanted) && (wanted.feature === undefined || peer.features?.includes(wanted.feature) === true);
}

/** Who comes, changes and goes, of those that are wanted: whoever starts to fit comes, whoever does no more goes. */
export async function* shownPeers(box: Box, wanted: Wanted, signal: AbortSignal): AsyncGenerator<PeerEvent> {
  const shown = new Set<string>();
  const asked = new Set<string>();
  for await (const { type, peer } of box.peers.watch({ signal })) {
    const { name } = peer;
    if (type === 'down') asked.delete(name);
    else if (wanted.feature !== undefined && peer.features === undefined && !asked.has(name) && isOf(peer, wanted)) {
      asked.add(name);
      // What it says comes as a change of the peer; who does not answer has the feature no more than who says no.
      box.peers.features(name).catch(() => undefined);
    }
    const fit = type !== 'down' && fits(peer, wanted);
    if (shown.has(name)) {
      if (!fit) shown.delete(name);
      yield { type: fit ? 'changed' : 'down', peer };
    } else if (fit) {
      shown.add(name);
      yield { type: 'up', peer };
    }
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
