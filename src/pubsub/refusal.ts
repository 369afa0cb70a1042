import { LanpostError } from '../errors.ts';

/** Why something of a topic is refused, by the names that XEP-0060 has for it, where it has one. */
export const REFUSALS = {
  'authorization-required': 'forbidden',
  'closed-node': 'forbidden',
  'forbidden': 'forbidden',
  'invalid-config': 'invalid-value',
  'invalid-options': 'invalid-value',
  'invalid-payload': 'invalid-value',
  'invalid-subid': 'not-found',
  'item-forbidden': 'invalid-value',
  'item-required': 'invalid-value',
  'moved': 'not-found',
  'not-in-roster-group': 'forbidden',
  'not-persistent': 'unsupported',
  'not-subscribed': 'not-found',
  'payload-required': 'invalid-value',
  'pending-subscription': 'forbidden',
  'precondition-not-met': 'conflict',
  'presence-subscription-required': 'forbidden',
  'subid-required': 'invalid-value',
  'subscribers-only': 'forbidden',
  'too-many-subscriptions': 'busy',
  'unsupported-access-model': 'invalid-value',
} as const;

export type RefusalReason = keyof typeof REFUSALS;

/** To programs it is its code; a road that knows the reason's name says that. */
export class Refusal extends LanpostError {
  readonly reason: RefusalReason;
  /** Of what has moved: where to. */
  readonly uri: string | undefined;

  constructor(reason: RefusalReason, message: string, uri?: string) {
    super(REFUSALS[reason], message);
    this.reason = reason;
    this.uri = uri;
  }
}
