// XEP-0060 1.30 (Publish-Subscribe): requests to the broker, translated. Engine: ../../pubsub.
import { LanpostError } from '../../errors.ts';
import type { Actor } from '../../pubsub/actor.ts';
import type { Broker } from '../../pubsub/broker.ts';
import type { PeerSubscriptions } from '../../pubsub/peer-subscriptions.ts';
import { personalNode } from '../../pubsub/personal.ts';
import { attr, children, type Element, namespaceOf } from '../../xml/element.ts';
import type { Dispatcher } from '../../xmpp/dispatch.ts';
import type { Extension } from '../../xmpp/extension.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { affiliations, type Names } from './affiliations.ts';
import { configure } from './configure.ts';
import { create } from './create.ts';
import { deletion } from './deletion.ts';
import { discoverable } from './discovery.ts';
import { pubsubError } from './errors.ts';
import type { Feeder } from './feeder.ts';
import { items } from './items.ts';
import { options } from './options.ts';
import { ownerSubscriptions } from './owner-subscriptions.ts';
import { publish } from './publish.ts';
import { retract } from './retract.ts';
import { subscribe } from './subscribe.ts';
import { type Answer, NS_PUBSUB, NS_PUBSUB_OWNER, type PubsubRequest, type UseCase } from './terms.ts';

export interface PubsubParts<C> {
  readonly broker: Broker;
  readonly feeder: Feeder;
  readonly subscriptions: PeerSubscriptions;
  readonly names: Names;
  /** Who a stream's peer is to the broker: what the stream proved, never what the stanza says. */
  readonly actorOf: (context: C) => Actor;
}

/** Answers requests in the pubsub and pubsub#owner namespaces: the use cases, put together. */
export class PubsubService<C> implements Extension<C> {
  readonly features: readonly string[];
  readonly #broker: Broker;
  readonly #actorOf: (context: C) => Actor;
  /** By kind (`set`, `owner get`), then verb. */
  readonly #answers = new Map<string, Map<string, Answer>>();

  constructor({ broker, feeder, subscriptions, names, actorOf }: PubsubParts<C>) {
    const useCases: readonly UseCase[] = [
      publish(broker), retract(broker), items({ broker, subscriptions }), subscribe({ broker, feeder, subscriptions }), options({ broker, subscriptions }),
      create(broker), configure(broker), deletion(broker), affiliations(broker, names), ownerSubscriptions({ broker, feeder, subscriptions, names }), discoverable,
    ];
    this.#broker = broker;
    this.#actorOf = actorOf;
    for (const [what, answer] of useCases.flatMap(({ answers }) => Object.entries(answers))) {
      const at = what.lastIndexOf(' ');
      const kind = what.slice(0, at);
      this.#answers.set(kind, (this.#answers.get(kind) ?? new Map<string, Answer>()).set(what.slice(at + 1), answer));
    }
    this.features = [NS_PUBSUB, ...useCases.flatMap(({ features, announces = [] }) => [...features.map((feature) => `${NS_PUBSUB}#${feature}`), ...announces])];
  }

  /** What it answers, as `set publish` and `owner get configure`. */
  get verbs(): readonly string[] { return [...this.#answers].flatMap(([kind, verbs]) => [...verbs.keys()].map((verb) => `${kind} ${verb}`)); }

  attach(dispatcher: Dispatcher<C>): void {
    for (const type of ['get', 'set'] as const) {
      dispatcher.iq(type, NS_PUBSUB, 'pubsub', ({ payload, context }) => this.#answer(type, payload, context));
      const ofOwners = `owner ${type}`;
      dispatcher.iq(type, NS_PUBSUB_OWNER, 'pubsub', ({ payload, context }) => this.#answer(ofOwners, payload, context));
    }
  }

  #answer(kind: string, pubsub: Element, context: C): Promise<Element | undefined> {
    const all = children(pubsub);
    const [verb] = all;
    const known = verb && namespaceOf(verb) === namespaceOf(pubsub) ? verb : undefined;
    const answer = known && this.#answers.get(kind)?.get(known.name);
    if (!known || !answer) return Promise.reject(this.#unanswered(known));
    // §6.1.1: one and only one; what became of each could not be told.
    if (all.length > 1 && all.some((one) => one !== known && one.name === known.name)) return Promise.reject(new StanzaError('bad-request', { text: `one <${known.name}/> a request` }));
    const node = attr(known, 'node');
    const topic = node === undefined ? undefined : this.#broker.meant(node);
    if (topic !== node) known.attrs['node'] = topic;
    const request = { verb: known, pubsub, actor: this.#actorOf(context) };
    const answered = started(answer, request);
    return (topic !== node || LISTS.has(known.name) ? answered.then(byOwnNames) : answered).catch(inTerms);
  }

  /** Of another type or namespace it would be answered; else there is no feature to name (§17.2). */
  #unanswered(verb: Element | undefined): StanzaError {
    const isElsewhere = verb !== undefined && [...this.#answers.values()].some((verbs) => verbs.has(verb.name));
    return new StanzaError(verb === undefined || isElsewhere ? 'bad-request' : 'feature-not-implemented');
  }
}

/** Of all nodes that there may be. */
const LISTS: ReadonlySet<string> = new Set(['subscriptions', 'affiliations']);

/** Nodes of the account itself go by the names that they have on a road (XEP-0163). */
function byOwnNames(answer: Element | undefined): Element | undefined {
  for (const child of answer ? children(answer) : []) {
    const node = personalNode(attr(child, 'node') ?? '');
    if (node !== undefined) child.attrs['node'] = node;
    if (LISTS.has(child.name)) byOwnNames(child);
  }
  return answer;
}

/** What it finds wrong at once is a rejection, too. */
function started(answer: Answer, request: PubsubRequest): ReturnType<Answer> {
  try {
    return answer(request);
  } catch (error) {
    return Promise.reject(error);
  }
}

function inTerms(error: unknown): never {
  throw error instanceof LanpostError ? pubsubError(error) : error;
}
