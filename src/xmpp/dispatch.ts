// Stanza → handler, by kind, namespace and name. Protocol etiquette is written once, here.
import { attr, children, namespaceOf, type Element } from './element.ts';
import { errorReply, iqPayload, iqResult, stanzaKind, withoutPayload } from './stanza.ts';
import { StanzaError } from './stanza-error.ts';

export interface IqRequest<C> {
  readonly type: 'get' | 'set';
  readonly iq: Element;
  readonly payload: Element;
  readonly context: C;
}

/** Given by a handler that will answer by itself, when somebody has decided: what came after the request does not wait for that. */
export const LATER: unique symbol = Symbol('later');
/** Gives the result's payload, or nothing for an empty result; a StanzaError thrown is the error reply. */
export type IqHandler<C> = (request: IqRequest<C>) => Promise<Element | undefined | typeof LATER>;
/** `payload` is the child that was registered for. */
export type StanzaHandler<C> = (stanza: Element, payload: Element, context: C) => Promise<void>;
export type PresenceHandler<C> = (presence: Element, context: C) => Promise<void>;

export class Dispatcher<C = unknown> {
  /** By namespace, then name, then type: each text is an old acquaintance, none has to be put together. */
  readonly #iq = new Map<string, Map<string, { get?: IqHandler<C>; set?: IqHandler<C> }>>();
  readonly #message = new Map<string, StanzaHandler<C>>();
  readonly #presence: PresenceHandler<C>[] = [];

  iq(type: 'get' | 'set', ns: string, name: string, handler: IqHandler<C>): void {
    const names = this.#iq.get(ns) ?? new Map<string, { get?: IqHandler<C>; set?: IqHandler<C> }>();
    const handlers = names.get(name) ?? {};
    if (handlers[type]) throw new TypeError(`two handlers for ${type} ${ns} ${name}`);
    handlers[type] = handler;
    this.#iq.set(ns, names.set(name, handlers));
  }

  /** For messages with such a child; the first child that has a handler decides. */
  message(ns: string, name: string, handler: StanzaHandler<C>): void {
    register(this.#message, `${ns}|${name}`, handler);
  }

  presence(handler: PresenceHandler<C>): void {
    this.#presence.push(handler);
  }

  /** Resolves with the reply to send, if there is one, when what the stanza caused is done. */
  dispatch(stanza: Element, context: C): Promise<Element | undefined> {
    return stanzaKind(stanza) === 'iq' ? this.#dispatchIq(stanza, context) : this.#dispatchOther(stanza, context);
  }

  async #dispatchOther(stanza: Element, context: C): Promise<Element | undefined> {
    try {
      if (stanzaKind(stanza) === 'message') await this.#dispatchMessage(stanza, context);
      else for (const handler of this.#presence) await handler(stanza, context);
    } catch (error) {
      // RFC 6120 §8.3.1: an error is never answered with an error.
      if (!(error instanceof StanzaError)) throw error;
      if (attr(stanza, 'type') !== 'error') return errorReply(stanza, error);
    }
    return undefined;
  }

  async #dispatchMessage(stanza: Element, context: C): Promise<void> {
    for (const child of children(stanza)) {
      const handler = this.#message.get(`${namespaceOf(child) ?? ''}|${child.getName()}`);
      if (!handler) continue;
      await handler(stanza, child, context);
      return;
    }
  }

  /** While it is worked on nothing here holds the stanza, only who is to be answered: many of them live that long. */
  #dispatchIq(iq: Element, context: C): Promise<Element | undefined> {
    const type = attr(iq, 'type');
    if (type !== 'get' && type !== 'set') return NOTHING;
    const payload = iqPayload(iq);
    // RFC 6120 §8.2.3: a request has an id and exactly one payload.
    if (!payload || attr(iq, 'id') === undefined) return Promise.resolve(errorReply(iq, new StanzaError('bad-request')));
    const handler = this.#iq.get(namespaceOf(payload) ?? '')?.get(payload.getName())?.[type];
    // RFC 6120 §8.4: an unknown namespace is not silence.
    if (!handler) return Promise.resolve(errorReply(iq, new StanzaError('service-unavailable')));
    return answered(withoutPayload(iq), handler({ type, iq, payload, context }));
  }
}

const NOTHING: Promise<undefined> = Promise.resolve(undefined);

function answered(asked: Element, handling: ReturnType<IqHandler<unknown>>): Promise<Element | undefined> {
  return handling.then((result) => (result === LATER ? undefined : iqResult(asked, result)), (error: unknown) => {
    if (!(error instanceof StanzaError)) throw error;
    return errorReply(asked, error);
  });
}

function register<H>(map: Map<string, H>, key: string, handler: H): void {
  if (map.has(key)) throw new TypeError(`two handlers for ${key}`);
  map.set(key, handler);
}
