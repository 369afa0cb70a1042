// What a refusal of a request means to a caller here, and how one of ours is said (RFC 6120 §8.3.3).
import { type ErrorCode, LanpostError } from '../errors.ts';
import { type Condition, StanzaError, type StanzaErrorOptions } from '../xmpp/stanza-error.ts';

const CODES: Partial<Readonly<Record<Condition, ErrorCode>>> = {
  'bad-request': 'invalid-value', 'jid-malformed': 'invalid-value', 'not-acceptable': 'invalid-value', 'unexpected-request': 'invalid-value',
  conflict: 'conflict', 'item-not-found': 'not-found', 'policy-violation': 'too-large', 'resource-constraint': 'busy',
  forbidden: 'forbidden', 'not-allowed': 'forbidden', 'not-authorized': 'forbidden', 'registration-required': 'forbidden', 'subscription-required': 'forbidden',
  gone: 'unreachable', redirect: 'unreachable', 'recipient-unavailable': 'unreachable', 'remote-server-not-found': 'unreachable',
  'remote-server-timeout': 'timeout', 'internal-server-error': 'failed',
};

export function fromRequestError(error: unknown): unknown {
  if (!(error instanceof StanzaError)) return error;
  return new LanpostError(CODES[error.condition] ?? 'unsupported', `the other side refused: ${error.text ?? error.condition}`, { cause: error });
}

const CONDITIONS: Partial<Readonly<Record<ErrorCode, Condition>>> = {
  'invalid-value': 'bad-request', 'invalid-topic': 'bad-request', conflict: 'conflict', 'in-use': 'conflict', 'not-found': 'item-not-found', 'too-large': 'policy-violation',
  busy: 'resource-constraint', 'disk-full': 'resource-constraint', forbidden: 'forbidden', timeout: 'remote-server-timeout', closed: 'recipient-unavailable',
  unreachable: 'recipient-unavailable', unsupported: 'feature-not-implemented',
};

/** `more`: what is said beside the condition of that code. */
export function toRequestError(error: LanpostError, more: Partial<Readonly<Record<ErrorCode, StanzaErrorOptions>>> = {}): StanzaError {
  return new StanzaError(CONDITIONS[error.code] ?? 'internal-server-error', { text: error.message, ...more[error.code] });
}
