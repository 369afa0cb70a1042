import type { Duplex } from 'node:stream';
import type { RelayStatus } from '../api.ts';
import { late } from '../late.ts';
import { NS_RELAY, type RelayService } from '../xep/relay.ts';
import type { Dispatcher, IqHandler } from '../xmpp/dispatch.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import type { PeerContext } from './context.ts';
import type { Relays, RelaysParts } from './relay/relays.ts';
import type { ProvenPeer } from './streams-port.ts';

export interface RelayDoorParts extends RelaysParts {
  /** A peer that refused says that it does not any more. */
  readonly allowed?: (() => void) | undefined;
}

/** Where relays are asked for. What carries them is loaded with the first of them. */
export class RelayDoor {
  readonly features: readonly string[] = [NS_RELAY];
  readonly #parts: RelayDoorParts;
  #relays: Relays | undefined;
  #closed = false;

  constructor(parts: RelayDoorParts) {
    this.#parts = parts;
  }

  attach(dispatcher: Dispatcher<PeerContext>): void {
    dispatcher.iq('set', NS_RELAY, 'connect', async (request) => {
      // Strangers do not have it loaded.
      if (request.context.trust !== 'paired') throw new StanzaError('forbidden');
      return (this.#relays ?? await this.#load()).asked(request);
    });
    dispatcher.iq('set', NS_RELAY, 'allowed', async (request) => {
      if (request.context.trust !== 'paired') throw new StanzaError('forbidden');
      this.#parts.allowed?.();
      return undefined;
    });
    const known = (handle: (relays: Relays) => IqHandler<PeerContext>): IqHandler<PeerContext> => async (request) => {
      if (!this.#relays) throw new StanzaError('item-not-found');
      return handle(this.#relays)(request);
    };
    dispatcher.iq('set', NS_RELAY, 'data', known((relays) => async (request) => relays.data(request)));
    dispatcher.iq('set', NS_RELAY, 'close', known((relays) => (request) => relays.ended(request)));
  }

  async dial(peer: ProvenPeer, to: string, signal: AbortSignal, service?: RelayService): Promise<Duplex> {
    return (this.#relays ?? await this.#load()).dial(peer, to, signal, service);
  }

  lost(peer: ProvenPeer): void {
    this.#relays?.lost(peer);
  }

  recheck(): void {
    this.#relays?.recheck();
  }

  list(): RelayStatus[] {
    return this.#relays?.list() ?? [];
  }

  close(): void {
    this.#closed = true;
    this.#relays?.close();
  }

  async #load(): Promise<Relays> {
    const { Relays: Loaded } = await late('What relays', () => import('./relay/relays.ts'));
    this.#relays ??= new Loaded(this.#parts);
    if (this.#closed) this.#relays.close();
    return this.#relays;
  }
}
