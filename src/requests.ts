// What this box asks of others, over whichever road leads there: one IQ, or a command.
import type { CommandInfo, RequestOptions, RunOptions, Value } from './api.ts';
import type { Clock } from './clock.ts';
import { checkedCommandName, type CommandOffers } from './commands/offers.ts';
import { checkedTime } from './commands/time.ts';
import { LanpostError } from './errors.ts';
import { checkedObject } from './given.ts';
import type { Homes } from './home/homes.ts';
import type { LinkService } from './link/link-service.ts';
import { parseAddress } from './mail/address.ts';
import { fromPayload, toPayload } from './payload/payload.ts';
import { type Ask, listCommands, runCommand } from './xep/command-call.ts';
import { fromRequestError } from './xep/request-error.ts';
import { type Element, namespaceOf, parseElement, serializeStandalone, xml, XmlFault } from './xmpp/element.ts';
import { iqPayload } from './xmpp/stanza.ts';

export interface RequestsParts {
  readonly clock: Clock;
  readonly link: Pick<LinkService, 'name' | 'request'>;
  readonly homes: Pick<Homes, 'knows' | 'request'>;
  readonly offers: CommandOffers;
  /** Bytes and depth of what is asked. */
  readonly limits: { readonly stanzaBytes: number; readonly xmlDepth: number };
}

export class Requests {
  readonly #parts: RequestsParts;

  constructor(parts: RequestsParts) {
    this.#parts = parts;
  }

  async request(address: string, payload: string, options: RequestOptions = {}): Promise<string | undefined> {
    checkedObject('the options of a request', options);
    const { type = 'get', timeout, signal } = options;
    if (type !== 'get' && type !== 'set') throw new TypeError('a request is a get or a set');
    const element = this.#element(payload);
    const ask = this.#ask(address, checkedTime(timeout), signal);
    try {
      const inner = iqPayload(await ask(xml('iq', { type }, element)));
      return inner && serializeStandalone(inner);
    } catch (error) {
      throw fromRequestError(error);
    }
  }

  async list(address?: string): Promise<CommandInfo[]> {
    if (address === undefined || this.#isOwn(address)) return this.#parts.offers.list();
    return listCommands(this.#ask(address, checkedTime(undefined), undefined));
  }

  async run(address: string, name: string, value: Value | undefined, options: RunOptions = {}): Promise<Value | undefined> {
    checkedObject('the options of a command', options);
    const { timeout, signal } = options;
    const within = checkedTime(timeout);
    // What cannot travel is refused here as it is there.
    const sent = value === undefined ? undefined : fromPayload(toPayload(value));
    if (!this.#isOwn(address)) return runCommand(this.#ask(address, within, signal), nodeOf(name), sent);
    return this.#within(this.#parts.offers.run(checkedCommandName(name), sent ?? null, { trust: 'paired' }), within, signal);
  }

  #element(payload: string): Element {
    if (typeof payload !== 'string') throw new TypeError('a request must be XML in a string');
    const { stanzaBytes, xmlDepth: depth } = this.#parts.limits;
    if (Buffer.byteLength(payload) > stanzaBytes) throw new LanpostError('too-large', `a request has at most ${stanzaBytes} bytes`);
    let element: Element;
    try {
      element = parseElement(payload, { stanzaBytes, depth });
    } catch (error) {
      if (error instanceof XmlFault) throw new LanpostError('invalid-value', `not one well-formed XML element: ${error.message}`, { cause: error });
      throw error;
    }
    // RFC 6120 §8.4: without a namespace of its own it would be the stream's.
    if (namespaceOf(element) === undefined) throw new LanpostError('invalid-value', `<${element.name}/> has no namespace: give it an xmlns`);
    return element;
  }

  #isOwn(address: string): boolean {
    const to = parseAddress(address, (domain) => this.#parts.homes.knows(domain));
    return to.kind === 'link' && to.name === this.#parts.link.name;
  }

  /** All that one call asks there has to be answered in that time. */
  #ask(address: string, time: number, signal: AbortSignal | undefined): Ask {
    const { clock, link, homes } = this.#parts;
    const to = parseAddress(address, (domain) => homes.knows(domain));
    const until = clock.mono() + time;
    return async (iq) => {
      signal?.throwIfAborted();
      const timeout = Math.max(1, until - clock.mono());
      if (to.kind === 'device') throw new LanpostError('unsupported', 'devices are sent messages, and asked nothing');
      const asked = to.kind === 'link' ? link.request(to.name, iq, timeout) : homes.request(to.jid, iq, timeout);
      // Opening a stream takes its time, too.
      return this.#within(asked, timeout, signal);
    };
  }

  #within<T>(work: Promise<T>, ms: number, signal: AbortSignal | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const timer = this.#parts.clock.after(ms, () => reject(new LanpostError('timeout', 'No answer came to the request.')));
      const stop = (): void => reject(signal?.reason);
      if (signal?.aborted) stop();
      signal?.addEventListener('abort', stop, { once: true });
      work.then(resolve, reject).finally(() => {
        timer.stop();
        signal?.removeEventListener('abort', stop);
      });
    });
  }
}

/** Elsewhere commands may have any name. */
function nodeOf(name: unknown): string {
  if (typeof name !== 'string') throw new TypeError('a command\'s name must be a string');
  if (name === '' || name.length > 1024) throw new LanpostError('invalid-value', 'a command\'s name has 1 to 1024 characters');
  return name;
}
