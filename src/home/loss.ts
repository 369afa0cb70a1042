// Why a session ended or never began, and what that means for trying again.
import { callFailure } from '../call-failure.ts';
import { LanpostError } from '../errors.ts';
import type { StreamFault } from '../xmpp/stream-error.ts';
import { SaslError } from '../xmpp/sasl.ts';
import type { LossKind } from './backoff.ts';
import { reasonOf } from './reason.ts';

/** The server ended the stream and said why. */
export class StreamEnded extends Error {
  override readonly name = 'StreamEnded';
  readonly fault: StreamFault;
  /** It came before the server knew who we are. */
  readonly early: boolean;

  constructor(fault: StreamFault, early: boolean) {
    super(`the server ended the stream: ${fault.condition}${fault.text === undefined ? '' : ` (${fault.text})`}`);
    this.fault = fault;
    this.early = early;
  }
}

/** The server said what is no XMPP: said again, it would be no better. */
export class StreamBroken extends Error {
  override readonly name = 'StreamBroken';
}

/** It said nothing, or left, when it was asked to take a session up again. */
export class ResumeUnanswered extends StreamBroken {
  constructor(options: ErrorOptions) {
    super('The server did not say whether it takes the session up again.', options);
  }
}

/** The server cannot be used as it is set up. */
export class Unusable extends Error {
  override readonly name = 'Unusable';
}

const CERTIFICATE = /^(?:CERT_|ERR_TLS_CERT|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|INVALID_|HOSTNAME_MISMATCH)/;

const UNKNOWN_AUTHORITY = 'this box does not know the authority that signed it';
/** By the code: what the system says of these is for those who know TLS, and newer Node adds how it is itself to be started. */
const CERTIFICATE_WORDS: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  DEPTH_ZERO_SELF_SIGNED_CERT: 'no authority signed it',
  CERT_HAS_EXPIRED: 'it has expired',
};

export interface Loss {
  readonly kind: LossKind;
  readonly reason: string;
}

export function lossOf(error: unknown): Loss {
  const reason = reasonOf(error);
  if (error instanceof SaslError) {
    // RFC 6120 §6.5.10: this one says that trying again may help.
    if (error.condition === 'temporary-auth-failure') return { kind: 'link', reason };
    return { kind: 'auth', reason: `the account was refused${error.condition === 'not-authorized' ? ', check its name and password' : ''}: ${reason}` };
  }
  if (error instanceof StreamEnded) {
    const { condition } = error.fault;
    if (condition === 'conflict') return { kind: 'conflict', reason };
    if (condition === 'policy-violation' && error.early) return { kind: 'banned', reason };
    if (condition === 'host-unknown' || condition === 'host-gone') return { kind: 'config', reason };
    return { kind: 'link', reason };
  }
  if (error instanceof Unusable) return { kind: 'config', reason };
  const code = codeOf(error);
  if (code !== undefined && CERTIFICATE.test(code)) return { kind: 'config', reason: certificateReason(code, reason) };
  if (error instanceof LanpostError) return { kind: 'link', reason };
  const words = reasonOf(callFailure(error));
  return { kind: 'link', reason: words !== reason || code === undefined || reason.includes(code) ? words : `${reason} (${code})` };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function certificateReason(code: string, reason: string): string {
  return code === 'CERT_NOT_YET_VALID'
    ? 'the server\'s certificate is not valid yet: is this box\'s clock set?'
    : `the server's certificate was not accepted: ${CERTIFICATE_WORDS[code] ?? reason}`;
}
