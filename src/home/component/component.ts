// XEP-0114 1.6: Jabber Component Protocol, the side that connects. It is in the clear, so only to a server on this machine; there
// is no stream management: what is said to it while nobody is connected comes back to whoever said it, and waits at no server.
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import type { ComponentStatus, Trouble } from '../../api.ts';
import type { Clock, Timer } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import type { Letter } from '../../mail/letter.ts';
import { attr, type Element, isLegal, namespaceOf, serialize, xml } from '../../xmpp/element.ts';
import { bare, parseJid } from '../../xmpp/jid.ts';
import { buildMessage, errorReply, stanzaKind } from '../../xmpp/stanza.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { isStreamError, streamFaultOf } from '../../xmpp/stream-error.ts';
import { NS_CLIENT, NS_STREAM } from '../../xmpp/xml-stream.ts';
import { XmppSocket } from '../../xmpp/xmpp-socket.ts';
import { Backoff } from '../backoff.ts';
import type { HomeReceiver } from '../home.ts';
import { lossOf, StreamEnded } from '../loss.ts';
import { componentRefusals, Refusals, type RefusalsParts } from '../refusals.ts';
import { Barrier, lostWith } from './barrier.ts';

const NS_COMPONENT = 'jabber:component:accept';
/** From nothing to the handshake, ms. */
const DEADLINE = 10_000;
const LIMITS = { stanzaBytes: 1 << 20, depth: 64 };
/** As XML; what servers take of one stanza. */
const MESSAGE_BYTES = 200_000;
/** Stanzas in work at once; more are not read until some are done. */
const IN_WORK = 64;

/** What the owner says, checked. */
export interface ComponentAccount {
  readonly domain: string;
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  /** Local parts of the addresses there are. */
  readonly devices: readonly string[];
}

export interface ComponentParts {
  readonly account: ComponentAccount;
  readonly clock: Clock;
  readonly log: RefusalsParts['log'];
  readonly trouble: (trouble: Trouble) => void;
  readonly receive: HomeReceiver;
  /** Whether mail for that local part is a device's of this box. */
  readonly isDevice?: ((name: string) => boolean) | undefined;
  /** It is there: mail may have a road now. */
  readonly opened?: (() => void) | undefined;
  readonly random?: (() => number) | undefined;
}

/** Stanzas of one connection that are in work: one that breaks leaves its own to nobody. */
interface Served {
  readonly wire: XmppSocket;
  count: number;
}

/** What of a letter is said. */
type Written = Pick<Letter, 'id' | 'body' | 'subject' | 'thread'>;

export class Component {
  readonly account: ComponentAccount;
  readonly #parts: ComponentParts;
  readonly #backoff: Backoff;
  readonly #refusals: Refusals;
  #line: { readonly wire: XmppSocket; readonly barrier: Barrier } | undefined;
  #state: ComponentStatus['state'] = 'connecting';
  #since: number;
  #reason: string | undefined;
  #timer: Timer | undefined;
  #closed = false;
  /** What the server said is being written down. */
  #noting: Promise<void> = Promise.resolve();

  constructor(parts: ComponentParts) {
    this.account = parts.account;
    this.#parts = parts;
    this.#refusals = new Refusals({ key: componentRefusals(parts.account.domain), log: parts.log, clock: parts.clock });
    this.#backoff = new Backoff(parts.random, this.#refusals.count);
    this.#since = parts.clock.wall();
    const rest = this.#refusals.rest();
    if (rest) this.#rest(rest.ms, 'refused', rest.reason);
    else this.#connect();
  }

  status(): ComponentStatus {
    const { domain, devices } = this.account;
    return { domain, devices: [...devices], state: this.#state, since: this.#since, ...(this.#reason === undefined ? {} : { reason: this.#reason }) };
  }

  get online(): boolean {
    return this.#state === 'online' && this.#line !== undefined;
  }

  /** Throws when nobody can write that from there. */
  check(from: string, to: string, body: string): void {
    const { domain, devices } = this.account;
    if (!devices.includes(from)) throw new LanpostError('not-found', `${domain} has no device ${from}.`);
    letterOf(`${from}@${domain}`, to, { id: '', body });
  }

  /** From one of its addresses. Resolves when the server has read it; rejects when that is not known. */
  async deliver(from: string, to: string, letter: Written): Promise<void> {
    const message = letterOf(from, to, letter);
    const line = this.#line;
    if (!this.online || !line) throw new LanpostError('unreachable', `${this.account.domain} is not connected.`);
    line.wire.write(message);
    return line.barrier.passed();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.stop();
    await this.#line?.wire.close();
    await this.#noting;
  }

  #become(state: ComponentStatus['state'], reason?: string): void {
    if (state !== this.#state) this.#since = this.#parts.clock.wall();
    this.#state = state;
    this.#reason = reason;
  }

  /** It is tried again after `ms`. */
  #rest(ms: number, state: ComponentStatus['state'], reason: string): void {
    this.#become(state, reason);
    this.#timer = this.#parts.clock.after(ms, () => this.#connect());
  }

