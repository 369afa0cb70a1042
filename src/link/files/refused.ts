// Why a file did not go over: what this side's reasons are in stanzas, and what the other's mean here.
import { type ErrorCode, LanpostError } from '../../errors.ts';
import { type Condition, StanzaError } from '../../xmpp/stanza-error.ts';

const CONDITION: Partial<Readonly<Record<ErrorCode, Condition>>> = {
  forbidden: 'forbidden', 'too-large': 'policy-violation', 'disk-full': 'resource-constraint', busy: 'resource-constraint',
  timeout: 'recipient-unavailable', conflict: 'conflict', closed: 'recipient-unavailable',
};

const CODE: Partial<Readonly<Record<Condition, ErrorCode>>> = {
  forbidden: 'forbidden', 'not-allowed': 'forbidden', 'not-authorized': 'forbidden', 'policy-violation': 'too-large', 'resource-constraint': 'busy',
  'recipient-unavailable': 'timeout', conflict: 'conflict', 'service-unavailable': 'unsupported', 'feature-not-implemented': 'unsupported',
  'bad-request': 'unsupported',
};

/** Texts of strangers are shown to people. */
const TEXT = 300;

/** How the other side is told. Paths and the like of this box stay here. */
export function toStanzaError(error: unknown): StanzaError {
  if (error instanceof StanzaError) return error;
  const code = error instanceof LanpostError ? error.code : undefined;
  const condition = (code && CONDITION[code]) ?? 'not-acceptable';
  const texts: Partial<Readonly<Record<ErrorCode, string>>> = {
    forbidden: 'Offer Declined', 'too-large': 'the file is larger than is taken here', 'disk-full': 'there is no room for the file', busy: 'too many files are on their way',
    timeout: 'nobody accepted it in time', closed: 'the box stops', conflict: 'what came is not what was announced', disconnected: 'not all of it came',
  };
  const text = code && texts[code];
  return new StanzaError(condition, { type: condition === 'forbidden' ? 'cancel' : 'modify', ...(text === undefined ? {} : { text }) });
}

export function fromStanzaError(peer: string, error: unknown): unknown {
  if (!(error instanceof StanzaError)) return error;
  const code = CODE[error.condition] ?? 'disconnected';
  const text = error.text?.slice(0, TEXT);
  // COMPAT(libpurple 2.14): says `Offer Declined`, as XEP-0095 has it.
  const words = code === 'forbidden' ? `${peer} did not want the file` : code === 'unsupported' ? `${peer} takes no files` : `${peer} did not take the file`;
  return new LanpostError(code, text === undefined || code === 'forbidden' ? words : `${words}: ${text}`, { cause: error });
}
