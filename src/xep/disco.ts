// XEP-0030: Service Discovery, version 2.5.0, and XEP-0115: Entity Capabilities, version 1.6.0.
import { createHash } from 'node:crypto';
import type { Dispatcher, IqRequest } from '../xmpp/dispatch.ts';
import { attr, type Element, xml } from '../xmpp/element.ts';
import type { Extension } from '../xmpp/extension.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

export const NS_DISCO_INFO = 'http://jabber.org/protocol/disco#info';
export const NS_DISCO_ITEMS = 'http://jabber.org/protocol/disco#items';
export const NS_CAPS = 'http://jabber.org/protocol/caps';

export interface DiscoIdentity {
  readonly category: string;
  readonly type: string;
  readonly name?: string;
}

export interface DiscoItem {
  readonly jid: string;
  readonly node?: string;
  readonly name?: string;
}

/** Answers for nodes other than the entity itself, e.g. topics. Undefined: no such node. */
export interface DiscoNodes<C> {
  info(node: string, context: C): Promise<{ readonly identities: readonly DiscoIdentity[]; readonly features: readonly string[]; readonly forms?: readonly Element[] } | undefined>;
  items(node: string | undefined, context: C): Promise<readonly DiscoItem[] | undefined>;
}

export interface DiscoInit<C> {
  readonly identities: readonly DiscoIdentity[];
  /** What the application is, as a URI: the `node` of its capabilities. */
  readonly node: string;
  readonly nodes?: DiscoNodes<C>;
}

export interface Caps {
  readonly node: string;
  readonly hash: string;
  readonly ver: string;
}

const byOctets = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** XEP-0115 §5.1: the verification string, without forms: lanpost sends none about itself. */
export function capsVersion(identities: readonly DiscoIdentity[], features: Iterable<string>): string {
  const who = identities.map(({ category, type, name }) => `${category}/${type}//${name ?? ''}<`).toSorted(byOctets);
  const what = [...new Set(features)].toSorted(byOctets).map(feature => `${feature}<`);
  return createHash('sha1').update([...who, ...what].join('')).digest('base64');
}

/** Lists what the other extensions can do; they are registered here when they are attached. */
export class Disco<C = unknown> implements Extension<C> {
  readonly features: readonly string[] = [NS_DISCO_INFO, NS_DISCO_ITEMS, NS_CAPS];
  readonly #init: DiscoInit<C>;
  readonly #features = new Set<string>();

  constructor(init: DiscoInit<C>) {
    this.#init = init;
    this.add(this.features);
  }

  add(features: Iterable<string>): void {
    for (const feature of features) this.#features.add(feature);
  }

  caps(): Caps {
    return { node: this.#init.node, hash: 'sha-1', ver: capsVersion(this.#init.identities, this.#features) };
  }

  /** The whole `<query/>`: an answer, and what XEP-0174 §10 puts into stream features. */
  query(node?: string): Element {
    return infoQuery(this.#init.identities, [...this.#features].toSorted(byOctets), node);
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
    const info = await this.#init.nodes?.info(node, context);
    if (!info) throw new StanzaError('item-not-found');
    const query = infoQuery(info.identities, info.features, node);
    query.append(...info.forms ?? []);
    return query;
  }

  async #items({ payload, context }: IqRequest<C>): Promise<Element> {
    const node = attr(payload, 'node');
    const items = await this.#init.nodes?.items(node, context);
    if (!items && node !== undefined) throw new StanzaError('item-not-found');
    return xml('query', { xmlns: NS_DISCO_ITEMS, ...(node === undefined ? {} : { node }) }, ...(items ?? []).map(item => xml('item', { ...item })));
  }
}

function infoQuery(identities: readonly DiscoIdentity[], features: readonly string[], node?: string): Element {
  return xml('query', { xmlns: NS_DISCO_INFO, ...(node === undefined ? {} : { node }) },
    ...identities.map(identity => xml('identity', { ...identity })),
    ...features.map(feature => xml('feature', { var: feature })));
}
