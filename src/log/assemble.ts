import { LanpostError } from '../errors.ts';
import { appended, type Appended, notFound, samePayload } from './appended.ts';
import { encodeBody } from './body.ts';
import { dueAt, topicNumber } from './expiry.ts';
import { encodeIndex, type IndexRow, isItem } from './index-row.ts';
import { noRoom } from './room.ts';
import { expiryKey, garbageKey, idKey, indexKey, originKey, putSeq, putU32 } from './keys.ts';
import { type Mark, originName, originOp, take } from './origins.ts';
import { keyName, namesOf, replaces } from './item-names.ts';
import { acceptedOf, isOlder } from './precedence.ts';
import { type Prior, priorKey } from './prior.ts';
import { type Draft, HEADER_BYTES, type Origin, type Stamp, type TopicSettings, recordCrc } from './record.ts';
import { formatRecordId } from './record-id.ts';
import type { RingEntry } from './ring.ts';
import type { Content, RowWriter } from './row-writer.ts';
import type { LogState } from './state.ts';
import type { Topic, TopicChange } from './topics.ts';
import type { Transaction } from './transaction.ts';

/** One append waiting for the disk. */
export interface Pending {
  readonly draft: Draft;
  readonly content: Content;
  /** That its body takes at most. */
  readonly bytes: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

function u64(seq: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(8);
  putSeq(bytes, 0, seq);
  return bytes;
}

const NONE: readonly Prior[] = [];
const NO_NAMES: readonly string[] = [];

/** What of its names the index row says: with a key only that and the id that was chosen. */
function nameFields({ id, key }: Draft, names: readonly string[]): { readonly id?: string; readonly key?: string } {
  if (names.length === 2 && id !== undefined && key !== undefined) return { id, key };
  const [name = ''] = names;
  return key !== undefined && name === keyName(key) ? { key } : { id: name };
}

/** Turns the drafts of one batch into rows. What they do to topics and marks goes into the transaction. */
export class Assembly {
  readonly entries: RingEntry[] = [];
  /** Positions of items whose place a newer one takes in the lane `latest`. */
  readonly replaced: number[] = [];
  /** The topics of these records, each with its first seq among them. */
  readonly topics: Map<Topic, number> = new Map();
  /** What each draft resolves to, in order; an error rejects it alone. */
  readonly results: (Appended | LanpostError)[] = [];
  bytes = 0;
  /** Something is on its way that whoever waits for the batch was promised, besides records. */
  prolonged = false;
  readonly #state: LogState;
  readonly #tx: Transaction;
  readonly #rows: RowWriter;
  readonly #priors: Map<string, Prior>;
  readonly #marks = new Map<string, Mark>();
  readonly #idPrefix: string;
  readonly #stamp: Stamp;
  #last: { readonly topic: Topic; readonly change: TopicChange } | undefined;
  #crcs: Uint8Array;
  #seq: number;

  constructor(state: LogState, tx: Transaction, rows: RowWriter, priors: Map<string, Prior>, drafts: number) {
    this.#state = state;
    this.#tx = tx;
    this.#rows = rows;
    this.#priors = priors;
    this.#seq = state.head;
    this.#crcs = Buffer.allocUnsafe(drafts * 4);
    const { name, box } = state.epochs.at(Infinity);
    this.#idPrefix = `${box}-${name}-`;
    this.#stamp = { wall: state.clock.wall(), mono: state.clock.mono(), boot: name, trusted: state.clock.isSet() };
  }

  /** The CRCs of the records, in order. */
  get crcs(): Uint8Array {
    return this.#crcs.subarray(0, this.entries.length * 4);
  }

