import { createHash } from 'node:crypto';
import type { Clock, Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { buildUsed, destination, NS_BYTESTREAMS, type StreamhostsQuery } from '../../xep/bytestreams.ts';
import { buildClose, type IbbOpen, NS_IBB, parseData } from '../../xep/ibb.ts';
import { buildAnswer, type SiOffer } from '../../xep/si.ts';
import { type Element, xml } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import type { Link } from '../link.ts';
import { drink, reachStreamhost } from './bytestream.ts';
import { InBandReceiver } from './in-band.ts';
import type { Draft, ReceivedFolder } from './received-folder.ts';
import { toStanzaError } from './refused.ts';
import type { Ruling } from './ruling.ts';
import type { Transfer } from './transfer.ts';

export interface IncomingInit {
  readonly transfer: Transfer;
  /** By which it was let in. */
  readonly ruling: Ruling;
  readonly offer: SiOffer;
  /** The way that will be chosen. */
  readonly method: string;
  /** Of the request that is still to be answered. */
  readonly requestId: string;
  readonly link: Link;
  readonly folder: ReceivedFolder;
  readonly clock: Clock;
}

/** How long the sender has to begin once it was told to, ms. */
const START_TIME = 30_000;

/** One file from a peer, from the offer to its place in the folder. */
export class Incoming {
  readonly transfer: Transfer;
  readonly sid: string;
  readonly ruling: Ruling;
  readonly #init: IncomingInit;
  readonly #hash = createHash('sha256');
  readonly #peerIsTold = { value: false };
  #stage: 'offered' | 'reserving' | 'accepted' | 'begun' = 'offered';
  #draft: Draft | undefined;
  #receiver: InBandReceiver | undefined;
  #starting: Timer | undefined;
  /** Resolves when nothing is left of it but what it was for. */
  readonly settled: Promise<void>;

  constructor(init: IncomingInit) {
    this.#init = init;
    this.transfer = init.transfer;
    this.sid = init.offer.sid;
    this.ruling = init.ruling;
    this.settled = new Promise((resolve) => {
      // What cannot be tidied is swept at the next start.
      init.transfer.ended.addEventListener('abort', () => { void this.#tidy().catch(() => undefined).then(resolve); }, { once: true });
    });
  }

  /** Whether somebody has still to decide. */
  get open(): boolean {
    return this.#stage === 'offered' && !this.transfer.over;
  }

  /** Whether bytes of it come over the stream. */
  get isReceiving(): boolean {
    return this.#receiver !== undefined;
  }

  /** Makes room for it and tells the sender to begin. Rejects when there is no room: it stays an offer. */
  async accept(): Promise<void> {
    const { transfer, folder, offer, method, clock } = this.#init;
    this.#stage = 'reserving';
    try {
      this.#draft = await folder.reserve(transfer.peer, transfer.name, offer.size, transfer.fingerprint);
    } catch (error) {
      this.#stage = 'offered';
      throw error;
    }
    if (transfer.over) {
      // Taken back or expired meanwhile.
      await this.#draft.discard();
      return;
    }
    this.#stage = 'accepted';
    transfer.accepted();
    this.#starting = clock.after(START_TIME, () => transfer.fail(new LanpostError('timeout', `${transfer.peer} did not begin to send`)));
    await this.#reply('result', buildAnswer(method), this.#init.requestId).catch((error: unknown) => transfer.fail(error));
  }

  /** XEP-0047 §2.1. */
  begin({ blockBytes }: IbbOpen): void {
    if (this.#stage !== 'accepted' || this.#init.method !== NS_IBB || !this.#draft) throw new StanzaError('not-acceptable', { type: 'cancel' });
    this.#started();
    this.#receiver = new InBandReceiver(blockBytes, this.transfer, this.#draft, (bytes) => this.#hash.update(bytes));
  }

  async data(payload: Element): Promise<void> {
    if (!this.#receiver) throw new StanzaError('item-not-found');
    try {
      await this.#receiver.data(parseData(payload));
    } catch (error) {
      // It ended while the block was on its way.
      if (this.transfer.over) throw new StanzaError('item-not-found');
      this.transfer.fail(error instanceof StanzaError ? new LanpostError('disconnected', `${this.transfer.peer} sent what does not belong there: ${error.message}`, { cause: error }) : error);
      throw toStanzaError(error);
    }
  }

  /** The sender says that this is all, or that it has thought better of it. Resolves when the file is in its place. */
  async end(): Promise<void> {
    this.#peerIsTold.value = true;
    if (!this.#receiver) {
      this.transfer.fail(new LanpostError('disconnected', `${this.transfer.peer} has taken the offer back`));
      return;
    }
    try {
      await this.#receiver.end();
      await this.#keep();
    } catch (error) {
      this.transfer.fail(error);
      throw toStanzaError(error);
    }
  }

  /** XEP-0065 §5.3.2: fetches the file from where the sender says. Never rejects. */
  async fetch({ streamhosts }: StreamhostsQuery, requestId: string): Promise<void> {
    const { link, offer, method, transfer } = this.#init;
    const draft = this.#draft;
    if (this.#stage !== 'accepted' || method !== NS_BYTESTREAMS || !draft) throw new StanzaError('not-acceptable');
    this.#started();
    try {
      const name = destination(offer.sid, transfer.peer, link.name);
      const reached = await reachStreamhost(streamhosts, name, link.peers.get(transfer.peer), link.interfaces(), link.tcp, transfer.ended);
      if (!reached) {
        this.#peerIsTold.value = true;
        await this.#reply('error', new StanzaError('item-not-found', { text: 'no streamhost could be connected to' }).toElement(), requestId);
        throw new LanpostError('unreachable', `${transfer.peer} cannot be connected to: none of the addresses it gave is its own, on this link, and answers`);
      }
      const drunk = drink(reached, transfer, async (bytes) => {
        await draft.write(bytes);
        this.#hash.update(bytes);
      });
      await Promise.all([drunk, this.#reply('result', buildUsed(offer.sid, reached.jid), requestId)]);
      await this.#keep();
    } catch (error) {
      transfer.fail(error);
    }
  }

  #started(): void {
    this.#stage = 'begun';
    this.#starting?.stop();
  }

  async #keep(): Promise<void> {
    const { offer, transfer } = this.#init;
    const draft = this.#draft;
    if (!draft || transfer.over) throw transfer.ended.reason;
    if (offer.sha256 !== undefined && this.#hash.digest('base64') !== offer.sha256) throw new LanpostError('conflict', `what came from ${transfer.peer} is not what it had announced`);
    transfer.done(await draft.keep(transfer.ended));
  }

  #reply(type: 'result' | 'error', payload: Element, id: string): Promise<unknown> {
    return this.#init.link.send(this.transfer.peer, xml('iq', { type, id }, payload));
  }

  /** It has ended: the sender is told, unless it knows, and what had come of it goes. */
  async #tidy(): Promise<void> {
    const { transfer, method, link, requestId } = this.#init;
    this.#starting?.stop();
    // A draft that was kept is none any more.
    await this.#draft?.discard();
    if (transfer.now.type === 'done' || this.#peerIsTold.value) return;
    const unanswered = this.#stage === 'offered' || this.#stage === 'reserving';
    // Not to call whoever has gone only to say that it need not have come.
    const there = transfer.fingerprint === undefined || link.ends(transfer.peer) !== undefined;
    const telling = unanswered ? this.#reply('error', toStanzaError(transfer.ended.reason).toElement(), requestId)
      : method === NS_IBB && there ? link.request(transfer.peer, buildClose(this.sid), { timeout: START_TIME }) : undefined;
    telling?.catch(() => undefined); // it has gone itself
  }
}
