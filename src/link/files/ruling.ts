// What the owner has said of a peer's files, and whether a transfer still rests on what it began with.
import type { TrustLevel } from '../../api.ts';
import type { Trust } from '../../trust/trust.ts';

/** Files are taken without asking, the owner is asked, or they are refused without asking. */
export type Ruling = 'taken' | 'asked' | 'refused';

export type FileTrust = Pick<Trust, 'may' | 'level'>;

const RANK: Readonly<Record<TrustLevel, number>> = { none: 0, seen: 1, paired: 2 };

/** Of whom nothing is said the owner is asked. */
export function rulingOf(trust: FileTrust, fingerprint: string | undefined): Ruling {
  return trust.may(fingerprint, 'files') ? 'taken' : trust.may(fingerprint, 'files', undefined, true) ? 'asked' : 'refused';
}

export function isLess(one: TrustLevel, other: TrustLevel): boolean {
  return RANK[one] < RANK[other];
}

/**
 * Whoever accepted one by hand, or sent one, did so for a peer as trusted as it was shown then. What was taken
 * without asking needs that right to its end. `ruling`: absent for what goes out, of which the right `files` says nothing.
 */
export function stays(trust: FileTrust, fingerprint: string | undefined, began: { readonly trust: TrustLevel; readonly ruling?: Ruling | undefined }): boolean {
  if (isLess(trust.level(fingerprint), began.trust)) return false;
  const ruling = began.ruling && rulingOf(trust, fingerprint);
  return ruling !== 'refused' && (ruling !== 'asked' || began.ruling === 'asked');
}
