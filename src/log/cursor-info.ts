import type { Asides } from './asides.ts';
import type { Backlog } from './backlog.ts';
import type { Durable, MaxBacklog } from './durable.ts';
import type { LostTopics } from './lost-topics.ts';
import type { ProgressRow } from './progress-row.ts';
import type { LogRecord } from './record.ts';

export interface CursorProgress extends ProgressRow {
  /** `until`: up to where the topic's records are the business of its own cursor, Infinity while it is held; that has done them all if not. */
  readonly held: readonly (ProgressRow & { readonly topic: string; readonly until: number })[];
}

/** A durable cursor as it is at that moment. Most are only looked at for their name: what takes a while is worked out for who asks. */
export class CursorInfo {
  readonly name: string;
  readonly filter: string;
  readonly extra: unknown;
  readonly maxBacklog: MaxBacklog | undefined;
  readonly position: number;
  readonly open: boolean;
  /** Records handed out and not confirmed. */
  readonly unconfirmed: number;
  readonly #durable: Durable;
  readonly #asides: Asides;
  readonly #backlog: Backlog;

  constructor(durable: Durable, asides: Asides, backlog: Backlog) {
    const { name, filter, extra, maxBacklog, position, holder } = durable;
    this.name = name;
    this.filter = filter;
    this.extra = extra;
    this.maxBacklog = maxBacklog;
    this.position = position;
    this.open = holder !== undefined;
    this.unconfirmed = holder?.unconfirmed ?? 0;
    this.#durable = durable;
    this.#asides = asides;
    this.#backlog = backlog;
  }

  /** Records it has put aside, those that are wanted once more left out. */
  get asides(): number {
    return this.#asides.count(this.name) - this.#asides.wanted(this.name).length;
  }

  /** Topics that it holds back, each with a place of its own. */
  get held(): readonly string[] {
    return [...this.#durable.held.values()].filter(({ until }) => until === Infinity).map(({ filter }) => filter);
  }

  /** Records that match and are not confirmed. */
  pending(): Promise<number> {
    return this.#backlog.pending(this.#durable);
  }

  /** Of which topics they are. */
  topics(): Promise<LostTopics> {
    return this.#backlog.topics(this.#durable);
  }

  /** Those of them that are not even confirmed for now. */
  left(): Promise<number> {
    return this.#backlog.left(this.#durable);
  }

  /** About how many bytes they have: each counts as the mean of its topic. */
  bytes(): Promise<number> {
    return this.#backlog.bytes(this.#durable);
  }

  /** The first of them. */
  oldest(): Promise<LogRecord | undefined> {
    return this.#backlog.oldest(this.#durable);
  }

  /** The first of them that is not even confirmed for now, where it is soon found. */
  oldestLeft(): Promise<LogRecord | undefined> {
    return this.#backlog.oldest(this.#durable, true);
  }

  /** What it has done, as far as the disk knows, and what each topic that it holds back has. */
  progress(): CursorProgress {
    const { row, held } = this.#durable;
    return { ...row, held: [...held.values()].map(({ filter: topic, until, row: of }) => ({ ...of, topic, until })) };
  }
}