  #connect(): void {
    const { clock, account: { host, port, domain, secret } } = this.#parts;
    this.#become('connecting');
    let online = 0;
    let failure: Error | undefined;
    const socket = connect({ host, port, noDelay: true });
    const wire: XmppSocket = new XmppSocket({
      socket, clock, limits: LIMITS,
      on: {
        // §3: the handshake is over the id of the server's stream, and the secret.
        header: ({ attrs }) => void wire.write(xml('handshake', {}, createHash('sha1').update(`${attrs['id'] ?? ''}${secret}`).digest('hex'))),
        stanza: (element) => {
          if (isStreamError(element)) {
            failure = new StreamEnded(streamFaultOf(element), online === 0);
            void wire.close();
          } else if (online > 0) {
            if (!barrier.receive(element)) this.#received(served, element);
          }
          else if (element.getName() === 'handshake' && namespaceOf(element) === NS_COMPONENT) {
            online = clock.mono();
            timer.stop();
            this.#refusals.end();
            this.#become('online');
            this.#parts.opened?.();
          }
        },
        close: (reason) => {
          timer.stop();
          this.#line = undefined;
          const error = failure ?? reason ?? new LanpostError('disconnected', 'The server closed the connection.');
          barrier.close(lostWith(error));
          this.#noting = this.#lost(error, online === 0 ? 0 : Math.max(1, clock.mono() - online));
        },
      },
    });
    const served = { wire, count: 0 };
    const timer = clock.after(DEADLINE, () => wire.destroy(new LanpostError('timeout', `No component within ${DEADLINE / 1000} s.`)));
    const barrier = new Barrier({
      domain, clock,
      write: (stanza) => void wire.write(stanza),
      silent: () => wire.destroy(new LanpostError('timeout', 'The server does not read what it is told.')),
    });
    this.#line = { wire, barrier };
    wire.open(xml('stream:stream', { xmlns: NS_COMPONENT, 'xmlns:stream': NS_STREAM, to: domain }));
  }

  async #lost(error: Error, uptime: number): Promise<void> {
    if (this.#closed) return;
    // §3: a wrong secret is not-authorized, an error of the stream.
    const isRefused = error instanceof StreamEnded && error.fault.condition === 'not-authorized';
    const { kind, reason } = isRefused ? { kind: 'auth' as const, reason: 'the secret was refused' } : lossOf(error);
    const retry = this.#backoff.lost(kind, uptime);
    if (kind !== 'link') this.#parts.trouble({ kind: `component.${kind}`, message: `${this.account.domain}: ${reason}` });
    if (kind === 'auth' || kind === 'banned') await this.#refusals.note(this.#backoff.refusals, retry.delay, reason);
    if (!this.#closed) this.#rest(retry.delay, retry.refused ? 'refused' : 'waiting', reason);
  }

  #received(served: Served, stanza: Element): void {
    if (stanzaKind(stanza) === undefined) return;
    served.count += 1;
    if (served.count === IN_WORK) served.wire.pause();
    void this.#reply(served, stanza);
  }

  async #reply(served: Served, stanza: Element): Promise<void> {
    const reply = await this.#answer(stanza);
    // Over the connection that asked; one that has gone takes its questions along.
    if (reply) served.wire.write(reply);
    served.count -= 1;
    if (served.count === IN_WORK - 1) served.wire.resume();
  }

  async #answer(stanza: Element): Promise<Element | undefined> {
    const { receive, trouble } = this.#parts;
    const to = parseJid(attr(stanza, 'to') ?? '');
    // The rest of the house knows stanzas by the namespace that clients speak in.
    stanza.attrs['xmlns'] = NS_CLIENT;
    const reply = await this.#handled(stanza, to?.local, receive).catch((error: unknown) => {
      trouble({ kind: 'component.receive', message: `${this.account.domain}: ${error instanceof Error ? error.message : String(error)}` });
      // Nothing waits here: whoever sent it keeps it, or nobody does.
      return refusable(stanza) ? errorReply(stanza, new StanzaError('internal-server-error')) : undefined;
    });
    if (!reply) return undefined;
    delete reply.attrs['xmlns'];
    reply.attrs['from'] = attr(stanza, 'to') ?? this.account.domain;
    return reply;
  }

  async #handled(stanza: Element, device: string | undefined, receive: HomeReceiver): Promise<Element | undefined> {
    const { domain, devices } = this.account;
    // RFC 6121 §8.5.1, as for an account that there is not. Presence is nobody's business: nothing is subscribed to here.
    if (device === undefined || !devices.includes(device)) return refusable(stanza) ? errorReply(stanza, new StanzaError('service-unavailable')) : undefined;
    if (stanza.getName() === 'presence') return undefined;
    const jid = `${device}@${domain}`;
    return receive(stanza, { jid, session: jid, ...(this.#parts.isDevice?.(device) === true ? { device } : {}) });
  }
}

/** Throws what will never change of it: it would end the stream, and whatever is on its way with it. */
function letterOf(from: string, to: string, { id, body, subject, thread }: Written): Element {
  if (bare(to) === undefined) throw new LanpostError('invalid-value', `"${to}" is no address.`);
  for (const text of [id, body, subject, thread]) if (text !== undefined && !isLegal(text)) throw new LanpostError('invalid-value', 'The message holds characters that XML cannot.');
  const message = buildMessage({ from, to, type: 'chat', id, body, ...(subject === undefined ? {} : { subject }), ...(thread === undefined ? {} : { thread }) });
  if (Buffer.byteLength(serialize(message)) > MESSAGE_BYTES) throw new LanpostError('too-large', `A message of a device has at most ${MESSAGE_BYTES} bytes.`);
  return message;
}

/** An error is never answered with an error, and an answer with nothing. */
function refusable(stanza: Element): boolean {
  const type = attr(stanza, 'type') ?? '';
  return stanza.getName() === 'iq' ? type === 'get' || type === 'set' : stanza.getName() === 'message' && !['error', 'headline', 'groupchat'].includes(type);
}
