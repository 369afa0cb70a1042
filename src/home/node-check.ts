// What a home's node must be asked before items are sent to it: make it, and see what of ours it has.
import type { Log } from '../log/log.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { failureOf } from './failure.ts';
import { entryOf, packOf, PAGE_ITEMS, type Entry, type Lane } from './lane.ts';
import { createRequest, itemsRequest, parseItems } from './node.ts';
import { keptBy, metaOf, type Request } from './node-info.ts';
import type { Packs } from './packs.ts';
import type { Pep } from './pep.ts';
import { Places } from './places.ts';
import { arrived, newestByItem, noteNewest, pageOf } from './read-back.ts';
import { reasonOf } from './reason.ts';

export interface NodeCheckParts {
  readonly log: Log;
  /** Where the topic's node is. */
  readonly pep: Pep;
  readonly packs: Packs;
  readonly request: Request;
  /** The topic's node, or all of them where there is no topic, is the account's own from now on. */
  readonly moved: (topic: string | undefined, reason: string) => void;
}

/** As many as the service lets a node keep; where it does not know the word, a number; else its own default. */
const MAX_ITEMS = ['max', '10000', undefined] as const;

export async function createNode(lane: Lane, parts: NodeCheckParts): Promise<void> {
  const { log, pep, request, moved } = parts;
  const { topic, node } = lane;
  const accessModel = log.topic(topic)?.settings['accessModel'] === 'open' ? 'open' : 'whitelist';
  const service = pep.serviceOf(topic);
  lane.unmade = undefined;
  for (const maxItems of MAX_ITEMS) {
    try {
      await request(createRequest(service, node, { accessModel, maxItems }));
      pep.served();
      break;
    } catch (error) {
      if (!(error instanceof StanzaError)) throw error;
      if (error.condition === 'conflict') {
        pep.served();
        break; // it is there
      }
      const failure = failureOf(error);
      if (failure === 'service') {
        if (!await pep.choose(error, request)) throw error;
        moved(undefined, reasonOf(error));
        return createNode(lane, parts);
      }
      if (failure === 'hold') {
        lane.unmade = reasonOf(error);
        // XEP-0163 §3: there, publishing makes it, as its options say (XEP-0060 §7.1.5).
        if (pep.isPep(topic)) lane.options = accessModel;
        // Perhaps it was made for us by somebody who may: publishing will tell.
        else if (!await isThere(service, node, request) && await pep.chooseFor(topic, `the account may make no node: ${reasonOf(error)}`, request)) {
          moved(topic, reasonOf(error));
          return createNode(lane, parts);
        }
        break;
      }
      if (maxItems === undefined) throw error;
    }
  }
  lane.created = true;
}

/** What cannot be told is taken for there. */
async function isThere(service: string, node: string, request: Request): Promise<boolean> {
  try {
    return await metaOf(service, node, request) !== undefined;
  } catch (error) {
    if (error instanceof StanzaError) return true;
    throw error;
  }
}

/** `shown`: takes those that the node has as they were sent, not others in their place. */
export async function presentOf(lane: Lane, page: readonly Entry[], newest: ReadonlyMap<string, number>, parts: NodeCheckParts, shown?: Set<Entry>): Promise<Set<Entry>> {
  // It cannot be asked: what may not be there is sent again.
  if (lane.page === 0) return new Set();
  const ids = [...new Set(page.map((entry) => entry.itemId))];
  let found: Map<string, string | undefined> = new Map();
  try {
    found = parseItems(await parts.request(itemsRequest(parts.pep.serviceOf(lane.topic), lane.node, ids)));
  } catch (error) {
    // Prosody and ejabberd leave unknown items out; so it is the node that is not there.
    if (!(error instanceof StanzaError) || error.condition !== 'item-not-found') throw error;
    lane.created = false;
  }
  if (shown) for (const entry of page) if (found.get(entry.itemId) === entry.recordId) shown.add(entry);
  return new Set(page.filter((entry) => arrived(entry, found, newest)));
}

export interface ReadBack {
  /** Of those in flight when the session went: arrived, and not. */
  readonly arrived: readonly Entry[];
  readonly missing: readonly Entry[];
  /** How many that were acknowledged once are no longer there, and the first of them. */
  readonly lost: number;
  readonly first: number;
}

/** Packs that are looked for at once: where there are any, one page of records is of a single one. */
const PACKS = 4;

