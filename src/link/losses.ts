import type { Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { hasWildcard } from '../log/filter.ts';
import type { GapInfo } from '../log/record.ts';
import type { Broker } from '../pubsub/broker.ts';
import type { Notice } from '../pubsub/notice.ts';

/** All topics there are may have to be looked through for the place of a gap. */
const LOOK_EVERY = 1_000;
/** Topics that the owner is told by name. */
const NAMED = 3;

interface Place { readonly topic: string | undefined; readonly at: number }

export interface LossesParts {
  readonly broker: Pick<Broker, 'hasRoomFor' | 'topic'> & { readonly find: Pick<Broker['find'], 'any'> };
  readonly clock: Pick<Clock, 'mono'>;
  /** Peers tell gaps at will: not each need be told to the owner. */
  readonly trouble: (trouble: Trouble) => void;
  readonly keep: (topic: string, notice: Notice) => Promise<void>;
}

/** What a peer's log lost, told here: to the owner, and to who reads the mirror, in place. */
export class Losses {
  readonly #parts: LossesParts;
  /** By what was asked for: the topic in which gaps of all of it are told. */
  readonly #places = new WeakMap<object, Place>();

  constructor(parts: LossesParts) {
    this.#parts = parts;
  }

  tell(where: string, { gap }: Notice): void {
    this.#parts.trouble({ kind: 'link.gap', message: `${where}: the peer lost ${gap?.count ?? 'some'} records (${gap?.reason ?? 'unknown'})${ofTopics(gap)}` });
  }

  /** A gap in all of the peer's topics: told once to who reads what was `wanted`, in a topic that it reads. */
  async everywhere(wanted: { readonly filter: string }, mirrored: string, notices: readonly Notice[]): Promise<void> {
    const topic = hasWildcard(mirrored) ? this.#place(wanted, mirrored) : mirrored;
    if (topic !== undefined && this.#parts.broker.hasRoomFor(topic)) {
      await Promise.all(notices.map((notice) => this.#parts.keep(topic, notice)));
      return;
    }
    // Nothing of it has come here yet, so there is no place where it is missing.
    for (const notice of notices) this.tell(wanted.filter, notice);
  }

  /** Something of what was wanted has come here. */
  arrived(wanted: object, topic: string): void {
    const known = this.#places.get(wanted);
    if (known && !this.#isThere(known.topic)) this.#places.set(wanted, { ...known, topic });
  }

  #place(wanted: object, mirrored: string): string | undefined {
    const { broker, clock } = this.#parts;
    const known = this.#places.get(wanted);
    if (this.#isThere(known?.topic)) return known?.topic;
    const now = clock.mono();
    if (known && now - known.at < LOOK_EVERY) return undefined;
    const topic = broker.find.any(mirrored);
    this.#places.set(wanted, { topic, at: now });
    return topic;
  }

  #isThere(topic: string | undefined): boolean {
    return topic !== undefined && this.#parts.broker.topic(topic) !== undefined;
  }
}

/** By their names, as far as the peer says and a line has room for. */
function ofTopics({ topics = [], others }: Pick<GapInfo, 'topics' | 'others'> = {}): string {
  const some = topics.slice(0, NAMED).map(({ topic }) => topic);
  return some.length === 0 ? '' : ` of ${some.join(', ')}${others || some.length < topics.length ? ' and others' : ''}`;
}
