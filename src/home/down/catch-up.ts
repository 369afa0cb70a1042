// What a node holds that has not come here: its newest items are fetched, more of them until they overlap with what is known.
import type { Log } from '../../log/log.ts';
import { samePayload } from '../../log/appended.ts';
import { formatRecordId } from '../../log/record-id.ts';
import type { LogRecord } from '../../log/record.ts';
import { homeOf } from '../../pubsub/draft.ts';
import { attr, type Element } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { hashOf, REMEMBERED, since, type Before, type Beginnings } from './beginning.ts';
import { walk } from './by-ids.ts';
import { isNamedByRecord, readItem, type HomeItem } from './item.ts';
import type { Keeper, Outcome, Target } from './keeper.ts';
import { listing, type Listing } from './listing.ts';
import { inOrder } from './order.ts';
import { itemsOf, newestRequest } from './request.ts';
import { theirsOf } from './theirs.ts';

/** Items asked for first; fewer after an answer that was too large. */
export const FIRST_PAGE = 16;
/** Items that are compared where ids are used again: a service may leave what is written over in its place. */
const COMPARED = 256;
/** Times that a list is asked for during which the session ends. */
const LIST_TRIES = 3;
/** Asked of the log at once. */
const IDS = 1000;
const SLICE = 256;

export interface CatchUpParts {
  readonly log: Log;
  readonly keeper: Keeper;
  readonly beginnings: Beginnings;
  readonly request: (iq: Element) => Promise<Element>;
  /** Bytes of an answer. */
  readonly bytes: number;
  /** How often the session ended while the node's list of ids was asked for, which may have been too long; and whether it is. */
  readonly lists: { choked: number; asking: boolean };
  /** Not everything could be had. */
  readonly short: (count: number) => void;
}

interface Fetched {
  /** Oldest first. */
  readonly items: readonly HomeItem[];
  /** As the node has them. */
  readonly ids: readonly string[];
  /** The node has no more. */
  readonly whole: boolean;
  /** It has more than can be had, and where they overlap with what is known was not found. */
  readonly short: boolean;
}

/** `page`: how many are asked for first. `onlyNew`: of a node that has not begun, what it holds is not wanted. */
export async function catchUp(target: Target, page: number, onlyNew: boolean, parts: CatchUpParts): Promise<Outcome> {
  const { beginnings } = parts;
  const { service, node } = target;
  const before = beginnings.of(service, node);
  if (!before && onlyNew) {
    const { items } = await ask(target, Math.min(page * 4, REMEMBERED), parts);
    await beginnings.began(service, node, items.map((item) => [item.id, hashOf(item)] as const));
    return 'kept';
  }
  const known = new Known(target, before, parts);
  const last = parts.log.topic(target.topic)?.last ?? 0;
  const { items, ids, whole, short } = await fetch(target, page, known, parts);
  const all = short ? await listed(target, ids, parts) : undefined;
  // What was refused may be taken another time.
  let isAll = true;
  const kept = async (some: readonly HomeItem[], old = 0): Promise<Outcome> => {
    const one = await keep(target, await known.wanted(some, old), parts);
    isAll &&= one === 'kept';
    return one;
  };
  const outcome = await (all
    ? walk(target, { ids: all.ids, page, before, reaches: (some, seen, met) => known.reaches(some, seen, met), newest: (some) => known.newest(some), keep: kept }, parts)
    : kept(items));
  if (outcome === 'later') return outcome;
  if (short && all?.whole !== true) parts.short(all?.ids.length ?? ids.length);
  if (before && (whole || all?.whole === true)) await retractMissing(target, all?.ids ?? ids, last, parts);
  if (!before) await beginnings.began(service, node);
  if (isAll) await beginnings.came(service, node, items);
  return 'kept';
}

/** Undefined where the service does not list what a node holds. */
async function listed(target: Target, newest: readonly string[], { request, lists }: CatchUpParts): Promise<Listing | undefined> {
  if (lists.choked >= LIST_TRIES) return undefined;
  lists.asking = true;
  try {
    const all = await listing(target, newest, request);
    lists.choked = 0;
    return all.ids.length < newest.length ? undefined : all;
  } catch (error) {
    if (error instanceof StanzaError) return undefined;
    throw error;
  } finally {
    lists.asking = false;
  }
}

async function ask({ service, node }: Target, most: number, { request }: CatchUpParts): Promise<{ readonly items: HomeItem[]; readonly ids: string[]; readonly bytes: number }> {
  const { items, bytes } = itemsOf(await request(newestRequest(service, node, most)));
  return { items: items.flatMap(readItem), ids: items.map((item) => attr(item, 'id') ?? ''), bytes };
}

async function fetch(target: Target, page: number, known: Known, parts: CatchUpParts): Promise<Fetched> {
  for (let most = page; ;) {
    const { items, ids, bytes } = await ask(target, most, parts);
    const count = ids.length;
    if (count < most) return { items, ids, whole: true, short: false };
    if (await known.reaches(items, count)) return { items, ids, whole: false, short: false };
    // An answer that is larger than may be ends the session.
    const next = Math.min(most * 4, Math.floor((count * parts.bytes) / Math.max(1, bytes)));
    if (next <= most) return { items, ids, whole: false, short: true };
    most = next;
  }
}

