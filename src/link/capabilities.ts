import type { Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { Seldom } from '../seldom.ts';
import type { Caps } from '../xep/caps.ts';
import { CapsCache } from '../xep/caps-cache.ts';
import { type Disco, NS_DISCO_INFO } from '../xep/disco.ts';
import { attr, type Element, xml } from '../xmpp/element.ts';
import type { PeerContext } from './context.ts';

export interface CapabilitiesParts {
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly disco: Disco<PeerContext>;
  /** What the peer of that name announces, if it is on the link. */
  readonly claimed: (name: string) => { readonly caps?: Caps } | undefined;
  readonly isConnected: (name: string) => boolean;
  /** Ends a stream that nothing else is spoken on. */
  readonly leave: (name: string) => void;
  readonly request: (name: string, iq: Element, options: { readonly timeout: number }) => Promise<Element>;
  /** More is known of that peer now. */
  readonly changed: (name: string) => void;
}

/** COMPAT(libpurple 2.14): answers no request. */
const ANSWER_WITHIN = 10_000;
/** Peers remembered whose answer could not be checked. */
const UNCHECKED = 128;

interface Unchecked { readonly announced: string; readonly features: readonly string[] }

/** XEP-0174 §10: what the software of each peer can do, as far as it has been told and fits what is announced. */
export class Capabilities {
  readonly #parts: CapabilitiesParts;
  readonly #cache = new CapsCache();
  /** What could not be checked counts for that peer alone (XEP-0115 §5.4), and as long as it announces the same. */
  readonly #unchecked = new Map<string, Unchecked>();
  readonly #seldom: Seldom;

  constructor(parts: CapabilitiesParts) {
    this.#parts = parts;
    this.#seldom = new Seldom(parts.clock, parts.trouble);
  }

  /** Namespaces of what it can do; undefined: not known yet. */
  of(name: string, claims: { readonly caps?: Caps } | undefined = this.#parts.claimed(name)): readonly string[] | undefined {
    if (!claims) return undefined;
    const { caps } = claims;
    const { disco } = this.#parts;
    // Most of the others are boxes too.
    const known = caps && (disco.announces(caps) ? disco.all : this.#cache.get(caps)?.features);
    if (known || this.#unchecked.size === 0) return known;
    const unchecked = this.#unchecked.get(name);
    return unchecked && unchecked.announced === announced(caps) ? unchecked.features : undefined;
  }

  /** As `of`, asking when it is not known; opens a stream when there is none. */
  async discover(name: string): Promise<readonly string[] | undefined> {
    const known = this.of(name);
    if (known) return known;
    const { claimed, isConnected, leave, request } = this.#parts;
    const claims = claimed(name);
    if (!claims) throw new LanpostError('not-found', `${name} is not on the link: see \`lanpost peers\``);
    const { caps } = claims;
    const forThis = !isConnected(name);
    const node = caps && { node: `${caps.node}#${caps.ver}` };
    try {
      const answer = await request(name, xml('iq', { type: 'get' }, xml('query', { xmlns: NS_DISCO_INFO, ...node })), { timeout: ANSWER_WITHIN });
      const query = answer.getChild('query', NS_DISCO_INFO);
      if (query) this.heard(name, query);
    } finally {
      // XEP-0174 §10: who wanted no more than this ends the stream, answered or not.
      if (forThis) leave(name);
    }
    return this.of(name);
  }

  /** The peer has told it, in the features of its stream or when asked. */
  heard(name: string, query: Element): void {
    const claims = this.#parts.claimed(name);
    if (!claims || this.of(name)) return;
    const { caps } = claims;
    const node = attr(query, 'node');
    // It has been changed since: what is announced of it will come.
    if (caps && node !== undefined && node !== `${caps.node}#${caps.ver}`) return;
    // Without a hash a `ver` is a version and says nothing about this (XEP-0115 §5.4, §11).
    const lesson = this.#cache.learn(caps ?? { node: '', hash: '', ver: '' }, query);
    if (lesson.outcome === 'wrong') {
      this.#seldom.tell({ kind: 'link.caps', message: `what ${name} says it can do is not what it announces` });
      return;
    }
    if (lesson.outcome === 'unchecked') this.#keep(name, { announced: announced(caps), features: lesson.info.features });
    this.#parts.changed(name);
  }

  gone(name: string): void {
    this.#unchecked.delete(name);
  }

  #keep(name: string, unchecked: Unchecked): void {
    this.#unchecked.delete(name);
    this.#unchecked.set(name, unchecked);
    const [oldest] = this.#unchecked.keys();
    if (this.#unchecked.size > UNCHECKED && oldest !== undefined) this.#unchecked.delete(oldest);
  }
}

const announced = (caps: Caps | undefined): string => (caps ? `${caps.node} ${caps.hash} ${caps.ver}` : '');