  /** `view`: what is in view of the topic of one that takes all of it away, and came late. */
  add({ draft, content }: Pick<Pending, 'draft' | 'content'>, view?: readonly Prior[]): void {
    const mark = this.#takeOrigin(draft);
    if (mark === 'repeated' || mark === 'early') return;
    const { topics } = this.#state;
    if (draft.kind === 'retract' && !draft.origin && !topics.byName.has(draft.topic)) {
      this.results.push(notFound(draft));
      return;
    }
    // Most often the same as of the one before.
    if (this.#last?.topic.name !== draft.topic) {
      const named = topics.byName.get(draft.topic) ?? topics.allocate(draft.topic);
      this.#last = { topic: named, change: this.#tx.topic(named) };
    }
    const { topic, change } = this.#last;
    if (draft.origin === undefined && change.settings['storage'] === 'memory' && draft.kind !== 'configure' && draft.kind !== 'delete') {
      this.#remember(topic, draft);
      return;
    }
    const names = replaces(draft, change.settings.lane);
    const priors = names.length === 0 ? NONE : this.#priorsOf(topic, names);
    if (draft.origin === undefined) {
      const [first] = priors;
      const inView = first !== undefined && first.seq >= change.viewFrom;
      const named = draft.id !== undefined && this.#priors.get(priorKey(topic, draft.id))?.seq === first?.seq;
      if (inView && draft.kind === 'publish' && named && samePayload(first.payload, draft.payload)) {
        this.#prolong(topic, first, draft.expires);
        this.results.push(appended(first.seq, this.#recordId(first.seq), true, draft));
        return;
      }
      if (draft.kind === 'retract' && (!inView || (draft.meant ?? first.seq) !== first.seq)) {
        this.results.push(notFound(draft));
        return;
      }
      const refusal = draft.kind === 'publish' && change.settings.full === 'reject' ? this.#noRoom(change, priors, draft, content) : undefined;
      if (refusal) {
        this.results.push(refusal);
        return;
      }
    }
    if (mark && draft.origin) {
      const name = originName(draft.origin, draft.topic);
      this.#marks.set(name, mark);
      this.#tx.apply([originOp(name, mark)]);
    }
    const { replaced, late } = mark ? this.#placed(draft, mark, view ?? priors) : { replaced: priors, late: false };
    // Of what the lane `latest` keeps for nobody it is on disk only that it was here.
    const kept = !late || change.settings.lane !== 'latest';
    if (kept) this.#number(topic);
    else {
      this.#tx.touch(topic);
      this.prolonged = true;
    }
    for (const prior of replaced) this.#replace(topic, change, prior, draft.kind === 'publish' ? 'superseded' : 'retracted', late ? NO_NAMES : names);
    if (kept) this.#write(topic, change, this.#seq, draft, content, names, late);
    else if (draft.origin) this.results.push(appended(0, formatRecordId(draft.origin), true, draft));
  }

  /** What it takes the place of. It may come behind what its box accepted after it, by another road: that stays, and this has been replaced already. */
  #placed(draft: Draft, mark: Mark, priors: readonly Prior[]): { readonly replaced: readonly Prior[]; readonly late: boolean } {
    const accepted = acceptedOf(draft, draft.stamp, true);
    if (!accepted) return { replaced: priors, late: false };
    if (draft.kind === 'purge' || draft.kind === 'delete') {
      const late = accepted.origin.seq < mark.high;
      return { replaced: late ? priors.filter(({ seq, accepted: of }) => !this.#tx.gone.has(seq) && !isOlder(accepted, of)) : NONE, late };
    }
    const replaced = priors.filter((prior) => !isOlder(accepted, prior.accepted));
    return { replaced, late: replaced.length < priors.length };
  }

  #number(topic: Topic): void {
    const seq = ++this.#seq;
    if (this.topics.has(topic)) return;
    this.topics.set(topic, seq);
    this.#tx.touch(topic);
  }

  /** After the last draft: what memory takes over once the batch is on disk. */
  seal(): void {
    const { origins } = this.#state;
    if (this.#marks.size === 0) return;
    const outdated = origins.outdated(this.#marks.keys());
    for (const name of outdated) this.#tx.del(originKey(name));
    this.#tx.onCommit(() => {
      for (const [name, mark] of this.#marks) origins.set(name, mark);
      for (const name of outdated) origins.delete(name);
    });
  }

  /** It was asked for before it was known that its topic is in memory: it goes there with the batch that says so. */
  #remember(topic: Topic, draft: Draft): void {
    const at = this.results.push(appended(0, '', false, draft)) - 1;
    this.#tx.onCommit(() => {
      const { memory } = this.#state;
      this.results[at] = memory.append(memory.open(topic), draft, this.#seq);
    });
  }

  #takeOrigin(draft: Draft): Mark | 'repeated' | 'early' | undefined {
    const { origin, after } = draft;
    if (!origin) return undefined;
    const mark = take(this.#markOf(origin, draft.topic), origin.seq, origin.previous);
    if (mark && after && (this.#markOf({ ...origin, ...after }, draft.topic)?.high ?? 0) < after.seq) {
      this.results.push(new LanpostError('busy', `what comes before it, number ${after.seq}, has not been taken`));
      return 'early';
    }
    if (mark) return mark;
    this.results.push(appended(0, formatRecordId(origin), true, draft));
    return 'repeated';
  }

  #markOf(origin: Origin, topic: string): Mark | undefined {
    const name = originName(origin, topic);
    return this.#marks.get(name) ?? this.#state.origins.get(name);
  }

  /** The live items with these names, each once. */
  #priorsOf(topic: Topic, names: readonly string[]): readonly Prior[] {
    const found: Prior[] = [];
    for (const name of names) {
      const prior = this.#priors.get(priorKey(topic, name));
      if (!prior || !prior.index.item || prior.index.state !== 'live' || this.#tx.gone.has(prior.seq)) continue;
      if (found[0]?.seq !== prior.seq) found.push(prior);
    }
    return found;
  }

  #noRoom(change: TopicChange, priors: readonly Prior[], draft: Draft, content: Content): LanpostError | undefined {
    const inView = priors.filter(({ seq }) => seq >= change.viewFrom);
    const bytes = inView.reduce((sum, { index }) => sum + index.size, 0);
    return noRoom(this.#state, change, draft.topic, { count: inView.length, bytes }, () => HEADER_BYTES + (content instanceof Uint8Array ? content : encodeBody(draft)).length);
  }

  #recordId(seq: number): string {
    return seq > this.#state.head ? `${this.#idPrefix}${seq}` : this.#state.epochs.recordId(seq);
  }

