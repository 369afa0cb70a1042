import { LanpostError } from '../errors.ts';

/** Why something of a topic is refused, by the names that XEP-0060 has for it, where it has one. */
export const REFUSALS = {
  'closed-node': 'forbidden',
  'configuration-required': 'invalid-value',
  'invalid-options': 'invalid-value',
  'invalid-subid': 'not-found',
  'not-in-roster-group': 'forbidden',
  'not-subscribed': 'not-found',
  'pending-subscription': 'forbidden',
  'presence-subscription-required': 'forbidden',
  'subid-required': 'invalid-value',
  'too-many-subscriptions': 'busy',
} as const;

export type RefusalReason = keyof typeof REFUSALS;

/** To programs it is its code; a road that knows the reason's name says that. */
export class Refusal extends LanpostError {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(REFUSALS[reason], message);
    this.reason = reason;
  }
}
