// Mail by way of a home: handed when the server has it (XEP-0198 `h`). To a box whose account it is alone, delivered
// when the box says so; until then the letter is kept, and may go another way.
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { type Address, deviceOf, type Place, placeOf } from '../mail/address.ts';
import type { Letter } from '../mail/letter.ts';
import type { Handed, Road } from '../mail/road.ts';
import { fingerprintOf } from '../trust/fingerprint.ts';
import { isSealed, type Sealer, sealKey, type SealLabel } from '../trust/seal.ts';
import { deviceElements, type DevicePair, threadOf } from '../xep/device.ts';
import { type Accounts, letterRecord, letterStatement, parseLetterRecord, parseReceived, parseRefused, receivedStatement } from '../xep/letter-record.ts';
import { type Element, isLegal, serialize } from '../xmpp/element.ts';
import { bare, parseJid } from '../xmpp/jid.ts';
import { buildMessage } from '../xmpp/stanza.ts';
import type { StanzaError } from '../xmpp/stanza-error.ts';
import { checkJid } from './checked-jid.ts';
import type { Home } from './home.ts';

/** How long a box has to say that it has a letter, from when its server has it; doubled each time that it says nothing. */
const PATIENCE = { first: 60_000, most: 3_600_000 };

/** How long a letter that nobody confirms may come back after its server has it: offline stores refuse late. And of how many that is watched. */
const RETURNS = { within: 60_000, letters: 1_000 };

/** Boxes at accounts, and what this one signs for them with. */
export interface BoxAccounts {
  readonly seal: Sealer;
  readonly fingerprint: string;
  /** Whose alone a bare JID is said to be; `proven`: and has been shown to be. */
  readonly claimed: (jid: string) => { readonly fingerprint: string; readonly proven: boolean } | undefined;
}

export interface HomeRoadParts {
  readonly homes: () => Iterable<Home>;
  readonly stanzaBytes: number;
  readonly clock: Clock;
  readonly boxes?: BoxAccounts;
}

interface Waiting {
  readonly account: string;
  readonly id: string;
  readonly fingerprint: string;
  readonly delivered: () => void;
  readonly failed: (error: LanpostError) => void;
}

/** Handed to the server of an account that confirms nothing. */
interface Passed {
  readonly account: string;
  readonly id: string;
  readonly over: () => void;
  readonly cameBack: (error: LanpostError) => void;
}

export class HomeRoad implements Road {
  readonly #parts: HomeRoadParts;
  /** By account and record id: letters that a box has not said it has, as many as the outboxes let be on their way. */
  readonly #waiting = new Map<string, Waiting>();
  /** By account and message id. */
  readonly #passed = new Map<string, Passed>();
  /** By account: how often in a row nothing was heard, and since when. */
  readonly #silent = new Map<string, { times: number; until: number }>();

  constructor(parts: HomeRoadParts) {
    this.#parts = parts;
  }

