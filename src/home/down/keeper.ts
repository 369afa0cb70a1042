// What comes down, into the log: with the mark by which a repeat is seen, and whence it came, so that it never goes back.
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import type { Log } from '../../log/log.ts';
import type { Broker } from '../../pubsub/broker.ts';
import { OWNER } from '../../pubsub/actor.ts';
import { isItemId } from '../../pubsub/item-id.ts';
import type { Seldom } from '../../seldom.ts';
import { reasonOf } from '../reason.ts';
import { type HomeItem, isNamedByRecord, originIn } from './item.ts';
import { theirsOf } from './theirs.ts';

export interface KeeperParts {
  readonly broker: Pick<Broker, 'publish' | 'hasRoomFor' | 'isUnset' | 'delete'>;
  readonly log: Log;
  readonly clock: Clock;
  readonly seldom: Seldom;
  readonly jid: string;
}

/** Where the items of a node are kept. */
export interface Target {
  readonly service: string;
  readonly node: string;
  readonly topic: string;
  /** Another node of the service is that topic, too. */
  readonly isShared: () => boolean;
}

/** `later`: nothing of it can be kept now; what was missed has to be fetched. `refused`: never, and that was told. */
export type Outcome = 'kept' | 'later' | 'refused';

/** Items of one topic looked at when all of a node has gone. */
const LOOKED_AT = 10_000;
const DAY = 86_400_000;

export class Keeper {
  readonly #parts: KeeperParts;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** Whether the record was accepted here first: it has come back. */
  isOwn({ origin }: HomeItem): boolean {
    return origin?.box === this.#parts.log.boxId;
  }

  /** Its place in the topic is taken before this returns. */
  item(target: Target, item: HomeItem): Promise<Outcome> {
    const { broker, log } = this.#parts;
    const { service, node, topic } = target;
    if (this.isOwn(item)) return Promise.resolve('kept');
    if (!isItemId(item.id)) return this.#refused(target, 'an item whose id no item here can have');
    if (!broker.hasRoomFor(topic)) return this.#refused(target, 'this box holds as many topics as it may');
    const { publisher, payload } = item;
    const origin = originIn(item, target);
    // In the lane `latest` an item without an id of its own replaces the one before.
    const unnamed = isNamedByRecord(item) && log.topic(topic)?.settings.lane === 'latest';
    const stamp = this.#stampOf(item);
    return this.#outcome(target, broker.publish(OWNER, topic, payload, {
      home: service, node, ...(unnamed ? {} : { id: item.id }), ...(origin ? { origin } : {}),
      ...(publisher === undefined ? {} : { publisher }), ...(stamp ? { stamp } : {}),
    }));
  }

  /** Nobody could keep it. */
  unreadable(target: Target): Promise<Outcome> {
    return this.#refused(target, 'an item that names no record there can be, or has several payloads');
  }

  retract(target: Target, id: string): Promise<Outcome> {
    return this.#outcome(target, this.#parts.log.append({ topic: target.topic, kind: 'retract', id, extra: { home: target.service } }));
  }

  /** All of the node has gone: what has come from there goes here as well, and nothing else. */
  async clear(target: Target, kind: 'purge' | 'delete'): Promise<Outcome> {
    const { broker, log } = this.#parts;
    const { topic, service } = target;
    const state = log.topic(topic);
    if (state?.deleted !== false) return 'kept';
    const { last } = state;
    const { theirs, looked } = await theirsOf(log, target, LOOKED_AT);
    if (theirs.length === 0) return 'kept';
    // Of what lies further back, and of what has come meanwhile, it is not known whose it is.
    if (theirs.length === looked && looked < LOOKED_AT && log.topic(topic)?.last === last) {
      // What somebody here has set of the topic, or said of it, is not the home's to take away.
      if (kind === 'delete' && broker.isUnset(topic)) return this.#outcome(target, broker.delete(OWNER, topic, undefined, service));
      return this.#outcome(target, log.append({ topic, kind: 'purge', extra: { home: service } }));
    }
    const outcomes = await Promise.all(theirs.map(({ id, recordId }) => this.retract(target, id ?? recordId)));
    return outcomes.find((outcome) => outcome !== 'kept') ?? 'kept';
  }

  /** A clock that is wrong by a day and more is believed by nobody. */
  #stampOf({ stamp }: HomeItem): HomeItem['stamp'] {
    const { clock } = this.#parts;
    return stamp && clock.isSet() && stamp.wall > clock.wall() + DAY ? undefined : stamp;
  }

  async #outcome(target: Target, done: Promise<unknown>): Promise<Outcome> {
    try {
      await done;
      return 'kept';
    } catch (error) {
      if (!(error instanceof LanpostError)) throw error;
      switch (error.code) {
        case 'not-found': return 'kept'; // what is to go has gone
        case 'busy': case 'disk-full': case 'closed': return 'later';
        default: return this.#refused(target, reasonOf(error));
      }
    }
  }

  #refused({ service, node }: Target, reason: string): Promise<Outcome> {
    this.#parts.seldom.tell({ kind: 'home.unfit', message: `${this.#parts.jid}: something of ${node} at ${service} was not taken: ${reason}` });
    return Promise.resolve('refused');
  }
}
