import type { ClassifyOptions, Right, TopicCandidate, TopicInfo, TopicQuery } from '../api.ts';
import { hasWildcard, matcher } from '../log/filter.ts';
import type { Log } from '../log/log.ts';
import type { Payload } from '../payload/payload.ts';
import { type Actor, addressOf } from './actor.ts';
import { classify } from './classify.ts';
import { inSlices } from './in-slices.ts';
import { InTurn } from './in-turn.ts';
import type { Schemas } from './schema/schemas.ts';
import { checkedLimit, searchOf, tagsOf } from './search.ts';
import { infoOf } from './topic-info.ts';
import { checkedFilter } from './topic-name.ts';
import { Witnesses } from './witnesses.ts';

export interface TopicSearchParts {
  readonly log: Pick<Log, 'topic' | 'topics'>;
  readonly mayRead: (actor: Actor, topicOrFilter: string) => boolean;
  /** See `BrokerParts`. */
  readonly touches: (fingerprint: string | undefined, right: Right, filter: string) => boolean;
  /** How that actor's payload is held against schemas. */
  readonly judge: (actor: Actor) => Pick<Schemas, 'load' | 'fault'>;
}

/** Which topics there are, for who asks. There may be a hundred thousand, and anybody may ask. */
export class TopicSearch {
  readonly #parts: TopicSearchParts;
  readonly #lookouts = new InTurn<readonly string[]>();
  readonly #witnesses = new Witnesses();

  constructor(parts: TopicSearchParts) {
    this.#parts = parts;
  }

  /** Names of what there is, in no order. */
  *names(filter: string): Iterable<string> {
    const fits = matcher(filter);
    for (const { deleted, name } of this.#parts.log.topics()) if (!deleted && fits(name)) yield name;
  }

  /** One of those that match, the same each time as long as it is there. */
  any(filter: string): string | undefined {
    for (const name of this.names(filter)) return name;
    return undefined;
  }

  /** Names of those that the asker may read, in no order. */
  readable(actor: Actor, filter: string, most: number = Infinity): Promise<readonly string[]> {
    checkedFilter(filter);
    const look = (): Promise<string[]> => this.#look(actor, filter, most);
    return actor.kind === 'owner' ? look() : this.#lookouts.ask(`${addressOf(actor) ?? ''} ${most} ${filter}`, look);
  }

  /** Those that the asker may read, by name; `$…` topics only when the filter names them. */
  async list(actor: Actor, filter = '#'): Promise<TopicInfo[]> {
    const found: TopicInfo[] = [];
    await this.#each(actor, filter, (topic) => void found.push(topic));
    return found;
  }

  /** Those that the asker may read and that have all that is asked for; by name, those first that are called so. */
  async search(actor: Actor, query: TopicQuery): Promise<TopicInfo[]> {
    const { filter, limit, fits, byName } = searchOf(query);
    const first: TopicInfo[] = [];
    const then: TopicInfo[] = [];
    await this.#each(actor, filter, (topic) => {
      if (fits(topic)) (byName(topic) ? first : then).push(topic);
      return first.length === limit ? 'enough' : undefined;
    });
    return [...first, ...then].slice(0, limit);
  }

  /** Which topics could hold it, of those that the asker may read. */
  async classify(actor: Actor, payload: Payload, options: ClassifyOptions = {}): Promise<TopicCandidate[]> {
    const { tags, filter, limit } = options;
    const [wanted, most] = [tagsOf(tags), checkedLimit(limit)];
    const candidates = await classify(await this.list(actor, filter), payload, wanted, this.#parts.judge(actor));
    return candidates.slice(0, most);
  }

  /** Whether there is anything of it that may be read: the rest is left out, record by record. */
  async some(actor: Actor, filter: string): Promise<boolean> {
    return this.#some(actor, filter) ?? this.#witnesses.found(actor, filter, (await this.readable(actor, filter, 1))[0]);
  }

  /** The same for a reader that is there: at once, by what was found when it came. */
  stillSome(actor: Actor, filter: string): boolean {
    const known = this.#some(actor, filter);
    if (known !== undefined) return known;
    for (const name of this.names(filter)) if (this.#parts.mayRead(actor, name)) return this.#witnesses.found(actor, filter, name);
    return this.#witnesses.found(actor, filter, undefined);
  }

  /** Undefined: all that matches has to be looked at. */
  #some(actor: Actor, filter: string): boolean | undefined {
    const { log, mayRead, touches } = this.#parts;
    if (mayRead(actor, filter)) return true;
    if (!hasWildcard(filter)) return false;
    if (actor.kind === 'peer' && touches(actor.fingerprint, 'read', filter)) return true;
    const one = this.#witnesses.of(actor, filter);
    return one !== undefined && log.topic(one)?.deleted === false && mayRead(actor, one) ? true : undefined;
  }

  async #look(actor: Actor, filter: string, most: number): Promise<string[]> {
    const { log, mayRead } = this.#parts;
    const found: string[] = [];
    const fits = matcher(filter);
    // Also what does not fit has to be looked at.
    await inSlices(log.topics(), ({ deleted, name }) => (!deleted && fits(name) && mayRead(actor, name) && found.push(name) >= most ? 'enough' : undefined));
    return found;
  }

  async #each(actor: Actor, filter: string, visit: (topic: TopicInfo) => 'enough' | undefined | void): Promise<void> {
    await inSlices((await this.readable(actor, filter)).toSorted(), (name) => {
      const state = this.#parts.log.topic(name);
      return state && !state.deleted ? visit(infoOf(state)) ?? undefined : undefined;
    });
  }
}