  /** The home of the account's own domain first; any other can federate. */
  homeFor(jid: string, any = false): Home | undefined {
    const domain = parseJid(jid)?.domain;
    if (domain === undefined) return undefined;
    const homes = [...this.#parts.homes()].filter((home) => any || home.online);
    return homes.find((home) => home.account.address.domain === domain) ?? homes[0];
  }

  reaches(address: Address): boolean {
    const place = placeOf(address);
    return place?.kind === 'xmpp' && this.homeFor(place.jid) !== undefined;
  }

  holds(address: Address): boolean {
    const place = placeOf(address);
    if (place?.kind !== 'xmpp' || !parseJid(place.jid)) return false;
    return [...this.#parts.homes()].length > 0;
  }

  check(address: Address, given: string): void {
    const place = placeOf(address);
    if (place) checkJid(place, given);
  }

  async deliver(address: Address, letter: Letter): Promise<Handed> {
    const place: Place | undefined = placeOf(address);
    const account = place?.kind === 'xmpp' ? bare(place.jid) : undefined;
    if (place?.kind !== 'xmpp' || account === undefined) throw new LanpostError('invalid-value', `A home does not carry mail for ${letter.to}.`);
    const { jid } = place;
    const home = this.homeFor(jid);
    if (!home) throw new LanpostError('unreachable', `No home is connected that could carry mail for ${jid}.`);
    const { boxes } = this.#parts;
    const claim = boxes?.claimed(account);
    const devices: DevicePair = { from: letter.device, to: deviceOf(address) };
    const record = boxes && claim && sealed(boxes.seal, letter, { from: home.account.jid, to: account }, claim.fingerprint, devices);
    // Who is no box answers in the thread. What is signed stays as it was said.
    const thread = letter.thread ?? (letter.device !== undefined && !record ? threadOf(letter.device) : undefined);
    const build = (): Element => buildMessage({
      to: jid, type: 'chat', id: letter.id, body: letter.body,
      ...(letter.subject === undefined ? {} : { subject: letter.subject }),
      ...(thread === undefined ? {} : { thread }),
      extensions: [...(record ? [record] : []), ...deviceElements(devices)],
    });
    // It would end the stream, again and again.
    for (const text of [letter.body, letter.subject, letter.thread, letter.id]) if (text !== undefined && !isLegal(text)) throw new LanpostError('invalid-value', 'The message holds characters that XML cannot.');
    if (Buffer.byteLength(serialize(build())) > this.#parts.stanzaBytes) throw new LanpostError('too-large', 'The message is larger than homes accept.');
    // A session that is being taken up again may take its time: the link may open before.
    const handed = home.send(build);
    if (!claim?.proven) return { handed, taken: handed, alone: true, stays: this.#watched(account, letter, handed) };
    return { handed, delivered: this.#confirmed(account, letter, claim.fingerprint, handed) };
  }

  #watched(account: string, { id }: Letter, handed: Promise<void>): Promise<void> {
    const key = `${account} ${id}`;
    const { clock } = this.#parts;
    return new Promise<void>((resolve, reject) => {
      let timer: ReturnType<Clock['after']> | undefined;
      const over = (): void => {
        timer?.stop();
        if (this.#passed.get(key) === passed) this.#passed.delete(key);
        resolve();
      };
      const passed: Passed = { account, id, over, cameBack: (error) => { reject(error); over(); } };
      this.#passed.get(key)?.over();
      this.#passed.set(key, passed);
      if (this.#passed.size > RETURNS.letters) this.#passed.values().next().value?.over();
      const wait = (): void => { if (this.#passed.get(key) === passed) timer = clock.after(RETURNS.within, over); };
      handed.then(wait, over);
    });
  }

  #confirmed(account: string, { id, recordId }: Letter, fingerprint: string, handed: Promise<void>): Promise<void> {
    const key = `${account} ${recordId}`;
    const { clock } = this.#parts;
    return new Promise<void>((resolve, reject) => {
      const over = (): void => {
        timer?.stop();
        if (this.#waiting.get(key) === waiting) this.#waiting.delete(key);
      };
      const waiting: Waiting = {
        account, id, fingerprint,
        delivered: () => { over(); resolve(); },
        failed: (error) => { over(); reject(error); },
      };
      let timer: ReturnType<Clock['after']> | undefined;
      // The same letter, sent again after another road was tried: whoever waits for the older one hears of this one no more.
      this.#waiting.get(key)?.failed(new LanpostError('disconnected', 'it goes again'));
      this.#waiting.set(key, waiting);
      const wait = (): void => {
        if (this.#waiting.get(key) === waiting) timer = clock.after(this.#patience(account), () => {
          this.#heardNothing(account);
          waiting.failed(new LanpostError('timeout', `${account} does not say that it has the message`));
        });
      };
      handed.then(wait, (error: unknown) => waiting.failed(error instanceof LanpostError ? error : new LanpostError('disconnected', String(error), { cause: error })));
    });
  }

  #patience(account: string): number {
    return Math.min(PATIENCE.most, PATIENCE.first * 2 ** (this.#silent.get(account)?.times ?? 0));
  }

  /** Letters that were sent together are silent together: that counts once. */
  #heardNothing(account: string): void {
    const now = this.#parts.clock.mono();
    const before = this.#silent.get(account);
    if (before && now < before.until) return;
    const times = (before?.times ?? 0) + 1;
    this.#silent.set(account, { times: Math.min(times, 16), until: now + PATIENCE.first / 2 });
  }

  /** A box says that it has a letter of ours: only the key it is for can. */
  received(element: Element, from: string): void {
    const waiting = this.#signedBy(from, parseReceived(element), 'lanpost receipt 1');
    if (!waiting) return;
    this.#silent.delete(waiting.account);
    waiting.delivered();
  }

  /**
   * It came back. A server says from whom, and can say what it likes: it ends with the word of the box alone, which is
   * signed. Of what else comes back nothing is final: who is not there may come, and the link may open. For whoever confirms
   * nothing, the server has the last word.
   */
  returned(from: string, error: StanzaError, id: string | undefined): void {
    const account = bare(from);
    const passed = [...this.#passed.values()].find((one) => one.id === id && (one.account === account || one.account.endsWith(`@${from}`)));
    passed?.cameBack(new LanpostError(error.type === 'wait' ? 'unreachable' : 'forbidden', `${passed.account} does not take it: ${error.message}`));
    const refused = parseRefused(error.application);
    const waiting = refused && this.#signedBy(from, refused, 'lanpost refusal 1');
    waiting?.failed(new LanpostError('forbidden', `${waiting.account} does not take it: ${error.message}`));
  }

  /** The letter of which the box that it is for says that. */
  #signedBy(from: string, { id, signed }: ReturnType<typeof parseReceived>, label: SealLabel): Waiting | undefined {
    const account = bare(from);
    const waiting = account === undefined ? undefined : this.#waiting.get(`${account} ${id}`);
    const spki = sealKey(signed);
    const { boxes } = this.#parts;
    if (!boxes || !waiting || !spki || fingerprintOf(spki) !== waiting.fingerprint) return undefined;
    return isSealed(signed, label, receivedStatement(id, boxes.fingerprint, waiting.fingerprint)) ? waiting : undefined;
  }

  close(): void {
    for (const waiting of this.#waiting.values()) waiting.failed(new LanpostError('closed'));
    for (const passed of this.#passed.values()) passed.over();
  }
}

/** The number that goes with the letter over every road, signed: no server can use up the numbers of a box. */
function sealed(seal: Sealer, letter: Letter, accounts: Accounts, recipient: string, devices: DevicePair): Element {
  const said = parseLetterRecord(buildMessage({ extensions: [letterRecord(letter, accounts, recipient)] }));
  if (!said) throw new LanpostError('corrupt', `${letter.recordId} is no record id.`);
  return letterRecord(letter, accounts, recipient, seal.seal('lanpost letter 1', letterStatement(said, letter, devices)));
}