  /** An item leaves the view because of a newer record. */
  #replace(topic: Topic, change: TopicChange, { seq, index }: Prior, state: 'retracted' | 'superseded', names: readonly string[]): void {
    this.#tx.gone.add(seq);
    if (change.settings.lane === 'latest') this.replaced.push(seq);
    this.#tx.put(indexKey(topic.no, seq), encodeIndex({ ...index, state }));
    if (index.expires !== undefined) this.#tx.del(expiryKey(index.expires, seq));
    // What the newer one is called as well, its own rows say.
    for (const name of namesOf(index)) if (state === 'retracted' || !names.includes(name)) this.#tx.del(idKey(topic.no, name));
    if (seq < change.viewFrom) return;
    change.count--;
    change.viewBytes -= index.size;
    this.#garbage(topic, seq);
  }

  /** Who says the same again may say that it is good for longer; no reader has to be told. Undefined: for ever. */
  #prolong(topic: Topic, { seq, index: { expires: before, ...index }, payload, accepted }: Prior, until: number | undefined): void {
    if (before === undefined || (until ?? Infinity) <= before) return;
    const after = { ...index, ...this.#over(topic, seq, until) };
    this.#tx.del(expiryKey(before, seq));
    this.#tx.put(indexKey(topic.no, seq), encodeIndex(after));
    for (const name of namesOf(after)) this.#priors.set(priorKey(topic, name), { seq, index: after, payload, accepted });
    this.prolonged = true;
  }

