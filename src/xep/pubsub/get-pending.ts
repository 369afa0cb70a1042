// XEP-0060 1.30 §8.7: owners ask for the subscription requests that wait, as a command in two steps (XEP-0050).
import { LanpostError } from '../../errors.ts';
import type { Actor } from '../../pubsub/actor.ts';
import type { Broker } from '../../pubsub/broker.ts';
import type { PeerSubscription } from '../../pubsub/peer-subscriptions.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { type AdHocCommand, forbidden } from '../commands.ts';
import { formElement } from '../data-form.ts';
import { SUBSCRIBE_AUTHORIZATION } from './authorization.ts';
import { pubsubError } from './errors.ts';
import { NS_PUBSUB } from './terms.ts';

export const GET_PENDING: string = `${NS_PUBSUB}#get-pending`;

export interface GetPendingParts<C> {
  readonly broker: Broker;
  readonly actorOf: (context: C) => Actor;
  /** Those in which the actor has a say. */
  readonly waiting: (actor: Actor) => readonly PeerSubscription[];
  /** Sends it those of a node, once this has been answered. */
  readonly send: (actor: Actor, node: string) => void;
}

export function getPending<C>({ broker, actorOf, waiting, send }: GetPendingParts<C>): AdHocCommand<C> {
  const owns = (actor: Actor): boolean => broker.affiliationsOf(actor).some(({ affiliation }) => affiliation === 'owner');
  return {
    node: GET_PENDING,
    name: 'get-pending',
    offered: (context) => owns(actorOf(context)),
    run: async (context, form) => {
      const actor = actorOf(context);
      if (!owns(actor)) throw forbidden(); // §8.7.3.3
      if (!form) {
        // §8.7.2: of all its nodes those where somebody waits are enough.
        const nodes = [...new Set(waiting(actor).map(({ node }) => node))];
        return { form: formElement('form', SUBSCRIBE_AUTHORIZATION, [{ name: 'pubsub#node', type: 'list-single', label: 'Node', values: [], options: nodes.map((value) => ({ value })) }]) };
      }
      const [node] = form.values.get('pubsub#node') ?? [];
      if (node === undefined) throw new StanzaError('bad-request', { text: 'which node?' });
      try {
        broker.settings(actor, node); // §8.7.3.3, §8.7.3.4
      } catch (error) {
        throw error instanceof LanpostError ? pubsubError(error) : error;
      }
      send(actor, node);
      return {};
    },
  };
}
