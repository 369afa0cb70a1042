import type { Affiliation, Right, TopicConfig, TrustLevel } from '../api.ts';
import { type Actor, addressOf, called } from './actor.ts';
import { type Operation, PRIVILEGES } from './affiliation.ts';
import { personalNode } from './personal.ts';
import { Refusal, type RefusalReason } from './refusal.ts';
import type { Rights } from './rights.ts';
import { DEFAULT_CONFIG } from './topic-config.ts';

export interface AccessParts {
  readonly rights: Rights;
  /** The trust room's answer; asked for peers only. `open`: what is to hold when nothing is said. */
  readonly may: (fingerprint: string | undefined, right: Right, topicOrFilter: string, open: boolean) => boolean;
  readonly level: (fingerprint: string | undefined) => TrustLevel;
  /** What is said of the topic; undefined: there is none. */
  readonly said: (topic: string) => Partial<TopicConfig> | undefined;
  /** Whether that key has a subscription to the topic. */
  readonly isSubscribed: (fingerprint: string, topic: string) => boolean;
  /** Whether an owner of the topic has let that key subscribe to it. */
  readonly isApproved: (fingerprint: string, topic: string) => boolean;
}

/** Which right of the trust room an operation comes under; a grant of it is enough for those that it names itself. */
const UNDER: Readonly<Record<Operation, { readonly right: Right; readonly granted: boolean; readonly verb: string }>> = {
  subscribe: { right: 'read', granted: true, verb: 'subscribe to' },
  retrieve: { right: 'read', granted: true, verb: 'read' },
  publish: { right: 'write', granted: true, verb: 'publish to' },
  retract: { right: 'write', granted: true, verb: 'retract from' },
  purge: { right: 'write', granted: false, verb: 'purge' },
  configure: { right: 'write', granted: false, verb: 'manage' },
  delete: { right: 'write', granted: false, verb: 'delete' },
};

/**
 * The one answer to who may do what with a topic: outcasts nothing, then what the trust room denies, then what it
 * grants, then the affiliation, then the topic's access and publish models. A topic that is not there is closed as one
 * with the default configuration is, so that nobody learns which names there are by being refused.
 */
export class Access {
  readonly #parts: AccessParts;

  constructor(parts: AccessParts) {
    this.#parts = parts;
  }

  allows(actor: Actor, operation: Operation, topic: string): boolean {
    return this.refusal(actor, operation, topic) === undefined;
  }

  check(actor: Actor, operation: Operation, topic: string): void {
    const reason = this.refusal(actor, operation, topic);
    if (reason !== undefined) throw new Refusal(reason, `${called(actor)} may not ${UNDER[operation].verb} ${personalNode(topic) ?? topic}`);
  }

  /** Where it is a peer's: the trust room gives it that right, whatever the topic itself says. */
  isGranted(actor: Actor, right: Right, topicOrFilter: string): boolean {
    return actor.kind === 'owner' || (actor.kind === 'peer' && this.#parts.may(actor.fingerprint, right, topicOrFilter, false));
  }

  /**
   * XEP-0163 §7.1: of a topic that is there for whom this box is paired with, or for classes of peers, whether that peer is
   * left out by how it stands itself. Whom the box is paired with and only the topic's own setting leaves out is not: a setting may be changed back.
   */
  excludes(actor: Actor, topic: string): boolean {
    const model = this.#parts.said(topic)?.accessModel;
    if (model !== 'presence' && model !== 'roster') return false;
    const reason = this.refusal(actor, 'subscribe', topic);
    if (reason !== 'not-in-roster-group') return reason !== undefined;
    return actor.kind !== 'peer' || this.#parts.level(actor.fingerprint) !== 'paired';
  }

  /** Whether it may hear that a topic of that name is not there. */
  knows(actor: Actor, topic: string): boolean {
    return this.isGranted(actor, 'read', topic) || this.isGranted(actor, 'write', topic);
  }

  affiliation(actor: Actor, topic: string): Affiliation {
    return actor.kind === 'owner' ? 'owner' : this.#parts.rights.affiliation(topic, addressOf(actor));
  }

  /** Undefined: it may. */
  refusal(actor: Actor, operation: Operation, topic: string): RefusalReason | undefined {
    if (actor.kind === 'owner') return undefined;
    const { right, granted } = UNDER[operation];
    // The box's own names; no peer touches them.
    if (right === 'write' && topic.startsWith('$')) return 'forbidden';
    const affiliation = this.affiliation(actor, topic);
    if (affiliation === 'outcast') return 'forbidden';
    if (granted && this.isGranted(actor, right, topic)) return undefined;
    if (actor.kind === 'peer' && !this.#parts.may(actor.fingerprint, right, topic, true)) return 'forbidden';
    const privilege = PRIVILEGES[affiliation][operation];
    if (privilege === 'model') return this.#byModel(actor, operation, topic);
    return privilege === 'no' ? 'forbidden' : undefined;
  }

  #byModel(actor: Exclude<Actor, { kind: 'owner' }>, operation: Operation, topic: string): RefusalReason | undefined {
    const { level, isSubscribed, isApproved, said } = this.#parts;
    const {
      accessModel = DEFAULT_CONFIG.accessModel, rosterGroups = DEFAULT_CONFIG.rosterGroups, publishModel = DEFAULT_CONFIG.publishModel,
    } = said(topic) ?? DEFAULT_CONFIG;
    const fingerprint = actor.kind === 'peer' ? actor.fingerprint : undefined;
    // §6.1.3.6: whoever has shown no key is nobody.
    if (actor.kind === 'peer' && fingerprint === undefined) return 'forbidden';
    if (UNDER[operation].right === 'write') {
      if (publishModel === 'open') return undefined;
      const subscribed = publishModel === 'subscribers' && fingerprint !== undefined && isSubscribed(fingerprint, topic);
      // A subscription outlives the right to it.
      return subscribed && this.allows(actor, 'subscribe', topic) ? undefined : 'forbidden';
    }
    switch (accessModel) {
      case 'open': return undefined;
      case 'presence': return fingerprint !== undefined && level(fingerprint) === 'paired' ? undefined : 'presence-subscription-required';
      case 'roster': return fingerprint !== undefined && rosterGroups.includes(`class:${level(fingerprint)}`) ? undefined : 'not-in-roster-group';
      case 'authorize': {
        if (fingerprint !== undefined && isApproved(fingerprint, topic)) return undefined;
        return operation === 'subscribe' ? 'authorization-required' : 'subscribers-only';
      }
      default: return 'closed-node';
    }
  }
}
