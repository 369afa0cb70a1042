import type { Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Browsing } from '../mdns/mdns.ts';
import { Seldom } from '../seldom.ts';
import { avatarHash, NULL_RECORD } from './avatar.ts';
import type { KnownPeer } from './peers.ts';

export interface AvatarsParts {
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly peer: (name: string) => KnownPeer | undefined;
  readonly ask: Browsing['ask'];
}

/** Pictures remembered, by their hashes. */
const REMEMBERED = 64;

interface Fetch { readonly hash: string; readonly stop: AbortController; readonly image: Promise<Uint8Array | undefined> }

/** XEP-0174 §11.2: pictures of peers, fetched when they are wanted and their hash is new. */
export class Avatars {
  readonly #parts: AvatarsParts;
  readonly #images = new Map<string, Uint8Array>();
  /** By name: one query at a time for each. */
  readonly #fetches = new Map<string, Fetch>();
  readonly #seldom: Seldom;

  constructor(parts: AvatarsParts) {
    this.#parts = parts;
    this.#seldom = new Seldom(parts.clock, parts.trouble);
  }

  /** Undefined: it has none, or not the one it announces. */
  async of(name: string): Promise<Uint8Array | undefined> {
    const peer = this.#parts.peer(name);
    if (!peer) throw new LanpostError('not-found', `${name} is not on the link: see \`lanpost peers\``);
    const hash = peer.claims.avatar;
    if (hash === undefined) return undefined;
    const known = this.#remembered(hash);
    if (known) return Uint8Array.from(known);
    const image = await this.#fetch(name, hash);
    return image && Uint8Array.from(image);
  }

  /** What is announced of it is different now, or it is gone: §9, what is still asked of it is not any more. */
  changed(name: string): void {
    const fetch = this.#fetches.get(name);
    if (fetch && this.#parts.peer(name)?.claims.avatar !== fetch.hash) this.#cancel(name, fetch);
  }

  close(): void {
    for (const [name, fetch] of this.#fetches) this.#cancel(name, fetch);
  }

  #cancel(name: string, { stop }: Fetch): void {
    this.#fetches.delete(name);
    stop.abort(new LanpostError('unreachable', `${name} has left the link, or has another picture now`));
  }

  #fetch(name: string, hash: string): Promise<Uint8Array | undefined> {
    const running = this.#fetches.get(name);
    if (running?.hash === hash) return running.image;
    if (running) this.#cancel(name, running);
    const stop = new AbortController();
    const fetch: Fetch = { hash, stop, image: this.#asked(name, hash, stop.signal).finally(() => this.#ended(name, fetch)) };
    this.#fetches.set(name, fetch);
    return fetch.image;
  }

  #ended(name: string, fetch: Fetch): void {
    if (this.#fetches.get(name) === fetch) this.#fetches.delete(name);
  }

  async #asked(name: string, hash: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    let image: Uint8Array;
    try {
      // The query ends with its answer (§11.2).
      image = await this.#parts.ask(name, NULL_RECORD, { signal });
    } catch (error) {
      if (error instanceof LanpostError && error.code === 'not-found') return undefined;
      throw error;
    }
    const found = avatarHash(image);
    if (found === hash) {
      this.#remember(hash, Uint8Array.from(image));
      return image;
    }
    this.#seldom.tell({ kind: 'link.avatar', message: `the picture of ${name} is not the one it announces` });
    return undefined;
  }

  #remembered(hash: string): Uint8Array | undefined {
    const image = this.#images.get(hash);
    if (image) this.#remember(hash, image);
    return image;
  }

  /** The longest unused goes first. */
  #remember(hash: string, image: Uint8Array): void {
    this.#images.delete(hash);
    this.#images.set(hash, image);
    const [oldest] = this.#images.keys();
    if (this.#images.size > REMEMBERED && oldest !== undefined) this.#images.delete(oldest);
  }
}
