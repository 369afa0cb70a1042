// Nodes of a home → topics here. Which nodes there are is asked for when a session begins and now and then; each is
// subscribed to, caught up with and followed. What is missed is fetched: nothing here is a copy of what waits.
import type { Trouble } from '../../api.ts';
import type { Clock, Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { hasWildcard } from '../../log/filter.ts';
import type { Log } from '../../log/log.ts';
import type { Broker } from '../../pubsub/broker.ts';
import { Seldom } from '../../seldom.ts';
import { attr, type Element } from '../../xmpp/element.ts';
import { full } from '../../xmpp/jid.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { reasonOf } from '../reason.ts';
import type { HomeSession } from '../session.ts';
import { Beginnings } from './beginning.ts';
import { readEvent } from './event.ts';
import { FollowedNode } from './followed-node.ts';
import { Keeper, type Target } from './keeper.ts';
import { OwnRetractions } from './own-retractions.ts';
import { nodesOf, nodesRequest, subscribedNodes, subscriptionsRequest, unsubscribeRequest } from './request.ts';
import { type CheckedDownRule, isOwnTopic, ruleFor, topicOf } from './rule.ts';

export interface DownlinkLimits {
  /** Between two looks for nodes that are new, and for those that could not be had; ms. */
  readonly rescan: number;
  /** After something could not be kept or fetched; doubles up to `rescan`; ms. */
  readonly again: number;
  /** Bytes of one stanza from the server: the session ends with one that is larger. */
  readonly incoming: number;
}

export interface DownlinkParts {
  /** Own account, bare. */
  readonly jid: string;
  readonly rules: readonly CheckedDownRule[];
  readonly broker: Broker;
  readonly log: Log;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly limits: DownlinkLimits;
}

export interface DownStatus {
  /** Nodes that are followed. */
  readonly nodes: number;
  /** Nodes that are still to be caught up with, or cannot be had. */
  readonly waiting: number;
}

const AT_ONCE = 8;
const MAX_NODES = 10_000;
/** Marks, in the registry, that the nodes of a service have been looked through once. */
const LOOKED = '#';

export class Downlink {
  readonly ownRetractions: OwnRetractions = new OwnRetractions();
  readonly #parts: DownlinkParts;
  readonly #seldom: Seldom;
  readonly #keeper: Keeper;
  readonly #beginnings: Beginnings;
  readonly #nodes = new Map<string, FollowedNode>();
  /** Waits for its turn. */
  #queue = new Set<FollowedNode>();
  #working = 0;
  /** To be tried again soon. */
  readonly #again = new Set<FollowedNode>();
  #tries = 0;
  #againTimer: Timer | undefined;
  #scanTimer: Timer | undefined;
  #session: HomeSession | undefined;
  #closed = false;
  /** Services whose list of nodes is being asked for, and those whose list is too long for an answer. */
  readonly #asking = new Set<string>();
  readonly #tooLong = new Set<string>();
  readonly #work = new Set<Promise<void>>();

  constructor(parts: DownlinkParts) {
    this.#parts = parts;
    const { broker, log, clock, trouble, jid } = parts;
    this.#seldom = new Seldom(clock, trouble);
    this.#beginnings = new Beginnings(log.registry, jid);
    this.#keeper = new Keeper({ broker, log, clock, seldom: this.#seldom, jid });
    for (const { service, node } of this.#beginnings.all()) if (node !== LOOKED) this.#follow(service, node);
    for (const { service, node } of parts.rules) if (!hasWildcard(node)) this.#follow(service, node);
  }

  status(): DownStatus {
    const nodes = [...this.#nodes.values()].filter(({ state }) => state === 'following').length;
    return { nodes, waiting: this.#nodes.size - nodes };
  }

  /** The session can carry requests; `fresh`: it is not the one that was there before, and what was sent meanwhile is gone. */
  online(session: HomeSession, fresh: boolean): void {
    this.#session = session;
    if (!fresh) return;
    this.#working = 0;
    this.#asking.clear();
    this.#again.clear();
    this.#tries = 0;
    this.ownRetractions.clear();
    for (const node of this.#nodes.values()) node.reset();
    this.#queue = new Set(this.#nodes.values());
    this.#rescanLater();
    this.#begin(this.#leave(session));
    this.#begin(this.#look(session));
    this.#pump();
  }

  /** The stream died of something we asked for. */
  choked(): void {
    for (const service of this.#asking) {
      this.#tooLong.add(service);
      this.#seldom.tell({ kind: 'home.nodes', message: `${this.#parts.jid}: the list of nodes at ${service} is larger than an answer may be; only nodes that rules name come down` });
    }
    for (const node of this.#nodes.values()) node.choked();
  }

  /** Undefined when it is no notification of what is followed. */
  receive(message: Element): Promise<undefined> | undefined {
    const told = readEvent(message);
    if (!told) return undefined;
    // RFC 6120 §8.1.2.1: without an address it is from the own account.
    const from = full(attr(message, 'from') ?? this.#parts.jid) ?? '';
    const done = told.flatMap(({ node, changes }) => this.#nodes.get(keyOf(from, node))?.receive(changes) ?? []);
    return done.length === 0 ? undefined : Promise.all(done).then(() => undefined);
  }

  /** A retraction of ours goes to a node: it comes back if that is followed, and the service does not refuse it (`told`). */
  retracting(service: string, node: string, id: string, told: boolean): void {
    const from = full(service) ?? service;
    if (!told) return void this.ownRetractions.take(from, node, id);
    // While a node waits it may not be subscribed to: somebody else's would be taken for ours some day.
    if ((this.#nodes.get(keyOf(from, node))?.state ?? 'waiting') !== 'waiting') this.ownRetractions.expect(from, node, id);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#againTimer?.stop();
    this.#scanTimer?.stop();
    await Promise.all(this.#work);
  }

  #begin(work: Promise<void>): void {
    const done = work.catch((error: unknown) => {
      this.#seldom.tell({ kind: 'home.down', message: `${this.#parts.jid}: ${reasonOf(error)}` });
    }).finally(() => this.#work.delete(done));
    this.#work.add(done);
  }

  #still(session: HomeSession): boolean {
    return !this.#closed && this.#session === session;
  }

  #rescanLater(): void {
    this.#scanTimer?.stop();
    this.#scanTimer = this.#parts.clock.after(this.#parts.limits.rescan, () => {
      this.#rescanLater();
      const session = this.#session;
      if (!session?.attached) return;
      for (const node of this.#nodes.values()) if (node.state === 'waiting') this.#queue.add(node);
      this.#begin(this.#look(session));
      this.#begin(this.#verify(session));
      this.#pump();
    });
  }

  /** Nodes that no rule names any more, as far as the service still has them for us. */
  async #leave(session: HomeSession): Promise<void> {
    for (const { service, node } of this.#beginnings.all()) {
      if (node === LOOKED || ruleFor(this.#parts.rules, service, node)) continue;
      try {
        await session.iq.request(unsubscribeRequest(service, node, session.jid));
      } catch (error) {
        if (!(error instanceof StanzaError)) return; // the next session asks again
      }
      if (!this.#still(session)) return;
      await this.#beginnings.ended(service, node);
    }
  }

  /** A node may be deleted and made anew, and its subscriptions with it, without a word: as ejabberd does it, unless it is told to say so. */
  async #verify(session: HomeSession): Promise<void> {
    const following = [...this.#nodes.values()].filter(({ state }) => state === 'following');
    for (const service of new Set(following.map(({ target }) => target.service))) {
      try {
        const subscribed = subscribedNodes(await session.iq.request(subscriptionsRequest(service)), session.jid);
        if (!this.#still(session)) return;
        for (const node of following) {
          if (node.target.service !== service || node.state !== 'following' || subscribed.has(node.target.node)) continue;
          node.reset();
          this.#queue.add(node);
        }
      } catch (error) {
        // A service that does not say; an account of others, perhaps.
        if (!(error instanceof StanzaError) && !(error instanceof LanpostError)) throw error;
        if (isLoss(error)) return;
      }
    }
    this.#pump();
  }

  async #look(session: HomeSession): Promise<void> {
    const { rules, jid } = this.#parts;
    const services = new Set(rules.filter(({ node }) => hasWildcard(node)).map(({ service }) => service));
    for (const service of services) {
      if (this.#asking.has(service) || this.#tooLong.has(service)) continue;
      this.#asking.add(service);
      try {
        const nodes = nodesOf(await session.iq.request(nodesRequest(service)));
        if (!this.#still(session)) return;
        const first = this.#beginnings.of(service, LOOKED) === undefined;
        for (const node of nodes) if (ruleFor(rules, service, node)) this.#found(service, node, first);
        if (first) await this.#beginnings.began(service, LOOKED);
      } catch (error) {
        if (!this.#still(session) || isLoss(error)) return;
        this.#seldom.tell({ kind: 'home.nodes', message: `${jid}: ${service} does not say which nodes it has: ${reasonOf(error)}` });
      } finally {
        this.#asking.delete(service);
      }
    }
    this.#pump();
  }

  #found(service: string, node: string, first: boolean): void {
    if (this.#nodes.has(keyOf(service, node))) return;
    const followed = this.#follow(service, node, first);
    if (followed) this.#queue.add(followed);
  }

  /** `first`: it may have been there before the rule was. */
  #follow(service: string, node: string, first = true): FollowedNode | undefined {
    const { rules, jid, log, limits } = this.#parts;
    const rule = ruleFor(rules, service, node);
    const key = keyOf(service, node);
    if (!rule || this.#nodes.has(key)) return undefined;
    const topic = topicOf(rule, node);
    const refused = this.#nodes.size >= MAX_NODES ? `a home follows at most ${MAX_NODES} nodes` : isOwnTopic(topic) ? undefined : `${JSON.stringify(topic.slice(0, 80))} is no topic`;
    if (refused !== undefined) {
      this.#seldom.tell({ kind: 'home.unfit', message: `${jid}: ${node} at ${service} does not come down: ${refused}` });
      return undefined;
    }
    const followed = new FollowedNode({
      target: { service, node, topic, isShared: () => [...this.#nodes.values()].some(({ target }) => target.topic === topic && target.service === service && target.node !== node) }, log, keeper: this.#keeper, beginnings: this.#beginnings, ownRetractions: this.ownRetractions,
      onlyNew: rule.from === 'new' && first,
      bytes: Math.floor(limits.incoming / 2),
      behind: (behind) => this.#later(behind),
      gone: (gone) => this.#gone(gone),
      short: (target, count) => this.#short(target, count),
    });
    this.#nodes.set(key, followed);
    return followed;
  }

  #short({ node, service }: Target, count: number): void {
    this.#parts.trouble({ kind: 'home.behind', message: `${this.#parts.jid}: ${node} at ${service} has more than an answer may hold; its newest ${count} items were taken, older ones that never came may be missing here` });
  }

  /** What it held is nobody's now; one of that name that is made anew begins anew. */
  #gone(node: FollowedNode): void {
    const { service, node: name } = node.target;
    this.#begin(this.#beginnings.ended(service, name));
    if (!this.#parts.rules.some((rule) => rule.service === service && rule.node === name)) this.#nodes.delete(keyOf(service, name));
  }

  #pump(): void {
    const session = this.#session;
    if (this.#closed || !session) return;
    for (const node of this.#queue) {
      if (this.#working >= AT_ONCE) return;
      this.#queue.delete(node);
      if (node.state !== 'waiting') continue;
      this.#working++;
      this.#begin(this.#takeUp(node, session));
    }
  }

  async #takeUp(node: FollowedNode, session: HomeSession): Promise<void> {
    let again = false;
    try {
      again = await node.begin(session) === 'later';
      if (!again) this.#tries = 0;
    } catch (error) {
      if (!this.#still(session) || isLoss(error)) return;
      node.reset();
      again = !(error instanceof StanzaError) || error.type === 'wait';
      this.#failed(node, error);
    } finally {
      if (this.#session === session) {
        this.#working--;
        if (again) this.#later(node);
        this.#pump();
      }
    }
  }

  #failed({ target: { service, node } }: FollowedNode, error: unknown): void {
    // A rule may name a node that is made some day.
    if (error instanceof StanzaError && error.condition === 'item-not-found') return;
    this.#seldom.tell({ kind: 'home.down', message: `${this.#parts.jid}: ${node} at ${service} does not come down: ${reasonOf(error)}` });
  }

  #later(node: FollowedNode): void {
    const { clock, limits } = this.#parts;
    this.#again.add(node);
    if (this.#againTimer || this.#closed) return;
    this.#againTimer = clock.after(Math.min(limits.rescan, limits.again * 2 ** this.#tries++), () => {
      this.#againTimer = undefined;
      for (const waiting of this.#again) this.#queue.add(waiting);
      this.#again.clear();
      if (this.#session?.attached) this.#pump();
      else for (const waiting of this.#queue) this.#again.add(waiting);
    });
  }
}

function keyOf(service: string, node: string): string {
  return `${service}\0${node}`;
}

/** The session has ended: the next begins anew. */
function isLoss(error: unknown): boolean {
  return error instanceof LanpostError && (error.code === 'disconnected' || error.code === 'closed');
}
