// What a box says of a file that it was given: which of its records are at home, signed. Read by whoever wrote the file.
import { LanpostError } from '../../errors.ts';
import { fingerprintOf } from '../../trust/fingerprint.ts';
import { isSealed, type Sealer, sealKey } from '../../trust/seal.ts';

/** Records of one file that its home would not take: they are named, so not more. */
export const REFUSED = 1_000;
/** Runs of those that had expired. */
export const EXPIRED = 500;
/** Of the whole confirmation. */
export const CONFIRMATION_BYTES: number = 64 * 1024;

export interface Confirmation {
  readonly id: string;
  /** Of the file that is confirmed, hex. */
  readonly sha256: string;
  /** Fingerprint. */
  readonly author: string;
  /** Positions of records that are not at home: the home will not take them. */
  readonly refused: readonly number[];
  /** Runs, flat, of what may have been too old to be published: their author sees to it. Empty where nothing was. */
  readonly expired: readonly number[];
}

export function writeConfirmation(confirmation: Confirmation, sealer: Sealer): string {
  const { id, sha256, author, refused, expired } = confirmation;
  const { key, signature } = sealer.seal('lanpost carried 1', statement(confirmation));
  return `${JSON.stringify({ lanpost: 'carried 1', id, sha256, author, refused, ...expired.length === 0 ? {} : { expired }, key, signature }, undefined, 1)}\n`;
}

/** Throws `corrupt` when nobody has signed it as it is. */
export function readConfirmation(text: string): Confirmation & { readonly signer: string } {
  const said = parse(text);
  const key = sealKey(said);
  if (!key || !isSealed(said, 'lanpost carried 1', statement(said))) throw new LanpostError('corrupt', 'The confirmation is not what its author wrote.');
  const { id, sha256, author, refused, expired } = said;
  return { id, sha256, author, refused, expired, signer: fingerprintOf(key) };
}

function statement({ id, sha256, author, refused, expired }: Confirmation): string[] {
  return [id, sha256, author, refused.join(' '), ...expired.length === 0 ? [] : [expired.join(' ')]];
}

function parse(text: string): Confirmation & { readonly key: string; readonly signature: string } {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    throw none();
  }
  if (typeof said === 'object' && said !== null && 'lanpost' in said && said.lanpost === 'carried 1' && 'id' in said && typeof said.id === 'string'
    && 'sha256' in said && typeof said.sha256 === 'string' && 'author' in said && typeof said.author === 'string' && 'refused' in said && Array.isArray(said.refused)
    && said.refused.length <= REFUSED && said.refused.every((seq) => Number.isSafeInteger(seq)) && 'key' in said && typeof said.key === 'string'
    && 'signature' in said && typeof said.signature === 'string') {
    const expired = 'expired' in said ? said.expired : [];
    if (!Array.isArray(expired) || expired.length > 2 * EXPIRED || expired.length % 2 > 0 || !expired.every((seq) => Number.isSafeInteger(seq))) throw none();
    return { id: said.id, sha256: said.sha256, author: said.author, refused: said.refused.map(Number), expired: expired.map(Number), key: said.key, signature: said.signature };
  }
  throw none();
}

function none(): LanpostError {
  return new LanpostError('invalid-value', 'That is no confirmation of a carried outbox.');
}