async function keep(target: Target, items: readonly HomeItem[], { keeper }: CatchUpParts): Promise<Outcome> {
  let worst: Outcome = 'kept';
  for (let at = 0; at < items.length; at += SLICE) {
    const outcomes = await Promise.all(items.slice(at, at + SLICE).map((item) => keeper.item(target, item)));
    if (outcomes.includes('later')) return 'later';
    if (outcomes.includes('refused')) worst = 'refused';
  }
  return worst;
}

/** What is known of a node's items. */
class Known {
  readonly #target: Target;
  readonly #before: Before | undefined;
  readonly #parts: CatchUpParts;
  /** Those that came last, whether or not the view still has them, with their hashes. */
  readonly #last: ReadonlyMap<string, string>;

  constructor(target: Target, before: Before | undefined, parts: CatchUpParts) {
    this.#target = target;
    this.#before = before;
    this.#parts = parts;
    this.#last = new Map(parts.beginnings.last(target.service, target.node).map(([id, hash]) => [id, hash] as const));
  }

  /** Whether what is older than these is known; `seen`: how many items of the node were looked at; `met`: one that is newer is known. */
  async reaches(items: readonly HomeItem[], seen: number, met: boolean = false): Promise<boolean> {
    if (!this.#before) return false;
    const theirs = this.theirs(items);
    const [oldest] = theirs;
    const last = items.some((item) => this.#cameLast(item));
    // Where we have published while others did, ours say nothing of theirs, unless they had come back.
    if (theirs.every(isNamedByRecord)) return last || (oldest ? this.#came(oldest, await this.#local([oldest])) : met);
    const local = await this.#local(theirs);
    return seen >= COMPARED && (last || met || theirs.some((item) => this.#came(item, local)));
  }

  /** The last of them that is known; -1: none. */
  async newest(items: readonly HomeItem[]): Promise<number> {
    const { keeper } = this.#parts;
    const local = await this.#local(items);
    return items.findLastIndex((item) => !keeper.isOwn(item) && this.#came(item, local));
  }

  /** Those to be kept, in order; the first `old` of them are before one that is known. */
  async wanted(items: readonly HomeItem[], old: number = 0): Promise<HomeItem[]> {
    const before = this.#before;
    const theirs = this.theirs(inOrder(before ? since(before, items) : items));
    if (!before || theirs.every(({ origin }) => origin)) return theirs;
    const local = await this.#local(theirs);
    const newest = theirs.findLastIndex((item) => this.#came(item, local));
    const passed = new Set(items.slice(0, old));
    return theirs.filter((item, i) => {
      if (item.origin) return true; // the log knows
      const record = local.get(item.id);
      // Before one that is known there is none that never came: it has left the view, or was taken away here.
      return record ? !samePayload(record.payload, item.payload) : i > newest && !passed.has(item);
    });
  }

  /** What is not of this box. */
  theirs(items: readonly HomeItem[]): HomeItem[] {
    return items.filter((item) => !this.#parts.keeper.isOwn(item));
  }

  /** Whether it came from here, and with it what is older here. Of what came by another home, or was imported, only itself is known. */
  #came(item: HomeItem, local: ReadonlyMap<string, LogRecord>): boolean {
    if (this.#cameLast(item)) return true;
    const record = local.get(item.id);
    if (!record || homeOf(record) !== this.#target.service) return false;
    return item.origin ? record.recordId === formatRecordId(item.origin) : samePayload(record.payload, item.payload);
  }

  #cameLast(item: HomeItem): boolean {
    const hash = this.#last.get(item.id);
    return hash !== undefined && hash === hashOf(item);
  }

  async #local(items: readonly HomeItem[]): Promise<Map<string, LogRecord>> {
    const { log } = this.#parts;
    const ids = items.map(({ id }) => id);
    const local = new Map<string, LogRecord>();
    if (!log.topic(this.#target.topic)) return local;
    for (let at = 0; at < ids.length; at += IDS) {
      for (const record of await log.items(this.#target.topic, { ids: ids.slice(at, at + IDS) })) if (record.id !== undefined) local.set(record.id, record);
    }
    return local;
  }
}

/**
 * What was retracted while nobody here listened. What is older than all that the node has may have been pushed out
 * there, what is newer may have been lost and come again; and what goes by its record's id is never written over.
 * A node that has not even what came last (before `last` here) was made anew, or its server lost things: that retracts nothing.
 */
async function retractMissing(target: Target, ids: readonly string[], last: number, { log, keeper }: CatchUpParts): Promise<void> {
  if (!log.topic(target.topic)) return;
  const there = new Set(ids);
  const { theirs } = await theirsOf(log, target, IDS);
  const local = theirs.flatMap(({ id, recordId, seq }) => (id === undefined ? [] : [{ id, seq, isChosen: id !== recordId }]));
  const cameLast = local.findLast(({ seq, isChosen }) => isChosen && seq <= last);
  if (!cameLast || !there.has(cameLast.id)) return;
  const present = local.filter(({ id }) => there.has(id));
  const [oldest, newest] = [present[0]?.seq ?? Infinity, present.at(-1)?.seq ?? 0];
  const gone = local.filter(({ id, seq, isChosen }) => isChosen && !there.has(id) && seq > oldest && seq < newest);
  await Promise.all(gone.map(({ id }) => keeper.retract(target, id)));
}
