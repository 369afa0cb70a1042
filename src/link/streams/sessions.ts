// Which XEP-0198 sessions there are, and which of them have lost their stream and wait to be resumed (§5).
import type { TrustLevel } from '../../api.ts';
import type { Clock, Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { goesFirst, type KeyedName } from './precedence.ts';
import { Session } from './session.ts';

/** Sessions without a stream, of all peers. */
const RESUMABLE = 64;
/** How long one waits for a stream, ms; the same is told as `max`, in seconds. */
export const RESUME_WITHIN = 30_000;
/** How long a resumption waits until what came over the lost stream is durable. */
const HANDLED_WITHIN = 2_000;

/** The right to go on with a session, until another has it. */
export interface Claim { readonly session: Session }

export interface SessionsParts {
  readonly clock: Clock;
  readonly self: () => KeyedName;
  readonly level: (fingerprint: string) => TrustLevel;
  /** It will not be resumed any more. */
  readonly gaveUp: (session: Session) => void;
}

interface Entry {
  readonly session: Session;
  claim: Claim | undefined;
  /** Whether it was this side that dialled to resume it. */
  dialled: boolean;
  /** Runs while no stream carries it. */
  expiry: Timer | undefined;
  expired: boolean;
}

export class Sessions {
  readonly #parts: SessionsParts;
  /** Those without a stream in the order in which they lost it, after those with one. */
  readonly #all = new Map<string, Entry>();

  constructor(parts: SessionsParts) {
    this.#parts = parts;
  }

  isWaiting(session: Session): boolean {
    return this.#entry(session)?.expiry !== undefined;
  }

  get waiting(): number {
    let count = 0;
    for (const { expiry } of this.#all.values()) if (expiry) count += 1;
    return count;
  }

  /** `given`: what the side that answered has called it, and for how long it keeps it. */
  open(peer: KeyedName, given?: { readonly id: string; readonly lasts: number | undefined }): Session {
    // It goes by another name now: what broke under the one before is resumed by nobody.
    for (const { session, expiry } of this.#all.values()) if (expiry && session.fingerprint === peer.fingerprint && session.name !== peer.name) this.end(session);
    const lasts = Math.min(RESUME_WITHIN, given?.lasts ?? RESUME_WITHIN);
    const session = new Session(this.#parts.clock, { ...peer, lasts, ...(given ? { id: given.id } : {}) });
    this.#all.set(keyOf(session.fingerprint, session.id), { session, claim: undefined, dialled: false, expiry: undefined, expired: false });
    return session;
  }

  /** Its stream broke. False: it cannot be resumed, and is over. */
  suspend(session: Session): boolean {
    const entry = this.#entry(session);
    if (!entry || !session.isSound) {
      this.end(session);
      return false;
    }
    session.suspend();
    entry.claim = undefined;
    this.#all.delete(keyOf(session.fingerprint, session.id));
    this.#makeRoom();
    this.#all.set(keyOf(session.fingerprint, session.id), entry);
    entry.expiry ??= this.#parts.clock.after(session.lasts, () => this.#expire(entry));
    return true;
  }

  /** A session with that peer that waits for a stream, for the one who is dialling; or that the peer is at it already. */
  async claim(peer: KeyedName): Promise<Claim | 'conflict' | undefined> {
    for (const entry of this.#all.values()) {
      const { session } = entry;
      if (!entry.expiry || session.fingerprint !== peer.fingerprint || session.name !== peer.name) continue;
      return entry.claim ? 'conflict' : this.#claimed(entry, true);
    }
    return undefined;
  }

  /** The peer asks to go on with one. The answer may be why not, as a condition of RFC 6120 §8.3.3. */
  async asked(previd: string, h: number | undefined, peer: KeyedName): Promise<Claim | 'item-not-found' | 'conflict'> {
    const entry = this.#all.get(keyOf(peer.fingerprint, previd));
    // Another key finds nothing, and changes nothing.
    if (!entry || entry.session.name !== peer.name) return 'item-not-found';
    // Both have dialled: one of them goes on, and both know which.
    if (entry.claim && (!entry.dialled || goesFirst(this.#parts.self(), peer))) return 'conflict';
    // The peer knows before us that the stream is dead.
    entry.session.carrier?.supersede();
    if (this.#entry(entry.session) !== entry) return 'item-not-found';
    const claim = await this.#claimed(entry, false);
    if (!claim) return 'item-not-found';
    if (h !== undefined && entry.session.confirmations.admits(h)) return claim;
    this.end(entry.session);
    return 'item-not-found';
  }

  /** Whether the claim still counts and the peer's `h` can be. */
  holds(claim: Claim, h: number): boolean {
    return this.#entry(claim.session)?.claim === claim && claim.session.confirmations.admits(h);
  }

  /** A stream carries it. False: it has been given up meanwhile. */
  carried(session: Session): boolean {
    const entry = this.#entry(session);
    if (!entry) return false;
    entry.claim = undefined;
    entry.expiry?.stop();
    entry.expiry = undefined;
    entry.expired = false;
    return true;
  }

  /** Nothing came of the claim; another may try. */
  back(claim: Claim): void {
    const entry = this.#entry(claim.session);
    if (!entry || entry.claim !== claim) return;
    entry.claim = undefined;
    if (entry.expired) this.end(claim.session);
  }

  /** The peer knows nothing of it. */
  refused(claim: Claim): void {
    if (this.#entry(claim.session)?.claim === claim) this.end(claim.session);
  }

  end(session: Session, error: Error = new LanpostError('disconnected', 'The stream was lost before the peer confirmed.')): void {
    const entry = this.#entry(session);
    entry?.expiry?.stop();
    this.#all.delete(keyOf(session.fingerprint, session.id));
    session.lose(error);
    if (entry) this.#parts.gaveUp(session);
  }

  close(): void {
    for (const { session, expiry } of this.#all.values()) if (expiry) this.end(session, new LanpostError('closed'));
  }

  async #claimed(entry: Entry, dialled: boolean): Promise<Claim | undefined> {
    const { session } = entry;
    const claim: Claim = { session };
    entry.claim = claim;
    entry.dialled = dialled;
    // What is in work would come again and be done twice.
    const isHandled = session.isSound && await session.confirmations.handledAll(HANDLED_WITHIN);
    if (entry.claim !== claim || this.#entry(session) !== entry) return undefined;
    if (isHandled && session.isSound) return claim;
    this.end(session);
    return undefined;
  }

  #expire(entry: Entry): void {
    entry.expired = true;
    if (!entry.claim) this.end(entry.session, new LanpostError('disconnected', 'The stream was lost, and was not resumed in time.'));
  }

  /** Keys are free: those of strangers give way first. */
  #makeRoom(): void {
    if (this.waiting < RESUMABLE) return;
    const waiting = [...this.#all.values()].filter(({ expiry }) => expiry).map(({ session }) => session);
    const least = waiting.find(({ fingerprint }) => this.#parts.level(fingerprint) !== 'paired') ?? waiting[0];
    if (least) this.end(least);
  }

  #entry(session: Session): Entry | undefined {
    const entry = this.#all.get(keyOf(session.fingerprint, session.id));
    return entry?.session === session ? entry : undefined;
  }
}

/** The side that answers chooses the id: one peer's must not be able to stand for another's. */
function keyOf(fingerprint: string, id: string): string {
  return `${fingerprint} ${id}`;
}
