// What an error answer means, by condition; the type alone misleads in both directions.
import { LanpostError } from '../errors.ts';
import { StanzaError, type Condition } from '../xmpp/stanza-error.ts';

export type Failure =
  /** The item will never be taken: put it aside, the topic goes on. */
  | 'poison'
  /** The node is not there: make it. */
  | 'create'
  /** The topic waits for somebody to change something; nothing is dropped. */
  | 'hold'
  /** The whole service is away. */
  | 'service'
  /** Try again, this one alone. */
  | 'retry'
  /** The session has gone: whether it arrived is not known. */
  | 'unknown';

const BY_CONDITION: Readonly<Partial<Record<Condition, Failure>>> = {
  'bad-request': 'poison', 'not-acceptable': 'poison', 'policy-violation': 'poison', 'jid-malformed': 'poison',
  'item-not-found': 'create',
  forbidden: 'hold', 'not-allowed': 'hold', 'not-authorized': 'hold', 'registration-required': 'hold', 'subscription-required': 'hold',
  conflict: 'hold', 'feature-not-implemented': 'hold', gone: 'hold', redirect: 'hold',
  'service-unavailable': 'service', 'remote-server-not-found': 'service', 'remote-server-timeout': 'service', 'recipient-unavailable': 'service',
  'resource-constraint': 'retry', 'internal-server-error': 'retry', 'unexpected-request': 'retry',
};

/** Pubsub conditions (XEP-0060 §14) that say it is the item, whatever stands beside them. */
const ITEM: readonly string[] = ['invalid-payload', 'payload-too-big', 'payload-required', 'item-required', 'item-forbidden'];

export function failureOf(error: unknown): Failure {
  if (error instanceof StanzaError) {
    if (error.application && ITEM.includes(error.application.getName())) return 'poison';
    // ejabberd 23.01 answers an unknown option with wait/resource-constraint; that is no matter of waiting.
    return BY_CONDITION[error.condition] ?? (error.type === 'modify' ? 'poison' : 'retry');
  }
  if (!(error instanceof LanpostError)) return 'retry';
  if (error.code === 'timeout') return 'service';
  return error.code === 'disconnected' ? 'unknown' : 'retry';
}
