// Letters of boxes that come by way of a home. What a paired key has signed counts as that key's, and its numbers
// count; what no key has signed is from whom the server says, and uses up nobody's numbers.
import type { Trouble, TrustLevel } from '../api.ts';
import type { Clock } from '../clock.ts';
import type { Incoming } from '../mail/inbox.ts';
import { originOfLetter } from '../mail/letter.ts';
import { parseRecordId } from '../log/record-id.ts';
import type { Origin } from '../log/record.ts';
import { Seldom } from '../seldom.ts';
import { boxIdOfFingerprint, fingerprintOf } from '../trust/fingerprint.ts';
import { isSealed, type Seal, sealKey, type Sealer } from '../trust/seal.ts';
import { type LetterRecord, letterStatement, parseLetterRecord, receivedStatement } from '../xep/letter-record.ts';
import type { DevicePair } from '../xep/device.ts';
import type { MessageBody } from '../xep/message-body.ts';
import type { Element } from '../xmpp/element.ts';
import { bare } from '../xmpp/jid.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

/** Outboxes of paired keys of which is remembered what is on its way to the disk; accounts they have written from. */
const REMEMBERED = 256;
/** A stranger can send as many as he likes: it is told this often. */
const TELL_EVERY = 10_000;

export interface SealedLettersParts {
  readonly fingerprint: string;
  readonly seal: Sealer;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly level: (fingerprint: string) => TrustLevel;
  readonly mayChat: (fingerprint: string) => boolean;
  /** Whose alone a bare JID is, as it has been shown to be. */
  readonly holder: (jid: string) => string | undefined;
  /** The highest number that is on disk of an outbox of that box, in that epoch; of one for a device there. */
  readonly mark: (origin: Pick<Origin, 'box' | 'epoch' | 'chain'>, device: string | undefined) => number;
}

export interface SealedLetter {
  readonly id: string;
  readonly fingerprint: string;
  readonly sender: Pick<Incoming, 'from' | 'trust' | 'origin' | 'after'>;
  readonly chain: string;
}

export class SealedLetters {
  readonly #parts: SealedLettersParts;
  /** By outbox: the highest number that was taken, which may not be on disk yet. */
  readonly #taken = new Map<string, number>();
  /** Keys with accounts from which they have written. */
  readonly #senders = new Map<string, true>();
  readonly #seldom: Seldom;

  constructor(parts: SealedLettersParts) {
    this.#parts = parts;
    this.#seldom = new Seldom(parts.clock, parts.trouble, TELL_EVERY);
  }

  /**
   * Whose letter it is, when a paired key has signed it. `early`: one before it is on its way and has not come, as
   * when a server delivers what it kept after what is new. Its sender sends all that is not confirmed again, in order.
   */
  open(message: Element, said: MessageBody, { from, account, devices = {} }: { readonly from: string; readonly account: string; readonly devices?: DevicePair }): SealedLetter | 'early' | 'unwanted' | undefined {
    const record = parseLetterRecord(message);
    const spki = record?.signed && sealKey(record.signed);
    if (!record?.signed || !record.accounts || !spki) return undefined;
    const fingerprint = fingerprintOf(spki);
    // Strangers have keys, too: nothing is said of them.
    if (this.#parts.level(fingerprint) !== 'paired') return undefined;
    if (record.recipient !== this.#parts.fingerprint) return 'unwanted'; // another box has the account as well
    const sender = bare(from) ?? '';
    const { accounts, signed } = record;
    if (accounts.from !== sender || accounts.to !== account || !isSealed(signed, 'lanpost letter 1', letterStatement(record, said, devices))) return this.#forged(fingerprint, sender);
    if (!this.#parts.mayChat(fingerprint)) throw new StanzaError('forbidden');
    const origin = originBy(record, fingerprint);
    const chain = `${origin.box} ${origin.epoch} ${origin.chain ?? ''}`;
    if (this.#isEarly(record, origin, devices.to)) return 'early';
    remember(this.#senders, `${fingerprint} ${sender}`, true);
    remember(this.#taken, chain, Math.max(origin.seq, this.#taken.get(chain) ?? 0));
    const isAlone = this.#parts.holder(sender) === fingerprint;
    return { id: record.id, fingerprint, chain, sender: { from: `xmpp:${isAlone ? sender : from}`, trust: 'paired', origin, ...(record.after === undefined ? {} : { after: afterOf(record.after) }) } };
  }

  /** Changed on its way, or not written by whose it says it is. Who has used the key from there is told; strangers are not, lest they learn who is paired. */
  #forged(fingerprint: string, sender: string): 'unwanted' {
    this.#seldom.tell({ kind: 'home.forged', message: `what a paired key has signed of a message from ${sender} is not what it says; it was left out` });
    if (this.#parts.holder(sender) !== fingerprint && !this.#senders.has(`${fingerprint} ${sender}`)) return 'unwanted';
    throw new StanzaError('not-acceptable', { text: 'what is signed of it is not what it says' });
  }

  /** It is on disk: what its sender is told. */
  kept({ id, fingerprint }: SealedLetter): Seal {
    return this.#parts.seal.seal('lanpost receipt 1', receivedStatement(id, fingerprint, this.#parts.fingerprint));
  }

  /** It can never be kept: what its sender is told. Only of one that its sender has signed, or a server could have made it so. */
  refused({ id, fingerprint }: SealedLetter): Seal {
    return this.#parts.seal.seal('lanpost refusal 1', receivedStatement(id, fingerprint, this.#parts.fingerprint));
  }

  /** It could not be kept: those after it are early. Of those that were let in meanwhile the log takes none. */
  lost({ chain }: SealedLetter): void {
    this.#taken.delete(chain);
  }

  #isEarly({ after }: LetterRecord, { box, chain }: Origin, device: string | undefined): boolean {
    if (after === undefined) return false;
    const before = idOf(after);
    if (before.box !== box) throw new StanzaError('bad-request', { text: 'it is after a letter of another box' });
    const outbox = { box, epoch: before.epoch, ...(chain === undefined ? {} : { chain }) };
    return before.seq > Math.max(this.#parts.mark(outbox, device), this.#taken.get(`${box} ${before.epoch} ${chain ?? ''}`) ?? 0);
  }
}

function afterOf(id: string): Pick<Origin, 'epoch' | 'seq'> {
  const { epoch, seq } = idOf(id);
  return { epoch, seq };
}

/** The longest unused gives way. */
function remember<T>(among: Map<string, T>, key: string, value: T): void {
  among.delete(key);
  among.set(key, value);
  for (const old of [...among.keys()].slice(0, Math.max(0, among.size - REMEMBERED))) among.delete(old);
}

/** Numbers count only from the box that minted them. */
function originBy(record: LetterRecord, fingerprint: string): Origin {
  idOf(record.id);
  const origin = originOfLetter(record);
  if (origin.box !== boxIdOfFingerprint(fingerprint)) throw new StanzaError('bad-request', { text: 'that number is another box\'s' });
  return origin;
}

function idOf(id: string): Origin {
  try {
    return parseRecordId(id);
  } catch (error) {
    throw new StanzaError('bad-request', { text: error instanceof Error ? error.message : String(error) });
  }
}
