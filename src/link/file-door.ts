import { resolve } from 'node:path';
import type { Box, FileContent, FileEvent } from '../api.ts';
import { late } from '../late.ts';
import { NS_BYTESTREAMS } from '../xep/bytestreams.ts';
import { NS_HASHES, NS_SHA_256 } from '../xep/hashes.ts';
import { NS_IBB } from '../xep/ibb.ts';
import { NS_SI, SI_FEATURES } from '../xep/si.ts';
import type { Dispatcher, IqHandler } from '../xmpp/dispatch.ts';
import { attr, type Element } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import type { PeerContext } from './context.ts';
import type { Files, FilesParts } from './files/files.ts';
import { following } from './files/following.ts';
import type { ProvenPeer } from './streams-port.ts';

/** Where files are asked for and asked about. What carries them is loaded with the first of them. */
export class FileDoor {
  readonly features: readonly string[] = [...SI_FEATURES, NS_BYTESTREAMS, NS_IBB, NS_HASHES, NS_SHA_256];
  readonly #parts: FilesParts;
  #files: Files | undefined;
  #loading: Promise<Files> | undefined;

  constructor(parts: FilesParts) {
    this.#parts = parts;
  }

  attach(dispatcher: Dispatcher<PeerContext>): void {
    dispatcher.iq('set', NS_SI, 'si', async (request) => (this.#files ?? await this.#load()).offered(request));
    // What belongs to an offer comes when it was accepted.
    const known = (handle: (files: Files) => IqHandler<PeerContext>): IqHandler<PeerContext> => async (request) => {
      if (!this.#files) throw new StanzaError('item-not-found');
      return handle(this.#files)(request);
    };
    dispatcher.iq('set', NS_BYTESTREAMS, 'query', known((files) => async (request) => files.streamhosts(request)));
    dispatcher.iq('set', NS_IBB, 'open', known((files) => (request) => files.open(request)));
    dispatcher.iq('set', NS_IBB, 'data', known((files) => (request) => files.data(request)));
    dispatcher.iq('set', NS_IBB, 'close', known((files) => (request) => files.ended(request)));
  }

  /** As a Box has it. */
  readonly box: Box['files'] = {
    send: (peer, file, options = {}) => {
      const name = checkedPeer(peer);
      const content = checkedFile(file);
      const ended = new AbortController();
      // Left while it is being loaded: it has not begun.
      const started = this.#load().then((files) => {
        ended.signal.throwIfAborted();
        return files.send(name, content, options);
      });
      return following(started, () => ended.abort());
    },
    offers: (options) => following(this.#load().then((files) => files.offers(options?.signal))),
    accept: (id, options) => following(this.#load().then((files) => files.accept(id, options?.signal))),
    decline: async (id) => (await this.#load()).decline(id),
    list: async () => this.#files?.list() ?? [],
    watch: (options): AsyncIterableIterator<FileEvent> => following(this.#load().then((files) => files.watch(options?.signal))),
  };

  /** Whether it is part of a file that was accepted. */
  expects(iq: Element, peer: ProvenPeer): boolean {
    const data = iq.getChild('data', NS_IBB);
    return data !== undefined && this.#files?.expects(attr(data, 'sid') ?? '', peer) === true;
  }

  left(name: string): void {
    this.#files?.left(name);
  }

  lost(peer: ProvenPeer): void {
    this.#files?.lost(peer);
  }

  recheck(): void {
    this.#files?.recheck();
  }

  async close(): Promise<void> {
    const files = this.#files ?? await this.#loading?.catch(() => undefined); // told to whoever asked for it
    await files?.close();
  }

  #load(): Promise<Files> {
    this.#loading ??= late('File transfer', () => import('./files/files.ts')).then(({ Files: Loaded }) => {
      this.#files = new Loaded(this.#parts);
      return this.#files;
    }).catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    return this.#loading;
  }
}

function checkedPeer(peer: string): string {
  if (typeof peer !== 'string') throw new TypeError('peer must be a name on the link');
  return peer.startsWith('link:') ? peer.slice('link:'.length) : peer;
}

function checkedFile(file: string | FileContent): string | FileContent {
  if (typeof file === 'string') return resolve(file);
  if (typeof file !== 'object' || file === null || typeof file.name !== 'string' || !(file.data instanceof Uint8Array)) {
    throw new TypeError('a file is a path, or { name, data } with data in a Uint8Array');
  }
  return file;
}