/** What was acknowledged and has not settled, newest first, as it was sent. */
async function* acknowledged(lane: Lane, { from = 0, below = Infinity }: { readonly from?: number; readonly below?: number }, packs: Packs): AsyncIterableIterator<Entry[]> {
  let entries: Entry[] = [];
  for (let before = below; before > from;) {
    // Asked anew for each page: the topic may get a cursor of its own meanwhile.
    const records = await lane.cursor.taken(lane.topic, before, PAGE_ITEMS);
    let packed = false;
    before = records.length === 0 ? 0 : before;
    for (const record of records) {
      if (record.seq >= before || record.seq < from || (record.kind !== 'publish' && record.kind !== 'retract')) continue;
      const entry = entryOf(record, record.kind, false);
      const bundle = packs.covering(lane.topic, record.seq);
      packed ||= bundle !== undefined;
      entries.push(bundle ? packOf(lane.topic, bundle, [entry]) : entry);
      before = bundle?.first ?? record.seq;
    }
    before = Math.min(before, records.at(-1)?.seq ?? 0);
    if (entries.length === 0 || (packed && entries.length < PACKS)) continue;
    yield entries;
    entries = [];
  }
  if (entries.length > 0) yield entries;
}

/**
 * First what may or may not have arrived; then from the newest acknowledged back, until one whole page is present, or so many have
 * gone behind that the node has no place for more: what is not there of those was let go. What went in an order of its own is looked
 * at for itself.
 */
export async function readBack(lane: Lane, parts: NodeCheckParts): Promise<ReadBack> {
  const unknown = lane.unknown.toSorted((a, b) => a.seq - b.seq);
  const shown = new Set<Entry>();
  const there = await arrivedOf(unknown, lane, parts, shown);
  // One that did not arrive replaces nothing.
  const standing = newestByItem(there);
  let keeps: number | undefined;
  let lost = 0;
  let first = Infinity;
  for (const [i, { from }] of [...lane.stretches.entries()].toReversed()) {
    const below = lane.stretches[i + 1]?.from ?? Infinity;
    const places = new Places([...shown].filter(({ seq }) => seq >= from && seq < below));
    for await (const entries of acknowledged(lane, { from, below }, parts.packs)) {
      noteNewest(standing, entries);
      let whole = true;
      for (let at = 0; at < entries.length;) {
        const page = pageOf(entries, at, lane.page);
        const present = await presentOf(lane, page, standing, parts, shown);
        // Asked only where it tells something: what a server has lost has nothing behind it.
        if (keeps === undefined && places.hidesOne(page, present, shown)) keeps = await keptBy(parts.pep.serviceOf(lane.topic), lane.node, parts.request) ?? Infinity;
        const looked = places.take(page, shown, standing, keeps ?? Infinity);
        for (const { seq, pack } of looked.filter((entry) => !present.has(entry))) {
          lost += pack?.bundle.count ?? 1;
          first = Math.min(first, seq);
        }
        whole = present.size === page.length || looked.length < page.length;
        if (whole) break;
        at += page.length;
      }
      if (whole) break;
    }
  }
  return { arrived: [...there], missing: unknown.filter((entry) => !there.has(entry)), lost, first };
}

async function arrivedOf(unknown: readonly Entry[], lane: Lane, parts: NodeCheckParts, shown: Set<Entry>): Promise<Set<Entry>> {
  const [oldest] = unknown;
  const there = new Set<Entry>();
  if (!oldest) return there;
  const newest = newestByItem(unknown);
  for await (const entries of acknowledged(lane, { from: oldest.seq }, parts.packs)) noteNewest(newest, entries);
  for (let at = 0; at < unknown.length;) {
    const page = pageOf(unknown, at, lane.page);
    for (const entry of await presentOf(lane, page, newest, parts, shown)) there.add(entry);
    at += page.length;
  }
  return there;
}

/** Which of the first of these, which may be there already, are? */
export async function probe(lane: Lane, doubtful: readonly Entry[], parts: NodeCheckParts): Promise<{ readonly asked: readonly Entry[]; readonly present: ReadonlySet<Entry> }> {
  const asked = pageOf(doubtful, 0, lane.page);
  return { asked, present: asked.length === 0 ? new Set() : await presentOf(lane, asked, newestByItem(asked), parts) };
}

/** Of records that went in order, if at all, up to where some may be there; where they are many, only some of them are asked for. */
export async function newestThere(lane: Lane, sent: readonly Entry[], parts: NodeCheckParts): Promise<number | undefined> {
  const entries = sent.toSorted((a, b) => b.seq - a.seq);
  if (lane.page === 0) return entries[0]?.seq;
  const step = Math.ceil(entries.length / PAGE_ITEMS);
  const asked = entries.filter((_, i) => i % step === 0);
  for (let at = 0; at < asked.length;) {
    const page = pageOf(asked, at, lane.page);
    const present = await presentOf(lane, page, new Map(), parts);
    const first = page.findIndex((entry) => present.has(entry));
    // Those between it and the one asked for before may be there, too.
    if (first >= 0) return asked[Math.max(0, at + first - 1)]?.seq;
    at += page.length;
  }
  return undefined;
}