  /** When it is over, as its index row says it. */
  #over(topic: Topic, seq: number, until: number | undefined): Pick<IndexRow, 'expires'> {
    if (until === undefined) return {};
    const expires = dueAt(until);
    this.#tx.put(expiryKey(expires, seq), topicNumber(topic.no));
    return { expires };
  }

  #garbage(topic: Topic, seq: number): void {
    this.#tx.put(garbageKey(seq), topicNumber(topic.no));
  }

  #write(topic: Topic, change: TopicChange, seq: number, draft: Draft, content: Content, names: readonly string[], late: boolean): void {
    const { kind } = draft;
    const item = isItem(kind);
    const tx = this.#tx;
    // How much time has passed here since, only this clock can tell.
    const stamp = draft.stamp ? { ...this.#stamp, ...draft.stamp, elsewhere: true } : this.#stamp;
    const row = this.#rows.record(tx, seq, kind, topic.no, change.last, stamp, content);
    const size = row.length;
    const ordinal = change.ordinal + 1;
    if (late && item) tx.put(indexKey(topic.no, seq), encodeIndex({ state: 'superseded', item, size, ordinal, ...nameFields(draft, names) }));
    else if (item && (names.length > 0 || draft.expires !== undefined)) {
      const index = { state: 'live' as const, item, size, ordinal, ...this.#over(topic, seq, draft.expires), ...(names.length > 0 && nameFields(draft, names)) };
      tx.put(indexKey(topic.no, seq), encodeIndex(index));
      for (const name of names) {
        tx.put(idKey(topic.no, name), u64(seq));
        this.#priors.set(priorKey(topic, name), { seq, index, payload: draft.payload, accepted: acceptedOf(draft, draft.stamp, true) });
      }
    } else this.#rows.index(tx, topic.no, seq, item, size, ordinal);
    // What the ledger is told comes on top.
    if (this.#crcs.length === this.entries.length * 4) this.#crcs = Buffer.concat([this.#crcs, Buffer.allocUnsafe(this.#crcs.length + 64)]);
    putU32(this.#crcs, this.entries.length * 4, recordCrc(row));
    this.bytes += size;
    const { origin } = draft;
    const recordId = origin ? formatRecordId(origin) : `${this.#idPrefix}${seq}`;
    this.results.push(appended(seq, recordId, false, draft));
    this.entries.push({
      seq, topic, draft, previous: change.last, recordId, bytes: size, ordinal,
      stamp, record: undefined, stale: false,
    });
    change.last = seq;
    change.ordinal++;
    change.bytes += size;
    if (change.first === 0) change.first = seq;
    if (late) this.#garbage(topic, seq);
    else this.#touch(topic, change, seq, draft, size);
  }

  /** What the record does to its topic. */
  #touch(topic: Topic, change: TopicChange, seq: number, { kind, config }: Draft, size: number): void {
    if (kind === 'publish') {
      change.count++;
      change.viewBytes += size;
    }
    if (kind === 'purge' || kind === 'delete') {
      change.count = 0;
      change.viewBytes = 0;
      // Of a deleted topic nothing is left once its deletion has been swept as well.
      change.viewFrom = kind === 'delete' ? seq + 1 : seq;
    }
    if (kind !== 'publish') this.#garbage(topic, seq);
    if (kind === 'configure' && config) this.#configure(topic, change, seq, config);
    if (kind === 'delete') {
      change.settings = {};
      change.ended = seq;
    }
    change.deleted = kind === 'delete';
    // Of a mirror: what it is of is on disk now, or gone.
    if ((isItem(kind) || change.deleted) && this.#state.memory.get(topic.name) && change.settings['storage'] !== 'memory') this.#tx.onCommit(() => this.#state.memory.close(topic));
  }

  #configure(topic: Topic, change: TopicChange, seq: number, config: TopicSettings): void {
    const { memory } = this.#state;
    if (config['storage'] === 'memory') {
      if (change.settings['storage'] !== 'memory') {
        change.count = 0;
        change.viewBytes = 0;
        change.viewFrom = seq;
      }
      this.#tx.onCommit(() => memory.settle(topic));
    } else if (change.settings['storage'] === 'memory') this.#tx.onCommit(() => memory.close(topic));
    change.settings = config;
  }
}
