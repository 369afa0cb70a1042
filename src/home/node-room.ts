// Whether a node keeps what waits for it: servers drop the oldest items beyond their limit without a word. Said before they go.
import type { Element } from '../xmpp/element.ts';
import { Allowance } from './allowance.ts';
import { partsOf, type Entry, type Lane } from './lane.ts';
import { keepRequest, keepsOf, keptBy, metaOf, orNothing, type Request } from './node-info.ts';
import type { Work } from './work.ts';

/** A node that keeps fewer is for the last values, and meant so: while fewer wait, or are in flight, nothing is asked. */
export const FEWEST = 16;
/** What a service is asked for at least, where it has to be asked: once for many topics of which little waits. */
const ASKED = 256;
/** What a record has around its payload in a pack. */
const RECORD_BYTES = 100;

export interface NodeRoomParts {
  readonly work: Work;
  readonly request: Request;
  /** Of one item made of many records, as fast as the home takes them. */
  readonly packBytes: () => number;
}

/** What a look at a node tells of so many items. */
interface Found {
  readonly short: boolean;
  /** Where anybody says. */
  readonly keeps?: number;
  /** So many may wait before it is looked at again. */
  readonly enough: number;
}

function recordsIn(entries: Iterable<Entry>): number {
  let sum = 0;
  for (const entry of entries) sum += partsOf(entry).length;
  return sum;
}

export class NodeRoom {
  readonly #parts: NodeRoomParts;
  readonly #allowance: Allowance;

  constructor(parts: NodeRoomParts) {
    this.#parts = parts;
    this.#allowance = new Allowance(`lanpost/room/${parts.work.options.boxId}`, parts.request);
  }

  /** Another session. */
  begin(): void {
    this.#allowance.begin();
  }

  /**
   * Whether the node is to be looked at before more goes: that was not done yet, or more waits than it is known to keep, or the
   * shortage is over. Costs no reading: the log knows how many records the topic has had. What is on its way to a cursor of its
   * own is told apart only there, and the topic does not wait for that. Of the lane `latest` fewer items may come than records wait.
   */
  isDue(lane: Lane): boolean {
    const { measured, short } = lane;
    if (lane.moving || this.#parts.work.isLatest(lane)) return false;
    if (!measured) return true;
    const ordinal = this.#ordinalOf(lane);
    // It has been deleted, and is there anew.
    if (ordinal < measured.ordinal) return true;
    const waiting = measured.waiting + ordinal - measured.ordinal - Math.max(0, lane.answered - measured.answered);
    const items = this.#itemsOf(lane, waiting);
    return items > measured.enough || (short !== undefined && isOver(items, short.keeps));
  }

  /** Counts what waits, has the node keep that where it is ours, and says so where it keeps fewer. Of items with ids of their own fewer may come of it than records wait. */
  async measure(lane: Lane): Promise<void> {
    const { work } = this.#parts;
    const { generation } = work;
    const { answered, queue, left, flight, unknown, own, cursor, topic } = lane;
    const ordinal = this.#ordinalOf(lane);
    const underWay = recordsIn(flight) + recordsIn(unknown);
    // Its own cursor also knows what was read and is only on its way here.
    const here = Math.max(recordsIn(queue) + left.length, own ? own.unconfirmed - underWay : 0);
    const waiting = here + await cursor.unread(topic, work.options.log.head + 1) + await cursor.unreadLeft(topic);
    const items = this.#itemsOf(lane, waiting);
    const found = items < FEWEST ? { short: false, enough: FEWEST - 1 } : await this.#look(lane, items);
    if (generation !== work.generation) return;
    const grown = lane.measured !== undefined;
    lane.measured = { waiting, ordinal, answered: answered + underWay, enough: found.enough };
    const { short } = lane;
    // It is over when there is room to spare, and not each time when what waits is about as much as is kept.
    if (!found.short && (!short || isOver(items, found.enough))) lane.short = undefined;
    else lane.short = { keeps: found.keeps, waiting };
    if (found.short && !short) await this.#tell(lane, waiting, found.keeps, grown);
  }

  /** How many items may be in flight: no more than it keeps. */
  async bound(lane: Lane): Promise<void> {
    const { work, request } = this.#parts;
    const { generation } = work;
    const keeps = await keptBy(work.pep.serviceOf(lane.topic), lane.node, request) ?? Infinity;
    if (generation === work.generation) lane.room = Math.max(FEWEST, keeps);
  }

  async #look(lane: Lane, items: number): Promise<Found> {
    const { work: { pep }, request } = this.#parts;
    const { node } = lane;
    const service = pep.serviceOf(lane.topic);
    const set = async (value: string): Promise<boolean> => (await orNothing<Element>(request(keepRequest(service, node, value)))) !== undefined;
    let keeps = await orNothing(keepsOf(service, node, request));
    if (keeps === undefined) keeps = (await orNothing(metaOf(service, node, request)))?.maxItems;
    // As many as the server lets it, where it is ours.
    else if (keeps < items && await set('max')) keeps = await orNothing(keepsOf(service, node, request)) ?? Infinity;
    else if (keeps < items) {
      if (await set(String(2 * items))) keeps = 2 * items;
      else if (await set(String(items))) {
        // How many more it lets is not known: each time a quarter more, or a topic into which much is published would be looked at and never sent.
        lane.room = Math.max(FEWEST, items);
        return { short: false, keeps: items, enough: Math.ceil(1.25 * items) };
      }
    }
    if (keeps !== undefined) lane.room = Math.max(FEWEST, keeps);
    if (keeps === undefined) return { short: false, enough: 2 * items };
    if (keeps < Infinity) return { short: keeps < items, keeps, enough: keeps < items ? 2 * items : keeps };
    // More than wait, so that it is known up to where nothing need be asked.
    const ahead = Math.max(ASKED, 2 * items);
    const many = await this.#allowance.lets(service, ahead);
    if (many !== false) return { short: false, enough: ahead };
    const few = await this.#allowance.lets(service, items);
    return few === false ? { short: true, enough: 2 * items } : { short: false, enough: Math.ceil(1.25 * items) };
  }

