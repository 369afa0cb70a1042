import type { TrustLevel } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { type Address, deviceOf, type Place, placeOf } from '../mail/address.ts';
import type { Incoming } from '../mail/inbox.ts';
import { type Letter, originOfLetter } from '../mail/letter.ts';
import type { Handed, Road } from '../mail/road.ts';
import { boxIdOfFingerprint } from '../trust/fingerprint.ts';
import { deviceElements, parseDevices, threadOf } from '../xep/device.ts';
import { type Accounts, letterRecord, type LetterRecord, parseLetterRecord } from '../xep/letter-record.ts';
import { readMessage } from '../xep/message-body.ts';
import { attr, type Element } from '../xmpp/element.ts';
import { bare } from '../xmpp/jid.ts';
import type { StanzaError } from '../xmpp/stanza-error.ts';
import { buildMessage } from '../xmpp/stanza.ts';
import { originOf } from './record-origin.ts';
import type { PeerStreams } from './streams-port.ts';

export interface MailRoadParts {
  readonly streams: Pick<PeerStreams, 'send'>;
  /** Whether the name is on the link now. */
  readonly isPresent: (name: string) => boolean;
  /** The key that held the name last: without one mail would wait for whoever takes it. */
  readonly holder: (name: string) => string | undefined;
  readonly isPaired: (fingerprint: string) => boolean;
  /** The key at the other end of the open stream to that name. */
  readonly speaking: (name: string) => string | undefined;
  /** The name a key goes by now, when it is on the link. */
  readonly nameOf: (fingerprint: string) => string | undefined;
  readonly ownName: () => string;
  /** Accounts of peers that mail takes the link for. Default: none. */
  readonly accounts?: PeerAccounts;
}

export interface PeerAccounts {
  readonly clock: Pick<Clock, 'mono'>;
  /** The key that a bare JID has been proven to be used by, and by nobody else. */
  readonly holder: (jid: string) => string | undefined;
  /** The account of this box that mail for that JID is from. */
  readonly accountFor: (jid: string) => string | undefined;
}

/** A peer that is announced and was not reached: for so long its mail goes another way, unless it calls; ms. */
const PASSED_OVER = 60_000;
/** Unless its name is announced anew; but strangers who announce it do not have its mail turn round more often than this. */
const ANNOUNCED_AGAIN = 10_000;

/** Letters over the link: a box confirms them with `h`, others with nothing. */
export class MailRoad implements Road {
  readonly #parts: MailRoadParts;
  /** By name and id, which is its sender's: letters that were handed over and are not confirmed, as many as the outboxes let be on their way. */
  readonly #handed = new Map<string, readonly ((error: LanpostError) => void)[]>();

  /** By key: when a peer with an account could not be reached. */
  readonly #unreached = new Map<string, number>();

  constructor(parts: MailRoadParts) {
    this.#parts = parts;
  }

  reaches(address: Address): boolean {
    const place = placeOf(address);
    if (!place) return false;
    if (place.kind === 'link') return this.#nameNow(place.name) !== undefined;
    const key = this.#holder(place.jid);
    return key !== undefined && !this.#isPassedOver(key) && this.#parts.nameOf(key) !== undefined;
  }

