// One topic on its way up: what waits, what is in flight, what the home says it has.
import type { Cursor } from '../log/cursor.ts';
import type { LogRecord } from '../log/record.ts';
import type { Failure } from './failure.ts';
import type { Packed } from './pack-element.ts';
import type { Bundle } from './packs.ts';
import { Stretch } from './stretches.ts';
import type { Standing, Trial } from './trial.ts';
import type { Rule } from './up-rule.ts';

export interface Entry {
  readonly seq: number;
  readonly topic: string;
  readonly recordId: string;
  readonly kind: 'publish' | 'retract';
  /** XEP-0060 item id: the publisher's choice, else the record id. */
  readonly itemId: string;
  readonly bytes: number;
  /** It may have been sent before this process began. */
  readonly redelivered: boolean;
  /** It was put aside, and somebody wants it to be tried once more. */
  readonly retried: boolean;
  readonly record: LogRecord;
  /** Of a pack: the records in it, and what is known of it on disk. */
  readonly pack?: { readonly bundle: Bundle; readonly parts: readonly Entry[] };
  /** As it stands in a pack, where that was needed before it is sent. */
  packed?: Packed;
  tries: number;
  /** The home was asked for it and did not have it. */
  looked: boolean;
  /** Monotonic; a later one with its item id got through then, while this was in flight: it must not come after that. */
  replaced: number | undefined;
}

export function entryOf(record: LogRecord, kind: Entry['kind'], redelivered: boolean, retried: boolean = false): Entry {
  const { seq, topic, recordId } = record;
  // What the envelope adds is about as much again as 256 bytes.
  const bytes = (record.payload?.bytes.length ?? 0) + 256;
  return { seq, topic, recordId, kind, itemId: record.id ?? recordId, bytes, redelivered, retried, record, tries: 0, looked: false, replaced: undefined };
}

/** Several records in one item; where only the pack is known, without them. */
export function packOf(topic: string, bundle: Bundle, parts: readonly [Entry, ...Entry[]]): Entry {
  const { id, first, bytes } = bundle;
  return {
    seq: first, topic, recordId: id, kind: 'publish', itemId: id, bytes, redelivered: parts.some((part) => part.redelivered), retried: false, record: parts[0].record,
    pack: { bundle, parts }, tries: 0, looked: false, replaced: undefined,
  };
}

/** The records of an entry, one or many. */
export function partsOf(entry: Entry): readonly Entry[] {
  return entry.pack?.parts ?? [entry];
}

/** Few enough ids for one question. */
export const PAGE_ITEMS = 100;

/** new: the node must be looked at before anything is sent. checking: that is going on. */
export type Phase = 'new' | 'checking' | 'ready';

/** So many records waited when the topic had had so many (`ordinal`); in front of them are those that were in flight (up to `answered`). */
export interface Measured {
  readonly waiting: number;
  readonly ordinal: number;
  readonly answered: number;
  /** When more items than this may come of what waits, it is looked at again. */
  readonly enough: number;
}

export class Lane {
  readonly topic: string;
  /** The subscription that the topic belongs to. */
  readonly main: Cursor;
  readonly rule: Rule;
  /** The home's node that it goes to. */
  readonly node: string;
  phase: Phase = 'new';
  /** What is being looked at is out of date: once more. */
  outdated = false;
  /** Waiting, in the order in which they are to go. */
  queue: Entry[] = [];
  readonly flight: Set<Entry> = new Set();
  /** In flight when the session went: the home may have them or not. */
  unknown: Entry[] = [];
  /** Monotonic; the home acknowledged the newest then. Undefined when all that it acknowledged has settled. */
  takenAt: number | undefined;
  /** Failed and to be sent again once the others in flight are answered. */
  returned: Entry[] = [];
  failure: Failure | undefined;
  created = false;
  /** Who may read the node, where publishing makes it. */
  options: 'open' | 'whitelist' | undefined;
  /** When it was last looked at whether the node keeps what waits. */
  measured: Measured | undefined;
  /** Records that the home has acknowledged since it is there. */
  answered = 0;
  /** Items in flight at most, where that has been asked: no more than the node keeps, or one that is not there may have been driven out by those behind it. */
  room: number | undefined;
  /** The node keeps fewer items than wait; without a number, how many nobody says. */
  short: { readonly keeps: number | undefined; readonly waiting: number } | undefined;
  /** To whom the node belongs, when it is not this account's. */
  whose: string | undefined;
  createdAgain = 0;
  /** Why the account may not make the node, when it was last tried. */
  unmade: string | undefined;
  /** What was acknowledged must be read back before more is sent. */
  readBack = false;
  /** Oldest first. */
  readonly stretches: Stretch[] = [new Stretch(0)];
  holds = 0;
  heldUntil = 0;
  reason: string | undefined;
  /** One at a time, after a failure that may be the item's fault. */
  alone = false;
  /** Items asked for at once; fewer after an answer that was too large, 0: do not ask. */
  page: number = PAGE_ITEMS;
  /** Being put aside. */
  aside = 0;
  /** By seq: what fails again and again with errors that ask to wait. */
  readonly trials: Map<number, Trial> = new Map();
  /** Of them, what stands back so that what is behind it is tried, oldest first. */
  standing: Standing[] = [];
  standsUntil = 0;
  /** It is to be tried before what has come since: an outage may be over. */
  overdue = false;
  /** Seqs given back while the topic waits and has no cursor of its own yet. */
  left: number[] = [];
  /** It could not be given a cursor of its own while it waits this time. */
  together = false;
  /** It is going to a cursor of its own, or back. */
  moving: Promise<void> | undefined;