  async #tell(lane: Lane, waiting: number, keeps: number | undefined, grown: boolean): Promise<void> {
    const { log, jid, trouble } = this.#parts.work.options;
    const { topic, node, rule: { pack } } = lane;
    // What is only rehearsed says in its report how much is kept.
    if (topic.startsWith('$rehearse/')) return;
    trouble({ kind: 'home.short', message: `${jid}: ${waiting} records of ${topic} wait, and the node ${node} keeps ${keeps === undefined ? 'fewer, the server does not say how many' : `${keeps} items`}: of what has gone up, the oldest ${pack ? 'may' : 'will'} be gone there` });
    // While it grows nobody knows yet how many that will be.
    const isCounted = keeps !== undefined && !pack && !grown;
    await log.noteLoss({ reader: lane.main.name, topic, from: lane.cursor.position + 1, to: log.head, ...(isCounted ? { count: waiting - keeps } : {}), reason: 'short' })
      .catch(() => undefined); // a log that takes nothing: it has been told
  }

  #ordinalOf({ topic }: Lane): number {
    return this.#parts.work.options.log.topic(topic)?.ordinal ?? 0;
  }

  /** So many items come of it at most: packs are as small as the server's slowness makes them, until it is known to be quick. */
  #itemsOf({ topic, rule: { pack } }: Lane, waiting: number): number {
    if (!pack) return waiting;
    const { count = 0, viewBytes = 0 } = this.#parts.work.options.log.topic(topic) ?? {};
    const mean = (count > 0 ? viewBytes / count : 0) + RECORD_BYTES;
    return Math.ceil(waiting / Math.max(1, Math.min(pack.records, Math.floor(Math.min(pack.bytes, this.#parts.packBytes()) / mean))));
  }
}

/** Whether so few items wait that a node which keeps `keeps` has been short long enough. */
function isOver(items: number, keeps: number | undefined): boolean {
  return items < FEWEST || 2 * items <= (keeps ?? 0);
}
