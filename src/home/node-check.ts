// What a home's node must be asked before items are sent to it: make it, and see what of ours it has.
import type { Log } from '../log/log.ts';
import type { Element } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { failureOf } from './failure.ts';
import type { Entry, Lane } from './lane.ts';
import { createRequest, itemsRequest, parseItems } from './node.ts';
import { arrived, newestByItem, pageOf } from './read-back.ts';

export interface NodeCheckParts {
  readonly log: Log;
  readonly service: string;
  readonly request: (iq: Element) => Promise<Element>;
}

/** As many as the service lets a node keep; where it does not know the word, a number; else its own default. */
const MAX_ITEMS = ['max', '10000', undefined] as const;

export async function createNode(lane: Lane, { log, service, request }: NodeCheckParts): Promise<void> {
  const accessModel = log.topic(lane.topic)?.settings['accessModel'] === 'open' ? 'open' : 'whitelist';
  for (const maxItems of MAX_ITEMS) {
    try {
      await request(createRequest(service, lane.topic, { accessModel, maxItems }));
      break;
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      if (error.condition === 'conflict') break; // it is there
      const failure = failureOf(error);
      if (failure === 'service') throw error;
      // Perhaps it was made for us by somebody who may: publishing will tell.
      if (failure === 'hold') break;
      if (maxItems === undefined) throw error;
    }
  }
  lane.created = true;
}

async function presentOf(lane: Lane, page: readonly Entry[], newest: ReadonlyMap<string, number>, parts: NodeCheckParts): Promise<Set<Entry>> {
  // It cannot be asked: what may not be there is sent again.
  if (lane.page === 0) return new Set();
  const ids = [...new Set(page.map((entry) => entry.itemId))];
  let found: Map<string, string | undefined> = new Map();
  try {
    found = parseItems(await parts.request(itemsRequest(parts.service, lane.topic, ids)));
  } catch (error) {
    // Prosody and ejabberd leave unknown items out; so it is the node that is not there.
    if (!(error instanceof StanzaError) || error.condition !== 'item-not-found') throw error;
    lane.created = false;
  }
  return new Set(page.filter((entry) => arrived(entry, found, newest)));
}

export interface ReadBack {
  /** Of those in flight when the session went: arrived, and not. */
  readonly arrived: readonly Entry[];
  readonly missing: readonly Entry[];
  /** Acknowledged once, and no longer there. */
  readonly lost: readonly Entry[];
}

/** First what may or may not have arrived; then from the newest acknowledged back, until one whole page is present. */
export async function readBack(lane: Lane, parts: NodeCheckParts): Promise<ReadBack> {
  const acked = [...lane.acked].toSorted((a, b) => b.seq - a.seq);
  const unknown = lane.unknown.toSorted((a, b) => a.seq - b.seq);
  const newest = newestByItem([...acked, ...unknown]);
  const there = new Set<Entry>();
  for (let at = 0; at < unknown.length;) {
    const page = pageOf(unknown, at, lane.page);
    for (const entry of await presentOf(lane, page, newest, parts)) there.add(entry);
    at += page.length;
  }
  // One that did not arrive replaces nothing.
  const standing = newestByItem([...acked, ...there]);
  const lost: Entry[] = [];
  for (let at = 0; at < acked.length;) {
    const page = pageOf(acked, at, lane.page);
    const present = await presentOf(lane, page, standing, parts);
    lost.push(...page.filter((entry) => !present.has(entry)));
    if (present.size === page.length) break;
    at += page.length;
  }
  return { arrived: [...there], missing: unknown.filter((entry) => !there.has(entry)), lost };
}

/** The first look of a new process: which of the first records handed out before it are there already? */
export async function probe(lane: Lane, parts: NodeCheckParts): Promise<Set<Entry>> {
  const page = pageOf(lane.queue.filter((entry) => entry.redelivered), 0, lane.page);
  return page.length === 0 ? new Set() : presentOf(lane, page, newestByItem(page), parts);
}