  /** It has a backlog: whatever keeps up goes first. */
  behind = false;
  /** It was to get a cursor of its own for its backlog. */
  crowded = false;
  /** Something came into the queue that may belong to a pack. */
  unformed = false;
  /** At the end of the queue, in no pack. */
  loose = 0;
  /** What is first is a pack of which not all has been read. */
  incomplete = false;
  /** Which records go together is being written down. */
  planning = false;
  /** Its cursor has read all there is: a pack that lacks something will not get it. */
  whole = false;
  /** By item id, in the lane `latest`: what went before a backlog that may have older of it, which go no more. */
  readonly overtaken: Map<string, number> = new Map();
  /** It is to read on before its backlog. */
  leaping = false;

  constructor({ topic, main, rule, node, stretches = [] }: { readonly topic: string; readonly main: Cursor; readonly rule: Rule; readonly node: string; readonly stretches?: readonly number[] }) {
    this.topic = topic;
    this.main = main;
    this.rule = rule;
    this.node = node;
    for (const from of stretches) this.begin(from);
  }

  /** Whether what is live goes before the backlog: then each is read by a place of its own. */
  get any(): boolean {
    return this.rule.order === 'any';
  }

  /** Whether a newer one of the same item has gone before it. */
  isOvertaken({ id, seq }: Pick<LogRecord, 'id' | 'seq'>): boolean {
    return id !== undefined && (this.overtaken.get(id) ?? 0) > seq;
  }

  /** What comes from there on goes in an order of its own. */
  begin(from: number): void {
    if (from > this.newest.from) this.stretches.push(new Stretch(from));
  }

  get newest(): Stretch {
    return this.stretches.at(-1)!;
  }

  stretchOf(seq: number): Stretch {
    return this.stretches.findLast(({ from }) => from <= seq) ?? this.stretches[0]!;
  }

  /** Whether it may be at home from before, and nothing is known of it yet. */
  isProbed({ seq, redelivered, looked }: Entry): boolean {
    const { probed, sent } = this.stretchOf(seq);
    return redelivered && seq > probed && seq <= sent && !(looked && sent < Infinity);
  }

  /** It may have been sent one by one. */
  sentAlone(seq: number): void {
    const stretch = this.stretchOf(seq);
    stretch.sentAlone = Math.max(stretch.sentAlone, seq);
  }

  /** What goes next has others behind it that came before. */
  get live(): boolean {
    const { hole } = this.cursor;
    return hole !== undefined && (this.queue[0]?.seq ?? 0) > hole.to;
  }

  /** Reads this topic alone, since it was held. */
  get own(): Cursor | undefined {
    return this.main.held.get(this.topic);
  }

  get cursor(): Cursor {
    return this.own ?? this.main;
  }

  /** Something of it is under way. */
  get busy(): boolean {
    return this.queue.length > 0 || this.flight.size > 0 || this.unknown.length > 0
      || this.returned.length > 0 || this.standing.length > 0 || this.aside > 0 || this.failure !== undefined || this.phase === 'checking' || this.planning;
  }

  /** There is nothing to be known about it. */
  get idle(): boolean {
    return !this.busy && this.takenAt === undefined && this.left.length === 0 && !this.own && !this.moving;
  }

  /** The node must be looked at before anything is sent; never twice at the same time. */
  lookAgain(): void {
    if (this.phase === 'checking') this.outdated = true;
    else this.phase = 'new';
  }

  /** All of it has been read, and went: when it comes to that again, it is told of again. */
  endShort(): void {
    if (!this.short) return;
    if (this.queue.length === 0 && this.left.length === 0 && this.standing.length === 0 && this.cursor.atTail && !this.cursor.hole) this.short = this.measured = undefined;
  }

  /** Puts entries back where they belong in the order: what is behind what was left for later first, the rest by seq. */
  requeue(entries: readonly Entry[]): void {
    this.unformed = true;
    const to = this.cursor.hole?.to ?? Infinity;
    const late = ({ seq }: Entry): number => Number(seq <= to && to < Infinity);
    this.queue = [...entries, ...this.queue].toSorted((a, b) => late(a) - late(b) || a.seq - b.seq);
  }

  enqueue(entry: Entry): void {
    const last = this.queue.at(-1);
    this.unformed = true;
    this.whole = false;
    if (!last || (last.seq < entry.seq && this.cursor.hole === undefined)) this.queue.push(entry);
    else this.requeue([entry]);
  }
}
