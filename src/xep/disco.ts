// XEP-0030: Service Discovery, version 2.5.0, with what XEP-0115 wants of it.
import type { Dispatcher, IqRequest } from '../xmpp/dispatch.ts';
import { attr, type Element, xml } from '../xmpp/element.ts';
import type { Extension } from '../xmpp/extension.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { type PageInfo, type PageRequest, readSet, setElement } from './rsm.ts';
import { byOctets, type Caps, capsVersion, type Identity, NS_CAPS } from './caps.ts';

export const NS_DISCO_INFO = 'http://jabber.org/protocol/disco#info';
export const NS_DISCO_ITEMS = 'http://jabber.org/protocol/disco#items';
/** What our own capabilities are hashed with. */
const HASH = 'sha-1';

export interface DiscoItem {
  readonly jid: string;
  readonly node?: string;
  readonly name?: string;
}

/** Answers for nodes other than the entity itself, e.g. topics. Undefined: no such node. */
export interface DiscoNodes<C> {
  info(node: string, context: C): Promise<{ readonly identities: readonly Identity[]; readonly features: readonly string[]; readonly forms?: readonly Element[] } | undefined>;
  /** `page`: which part is asked for (XEP-0059), and then which it is. */
  items(node: string | undefined, context: C, page: PageRequest | undefined): Promise<{ readonly items: readonly DiscoItem[]; readonly set?: PageInfo } | undefined>;
}

export interface DiscoInit {
  readonly identities: readonly Identity[];
  /** What the application is, as a URI: the `node` of its capabilities. */
  readonly node: string;
}

/** Lists what the other extensions can do; they are registered here when they are attached. */
export class Disco<C = unknown> implements Extension<C> {
  readonly features: readonly string[] = [NS_DISCO_INFO, NS_DISCO_ITEMS, NS_CAPS];
  readonly #init: DiscoInit;
  readonly #features = new Set<string>();
  #ver: string | undefined;
  #all: readonly string[] | undefined;
  #changed: () => void = () => undefined;
  #nodes: DiscoNodes<C> | undefined;

  constructor(init: DiscoInit) {
    this.#init = init;
    this.add(this.features);
  }

  /** XEP-0115 §6.1: what is announced is then another. */
  add(features: Iterable<string>): void {
    for (const feature of features) this.#features.add(feature);
    this.#ver = undefined;
    this.#all = undefined;
    this.#changed();
  }

  /** Who answers for nodes: there is one for all of them. */
  serve(nodes: DiscoNodes<C>): void {
    this.#nodes = nodes;
  }

  /** Calls whenever there are more features. */
  use(changed: () => void): void {
    this.#changed = changed;
  }

  get all(): readonly string[] {
    return this.#all ??= [...this.#features].toSorted(byOctets);
  }

  caps(): Caps {
    this.#ver ??= capsVersion({ identities: this.#init.identities, features: this.all }) ?? '';
    return { node: this.#init.node, hash: HASH, ver: this.#ver };
  }

  /** Whether those are our own. Most differ in the first character. */
  announces({ hash, ver }: Caps): boolean {
    const own = this.#ver ?? this.caps().ver;
    return own.charCodeAt(0) === ver.charCodeAt(0) && hash === HASH && own === ver;
  }

  /** The whole `<query/>`: an answer, and what XEP-0174 §10 puts into stream features. */
  query(node?: string): Element {
    return infoQuery(this.#init.identities, this.all, node);
  }

  attach(dispatcher: Dispatcher<C>): void {
    dispatcher.iq('get', NS_DISCO_INFO, 'query', request => this.#info(request));
    dispatcher.iq('get', NS_DISCO_ITEMS, 'query', request => this.#items(request));
  }

  async #info({ payload, context }: IqRequest<C>): Promise<Element> {
    const node = attr(payload, 'node');
    const { node: own, ver } = this.caps();
    // XEP-0115 §6.2: asked about node#ver, the answer carries that node.
    if (node === undefined || node === '' || node === `${own}#${ver}`) return this.query(node);
    const info = await this.#nodes?.info(node, context);
    if (!info) throw new StanzaError('item-not-found');
    const query = infoQuery(info.identities, info.features, node);
    query.append(...info.forms ?? []);
    return query;
  }

  async #items({ payload, context }: IqRequest<C>): Promise<Element> {
    const node = attr(payload, 'node');
    const answer = await this.#nodes?.items(node, context, readSet(payload));
    if (!answer && node !== undefined) throw new StanzaError('item-not-found');
    return xml('query', { xmlns: NS_DISCO_ITEMS, node }, ...(answer?.items ?? []).map(item => xml('item', { ...item })), answer?.set && setElement(answer.set));
  }
}

function infoQuery(identities: readonly Identity[], features: readonly string[], node?: string): Element {
  return xml('query', { xmlns: NS_DISCO_INFO, ...(node === undefined ? {} : { node }) },
    ...identities.map(({ lang, ...identity }) => xml('identity', { ...identity, 'xml:lang': lang })),
    ...features.map(feature => xml('feature', { var: feature })));
}