  /** The key that has the account to itself. */
  #holder(jid: string): string | undefined {
    const account = bare(jid);
    return account === undefined ? undefined : this.#parts.accounts?.holder(account);
  }

  #isPassedOver(key: string): boolean {
    const since = this.#unreached.get(key);
    return since !== undefined && (this.#parts.accounts?.clock.mono() ?? 0) - since < PASSED_OVER;
  }

  /** A stream to that key is open, or its name is announced anew, which anybody can do and which counts for less. */
  appeared(key: string, by: 'stream' | 'announcement'): void {
    const since = this.#unreached.get(key);
    if (since === undefined || (by === 'announcement' && (this.#parts.accounts?.clock.mono() ?? 0) - since < ANNOUNCED_AGAIN)) return;
    this.#unreached.delete(key);
  }

  /** The key that was vouched for, that speaks now, or that is away; of one that is there and only was seen, the name is all there is. */
  recipient(address: Address): string | undefined {
    const place = placeOf(address);
    if (place?.kind !== 'link') return undefined;
    const { holder, isPaired, isPresent, speaking } = this.#parts;
    const key = holder(place.name);
    return key === undefined || isPaired(key) || !isPresent(place.name) ? key : speaking(place.name);
  }

  holds(address: Address): boolean {
    const place = placeOf(address);
    return place !== undefined && (place.kind === 'link' ? this.#parts.holder(place.name) !== undefined : this.#holder(place.jid) !== undefined);
  }

  /**
   * Mail belongs to the key and follows it through renames. Whoever has the name of a paired key
   * now is an impostor; of one that was only seen, whoever has the name has the mail.
   */
  #nameNow(name: string): string | undefined {
    const { holder, isPaired, isPresent, nameOf } = this.#parts;
    const key = holder(name);
    const moved = key === undefined || (!isPaired(key) && isPresent(name)) ? undefined : nameOf(key);
    return moved ?? (isPresent(name) ? name : undefined);
  }

  async deliver(address: Address, letter: Letter): Promise<Handed> {
    const place = placeOf(address);
    if (!place) throw new LanpostError('invalid-value', `the link carries no mail for ${letter.to}`);
    return place.kind === 'link' ? this.#toName(place, letter, deviceOf(address)) : this.#toAccount(place, letter, deviceOf(address));
  }

  async #toName({ name: known }: Extract<Place, { kind: 'link' }>, letter: Letter, device: string | undefined): Promise<Handed> {
    // What was accepted for a key goes to no other, whoever has the name by then.
    const name = (letter.key === undefined ? undefined : this.#parts.nameOf(letter.key)) ?? this.#nameNow(known);
    if (name === undefined) throw new LanpostError('unreachable', `${known} is not on the link`);
    return this.#carry(name, letter, letter.key, device);
  }

  /** To whom the account was proven to belong, and to nobody else. */
  async #toAccount({ jid }: Extract<Place, { kind: 'xmpp' }>, letter: Letter, device: string | undefined): Promise<Handed> {
    const { accounts, nameOf } = this.#parts;
    const key = this.#holder(jid);
    const name = key === undefined ? undefined : nameOf(key);
    const [from, to] = [accounts?.accountFor(jid), bare(jid)];
    if (!accounts || key === undefined || name === undefined || to === undefined) throw new LanpostError('unreachable', `whoever has ${jid} is not on the link`);
    const still = (): boolean => this.#holder(jid) === key;
    try {
      return await this.#carry(name, letter, key, device, { ends: { from: from ?? '', to }, still });
    } catch (error) {
      const code = error instanceof LanpostError ? error.code : undefined;
      if (code !== 'too-large' && still()) this.#unreached.set(key, accounts.clock.mono());
      // Nobody refused it: it waited until the account was not that key's, or the name was another's. It has other roads, or waits.
      throw code === 'forbidden' ? new LanpostError('unreachable', `${name} is not, or no longer, who has ${jid}`, { cause: error }) : error;
    }
  }

  async #carry(name: string, letter: Letter, key: string | undefined, device: string | undefined, account?: { readonly ends: Accounts; readonly still: () => boolean }): Promise<Handed> {
    // Who has no key is no box, and answers in the thread.
    const thread = letter.thread ?? (letter.device !== undefined && key === undefined ? threadOf(letter.device) : undefined);
    const message = buildMessage({
      // XEP-0174 §6: both are instance names, as found in DNS.
      from: this.#parts.ownName(),
      to: name,
      id: letter.id,
      type: 'chat',
      body: letter.body,
      ...(letter.subject === undefined ? {} : { subject: letter.subject }),
      ...(thread === undefined ? {} : { thread }),
      extensions: [letterRecord(letter, account?.ends), ...deviceElements({ from: letter.device, to: device })],
    });
    const { delivered, taken } = await this.#parts.streams.send(name, message, key, account?.still);
    if (!delivered) return taken ? { taken } : {};
    const both = `${name} ${letter.id}`;
    const outcome = new Promise<void>((resolve, reject) => {
      const over = (): void => {
        const left = (this.#handed.get(both) ?? []).filter((one) => one !== refuse);
        if (left.length > 0) this.#handed.set(both, left);
        else this.#handed.delete(both);
      };
      const refuse = (error: LanpostError): void => {
        over();
        reject(error);
      };
      this.#handed.set(both, [...this.#handed.get(both) ?? [], refuse]);
      delivered.finally(over).then(resolve, reject);
    });
    return { delivered: outcome };
  }

  /** It came back: only who it was handed to can say so. */
  refused(id: string, peer: Sender, error: StanzaError): void {
    const why = error.type === 'wait'
      ? new LanpostError('busy', `${peer.name} cannot take it now: ${error.message}`)
      : new LanpostError('forbidden', `${peer.name} does not take it: ${error.message}`);
    // Of several with one id: in the order in which they went.
    this.#handed.get(`${peer.name} ${id}`)?.[0]?.(why);
  }
}

/** Who a stream has proven to be at its other end. */
export interface Sender {
  readonly name: string;
  readonly fingerprint?: string;
  readonly trust: TrustLevel;
}

/** Accounts, as whoever takes a letter knows them. */
export interface OwnAccounts {
  /** Whether the bare JID is one of this box. */
  readonly has: (jid: string) => boolean;
  readonly holder: (jid: string) => string | undefined;
}

/** A message from the link, as the inbox keeps it; nothing when it says nothing. The stream's peer is the only sender. */
export function incomingOf(message: Element, peer: Sender, ownName: string, accounts?: OwnAccounts): Incoming | undefined {
  const said = readMessage(message);
  if (!said || attr(message, 'type') === 'error') return undefined;
  const id = attr(message, 'id');
  const record = parseLetterRecord(message);
  const devices = parseDevices(message);
  const ends = { from: `link:${peer.name}`, to: `link:${ownName}`, ...(accounts && record?.accounts ? between(record.accounts, peer, accounts) : {}) };
  return {
    ...said,
    from: devices.from === undefined ? ends.from : `device:${devices.from}@${ends.from}`,
    to: devices.to === undefined ? ends.to : `device:${devices.to}`,
    trust: peer.trust,
    ...(peer.trust === 'seen' && peer.fingerprint !== undefined ? { key: peer.fingerprint } : {}),
    ...(id === undefined ? {} : { id }),
    ...(record ? originBy(record, peer) : {}),
  };
}

/** It was sent to an account: to this box when that is one of its own, from an account when the peer has shown that it has it. */
function between({ from, to }: Accounts, { fingerprint, trust }: Sender, { has, holder }: OwnAccounts): Partial<Pick<Incoming, 'from' | 'to'>> {
  if (trust !== 'paired' || !has(to)) return {};
  return { to: `xmpp:${to}`, ...(fingerprint !== undefined && holder(from) === fingerprint ? { from: `xmpp:${from}` } : {}) };
}

/** Numbers count only from the box that minted them: no other may use up its place. */
function originBy(record: LetterRecord, peer: Sender): Pick<Incoming, 'origin' | 'behind'> {
  if (peer.fingerprint === undefined) return {};
  originOf(record.id);
  const origin = originOfLetter(record);
  if (origin.box !== boxIdOfFingerprint(peer.fingerprint)) return {};
  return { origin, ...(record.after === undefined ? {} : { behind: record.after }) };
}
