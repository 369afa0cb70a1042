// Where the nodes of topics are: in the home's pubsub service or, where that lets the account make none or is not there, in the
// account's own (PEP, XEP-0163 1.2.2). What was chosen is kept on disk and stays: readers must know where to look.
import type { Registry } from '../log/registry.ts';
import { attr, xml, type Element } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { reasonOf } from './reason.ts';

const NS_INFO = 'http://jabber.org/protocol/disco#info';
const NS_ITEMS = 'http://jabber.org/protocol/disco#items';

/** Between account and topic in a key: neither has one. A key without a topic is of all of them. */
const BAR = '\n';

function prefixOf(jid: string): string {
  return `pep:${jid}${BAR}`;
}

export interface PepParts {
  readonly registry: Registry;
  readonly jid: string;
  /** The home's pubsub service, unless the owner wants the account's own. */
  readonly service: string;
  /** Whether the owner left it open. */
  readonly open: boolean;
}

export interface PepStatus {
  readonly reason: string;
  /** Absent when it is all of them. */
  readonly topics?: readonly string[];
}

type Request = (iq: Element) => Promise<Element>;

/** It is not there, as far as it can be told; or it could not be reached. */
const ABSENT: readonly string[] = ['remote-server-not-found', 'remote-server-timeout', 'service-unavailable'];

export class Pep {
  readonly #parts: PepParts;
  /** Topic to why. */
  readonly #chosen = new Map<string, string>();
  #all: string | undefined;
  /** The service has done something for the account: that it is not there is then a matter of waiting. */
  #served = false;

  constructor(parts: PepParts) {
    this.#parts = parts;
    const prefix = prefixOf(parts.jid);
    if (!parts.open) return;
    for (const [key, row] of parts.registry.entries(prefix)) {
      const topic = key.slice(prefix.length);
      if (row === true) this.#served = true;
      else if (topic === '') this.#all = String(row);
      else this.#chosen.set(topic, String(row));
    }
  }

  /** Whom to ask about the topic's node. */
  serviceOf(topic: string): string {
    const { service, jid } = this.#parts;
    return this.#all !== undefined || this.#chosen.has(topic) ? jid : service;
  }

  isPep(topic: string): boolean {
    return this.serviceOf(topic) === this.#parts.jid;
  }

  get status(): PepStatus | undefined {
    const { service, jid } = this.#parts;
    if (service === jid) return { reason: 'the owner said so' };
    if (this.#all !== undefined) return { reason: this.#all };
    const [reason] = this.#chosen.values();
    return reason === undefined ? undefined : { reason, topics: [...this.#chosen.keys()] };
  }

  /** The service did what it was asked. */
  served(): void {
    if (this.#served || !this.#parts.open || this.#all !== undefined) return;
    this.#served = true;
    // Should it not come to disk, the service is there to say it again.
    this.#parts.registry.set(prefixOf(this.#parts.jid), true).catch(() => undefined);
  }

  /** Nothing of it can be made there; resolves to whether it goes to the account's own from now on. */
  async chooseFor(topic: string, reason: string, request: Request): Promise<boolean> {
    if (!this.#parts.open || this.isPep(topic) || !await this.#hasPep(request)) return false;
    await this.#parts.registry.set(prefixOf(this.#parts.jid) + topic, reason);
    this.#chosen.set(topic, reason);
    return true;
  }

  /** The service did not answer as one that is there; resolves to whether all goes to the account's own from now on. */
  async choose(error: unknown, request: Request): Promise<boolean> {
    const { open, service, jid } = this.#parts;
    if (!open || this.#served || this.#all !== undefined || !(error instanceof StanzaError) || !ABSENT.includes(error.condition)) return false;
    const domain = jid.slice(jid.indexOf('@') + 1);
    const listed = (await request(xml('iq', { type: 'get', to: domain }, xml('query', { xmlns: NS_ITEMS })))).getChild('query', NS_ITEMS)?.getChildren('item') ?? [];
    // The server has one that is away.
    if (listed.some((item) => attr(item, 'jid') === service) || !await this.#hasPep(request)) return false;
    const reason = `there is no service ${service}: ${reasonOf(error)}`;
    await this.#parts.registry.set(prefixOf(jid), reason);
    this.#all = reason;
    return true;
  }

  /** XEP-0163 §6.1. */
  async #hasPep(request: Request): Promise<boolean> {
    try {
      const info = await request(xml('iq', { type: 'get', to: this.#parts.jid }, xml('query', { xmlns: NS_INFO })));
      return info.getChild('query', NS_INFO)?.getChildren('identity').some((identity) => attr(identity, 'category') === 'pubsub' && attr(identity, 'type') === 'pep') ?? false;
    } catch (error) {
      if (error instanceof StanzaError) return false;
      throw error;
    }
  }
}

/** The home is gone, or another service was chosen. */
export async function forgetPep(registry: Registry, jid: string): Promise<void> {
  const keys = registry.entries(prefixOf(jid)).map(([key]) => key);
  if (keys.length > 0) await registry.setAll(keys.map((key) => [key, undefined] as const));
}
