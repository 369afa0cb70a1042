import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { type Actor, keyAddress, OWNER } from '../pubsub/actor.ts';
import type { Broker } from '../pubsub/broker.ts';
import type { PeerSubscription, PeerSubscriptions } from '../pubsub/peer-subscriptions.ts';
import { Seldom } from '../seldom.ts';
import type { Names } from '../xep/pubsub/affiliations.ts';
import { authorizationRequest, readVerdict } from '../xep/pubsub/authorization.ts';
import { pubsubError } from '../xep/pubsub/errors.ts';
import type { Element } from '../xmpp/element.ts';
import type { PeerStreams, ProvenPeer } from './streams-port.ts';

export interface ApprovalsParts {
  readonly broker: Broker;
  readonly subscriptions: PeerSubscriptions;
  readonly streams: PeerStreams;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly names: Names;
  /** What the key goes by, while it is there. */
  readonly nameOf: (fingerprint: string) => string | undefined;
}

/** XEP-0060 §8.6: subscriptions that wait for an owner's word. All owners are asked, each whenever it comes; the first answer counts. */
export class Approvals {
  readonly #parts: ApprovalsParts;
  readonly #seldom: Seldom;

  constructor(parts: ApprovalsParts) {
    this.#parts = parts;
    this.#seldom = new Seldom(parts.clock, parts.trouble);
  }

  /** Somebody has asked. */
  asked(row: PeerSubscription): void {
    if (!this.#parts.broker.topic(row.node)) return;
    const peer = this.#parts.names.nameOf(row.fingerprint) ?? row.fingerprint;
    this.#seldom.tell({ kind: 'link.request', message: `${peer} asks to read ${row.node}: \`lanpost access approve ${row.node} ${peer}\`, or deny` });
    for (const [address, affiliation] of this.#parts.broker.affiliations(OWNER, row.node)) {
      if (affiliation === 'owner' && address.startsWith('key:')) this.#ask(address.slice('key:'.length), row);
    }
  }

  /** An owner is there, or has come to be one. */
  opened({ fingerprint }: Pick<ProvenPeer, 'fingerprint'>): void {
    for (const row of this.#parts.subscriptions.pending()) {
      if (this.#parts.broker.rights.affiliation(row.node, keyAddress(fingerprint)) === 'owner') this.#ask(fingerprint, row);
    }
  }

  /** §8.7.4: a peer has asked for what waits at a topic, and has its answer before. */
  async again(actor: Actor, topic: string): Promise<void> {
    if (actor.kind !== 'peer' || actor.fingerprint === undefined) return;
    await nextTurn();
    for (const row of this.waiting(actor, topic)) this.#ask(actor.fingerprint, row);
  }

  /** What a peer's message says, if it is an answer. */
  async answered(message: Element, actor: Actor): Promise<void> {
    try {
      const verdict = readVerdict(message);
      if (verdict) await this.decide(actor, verdict.node, ({ id }) => id === verdict.id, verdict.allow);
    } catch (error) {
      throw error instanceof LanpostError ? pubsubError(error) : error;
    }
  }

  /** Of what that actor has a say in. */
  waiting(actor: Actor, topic?: string): PeerSubscription[] {
    return [...this.#parts.subscriptions.pending()].filter(({ node }) => (
      (topic === undefined || node === topic) && this.#parts.broker.access.allows(actor, 'configure', node)));
  }

  async decide(actor: Actor, topic: string, which: (row: PeerSubscription) => boolean, allow: boolean): Promise<void> {
    this.#parts.broker.settings(actor, topic); // whoever may not is told that first
    const rows = this.waiting(actor, topic).filter(which);
    if (rows.length === 0) throw new LanpostError('not-found', `nothing of that kind waits at ${topic}: another owner may have answered`);
    for (const row of rows) await this.#parts.subscriptions.decide(row, allow ? 'subscribed' : 'none');
  }

  #ask(owner: string, row: PeerSubscription): void {
    const { broker, names, nameOf, streams } = this.#parts;
    const name = nameOf(owner);
    if (name === undefined) return;
    const request = authorizationRequest(row, names.nameOf(row.fingerprint) ?? row.fingerprint);
    const still = (): boolean => broker.access.allows({ kind: 'peer', name, fingerprint: owner }, 'configure', row.node);
    streams.send(name, request, owner, still).catch((error: unknown) => this.#seldom.tell({
      kind: 'link.approval', message: `asking ${name} about a subscription: ${error instanceof Error ? error.message : String(error)}`,
    }));
  }
}
