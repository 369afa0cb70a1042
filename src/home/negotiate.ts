// From nothing to a bound or resumed session: TCP, STARTTLS, SASL, then resume or bind (RFC 6120 §4.3, XEP-0198 §3, §5).
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { attr, children, namespaceOf, xml, type Element } from '../xmpp/element.ts';
import type { Jid } from '../xmpp/jid.ts';
import { chooseMechanism, NS_SASL, SaslError, ScramClient } from '../xmpp/sasl.ts';
import { stanzaErrorOf } from '../xmpp/stanza-error.ts';
import { NS_SM, parseH } from '../xmpp/stream-management.ts';
import { verifiedTls } from '../xmpp/tls.ts';
import { NS_CLIENT, NS_STREAM } from '../xmpp/xml-stream.ts';
import { XmppSocket } from '../xmpp/xmpp-socket.ts';
import { HomeArrivals } from './arrivals.ts';
import { StreamBroken, Unusable } from './loss.ts';
import { targetsOf, type Target } from './resolve.ts';

const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls';
const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind';

export interface NegotiateOptions {
  readonly jid: Jid;
  readonly password: string;
  readonly resource: string;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  readonly ca?: string | undefined;
  readonly clock: Clock;
  /** For everything together; milliseconds. */
  readonly deadline: number;
  readonly stanzaBytes: number;
  /** A session that may be taken up again. */
  readonly resume?: { readonly id: string; readonly h: number } | undefined;
  readonly onClose: (reason: Error | undefined) => void;
  /** Instead of this machine's own roads. */
  readonly dial?: ((signal: AbortSignal) => Promise<Duplex>) | undefined;
  readonly signal: AbortSignal;
}

export interface Negotiated {
  readonly socket: XmppSocket;
  readonly arrivals: HomeArrivals;
  /** Full JID, of a new session. */
  readonly bound?: string;
  /** The other side's `h`, of a session taken up again. */
  readonly resumed?: number;
  /** The other side's `h` of the session that it would not take up again, if it said. */
  readonly refused?: number;
  /** How to take a new session up again, and for how many seconds. */
  readonly sm?: { readonly id?: string; readonly max?: number };
}

/** Rejects when it does not come about; then nothing is left open. */
export async function negotiate(options: NegotiateOptions): Promise<Negotiated> {
  const { clock, signal } = options;
  let failed: ((error: Error) => void) | undefined;
  const late = new Promise<never>((_resolve, reject) => { failed = reject; });
  late.catch(() => undefined); // it is raced below; alone it means nothing
  const arrivals = new HomeArrivals(clock, (error) => failed?.(error));
  let socket: XmppSocket | undefined;
  const gone = new AbortController();
  const give = (error: Error): void => {
    arrivals.fail(error);
    gone.abort();
    socket?.destroy(error);
  };
  const timer = clock.after(options.deadline, () => give(new LanpostError('timeout', `No session within ${options.deadline / 1000} s.`)));
  const abort = (): void => give(new LanpostError('closed'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    signal.throwIfAborted();
    const dialled = (options.dial ?? ((ended) => dialOwn(options, ended)))(gone.signal);
    // One that comes after all is not used.
    const unused = dialled.then((connection) => () => connection.destroy(), () => undefined);
    const connection = await Promise.race([dialled, late]).catch((error: unknown) => {
      void unused.then((end) => end?.());
      throw error;
    });
    socket = wrap(connection, options, arrivals);
    return await Promise.race([talk(socket, arrivals, options), late]);
  } catch (error) {
    socket?.destroy();
    throw error;
  } finally {
    timer.stop();
    signal.removeEventListener('abort', abort);
  }
}

/** By this machine's own roads. */
export async function dialOwn({ jid, host, port }: Pick<NegotiateOptions, 'jid' | 'host' | 'port'>, signal: AbortSignal): Promise<Socket> {
  return dial(await targetsOf(jid.domain, host, port), signal);
}

async function dial(targets: readonly Target[], signal: AbortSignal): Promise<Socket> {
  let last: Error = new Unusable('the domain offers no service for clients');
  for (const target of targets) {
    if (signal.aborted) break;
    const socket = connect({ host: target.host, port: target.port, noDelay: true, keepAlive: true });
    // A connection that hangs must not outlive the attempt.
    const stop = (): void => void socket.destroy();
    signal.addEventListener('abort', stop);
    const outcome = await new Promise<Error | undefined>((resolve) => {
      const done = (error?: Error): void => {
        socket.off('connect', done).off('error', done).off('close', done);
        resolve(error);
      };
      socket.on('connect', done).on('error', done).on('close', done);
    });
    signal.removeEventListener('abort', stop);
    if (!outcome && !signal.aborted && !socket.destroyed) return socket;
    socket.destroy();
    last = outcome ?? last;
  }
  throw last;
}

function wrap(socket: Duplex, options: NegotiateOptions, arrivals: HomeArrivals): XmppSocket {
  const wire: XmppSocket = new XmppSocket({
    socket, clock: options.clock, limits: { stanzaBytes: options.stanzaBytes, depth: 64 },
    on: {
      header: () => arrivals.push({ type: 'header' }),
      stanza: (element) => {
        arrivals.push({ type: 'stanza', element });
        // RFC 6120 §4.9.1.1: after an error the stream is over, whether or not the server goes.
        if (arrivals.failure) void wire.close();
      },
      error: (event) => arrivals.fail(new StreamBroken(`The server sent what is not XMPP: ${event.condition}, ${event.text}.`)),
      close: (reason) => {
        arrivals.fail(reason ?? new LanpostError('disconnected', 'The server closed the connection.'));
        options.onClose(arrivals.failure);
      },
    },
  });
  return wire;
}

async function talk(socket: XmppSocket, arrivals: HomeArrivals, options: NegotiateOptions): Promise<Negotiated> {
  await secure(socket, arrivals, options);
  await authenticate(socket, arrivals, await begin(socket, arrivals, options), options);
  arrivals.authenticated = true;
  socket.restart();
  arrivals.clear();
  const features = await begin(socket, arrivals, options);
  const canManage = features.getChild('sm', NS_SM) !== undefined;
  let refused: { readonly refused?: number } = {};
  if (canManage && options.resume) {
    const { resumed, h } = await resume(socket, arrivals, options.resume);
    if (resumed) return { socket, arrivals, resumed: h };
    if (h !== undefined) refused = { refused: h };
  }
  const bound = await bind(socket, arrivals, options);
  if (!canManage) return { socket, arrivals, bound };
  socket.write(xml('enable', { xmlns: NS_SM, resume: 'true' }));
  let enabled = await arrivals.stanza();
  // XEP-0198 §4: counting begins at <enabled/>; what squeezed in before it is of no session of ours yet.
  for (let i = 0; i < 16 && namespaceOf(enabled) !== NS_SM; i++) enabled = await arrivals.stanza();
  if (enabled.getName() !== 'enabled' || namespaceOf(enabled) !== NS_SM) return { socket, arrivals, bound, ...refused };
  const id = ['true', '1'].includes(attr(enabled, 'resume') ?? '') ? attr(enabled, 'id') : undefined;
  const max = Number(attr(enabled, 'max') ?? Number.NaN);
  return { socket, arrivals, bound, ...refused, sm: { ...(id === undefined ? {} : { id }), ...(Number.isFinite(max) ? { max } : {}) } };
}

/** Sends our header and gives the features that answer it. */
async function begin(socket: XmppSocket, arrivals: HomeArrivals, options: NegotiateOptions): Promise<Element> {
  const { domain } = options.jid;
  socket.open(xml('stream:stream', { xmlns: NS_CLIENT, 'xmlns:stream': NS_STREAM, to: domain, version: '1.0', 'xml:lang': 'en' }));
  await arrivals.header();
  const features = await arrivals.stanza();
  if (features.getName() !== 'features' || namespaceOf(features) !== NS_STREAM) throw new LanpostError('disconnected', 'The server sent no stream features.');
  return features;
}

/** Always, and verified: a server that does not offer TLS, or somebody who took the offer away, gets nothing. */
async function secure(socket: XmppSocket, arrivals: HomeArrivals, options: NegotiateOptions): Promise<void> {
  const features = await begin(socket, arrivals, options);
  if (!features.getChild('starttls', NS_TLS)) throw new Unusable('the server does not offer TLS');
  socket.write(xml('starttls', { xmlns: NS_TLS }));
  const answer = await arrivals.stanza();
  if (answer.getName() !== 'proceed' || namespaceOf(answer) !== NS_TLS) throw new Unusable('the server refused TLS');
  arrivals.clear();
  await socket.secure('client', verifiedTls({ domain: options.jid.domain, ...(options.ca === undefined ? {} : { ca: options.ca }) }));
}

async function authenticate(socket: XmppSocket, arrivals: HomeArrivals, features: Element, options: NegotiateOptions): Promise<void> {
  const offered = features.getChild('mechanisms', NS_SASL)?.getChildren('mechanism').map((mechanism) => mechanism.getText().trim()) ?? [];
  const mechanism = chooseMechanism(offered);
  if (mechanism === undefined || mechanism === 'PLAIN') throw new SaslError('invalid-mechanism', `the server offers only ${offered.join(', ') || 'nothing'}`);
  const scram = new ScramClient(mechanism, { username: options.jid.local ?? '', password: options.password });
  socket.write(xml('auth', { xmlns: NS_SASL, mechanism }, scram.first().toString('base64')));

  let verified = false;
  for (let step = 0; step < 3; step++) {
    const answer = await arrivals.stanza();
    if (namespaceOf(answer) !== NS_SASL) break;
    const data = Buffer.from(answer.getText(), 'base64');
    if (answer.getName() === 'failure') throw saslFailure(answer);
    if (answer.getName() === 'success') {
      // RFC 6120 §6.4.6: the server's proof may come with the success, or came before it as a challenge.
      if (!verified || data.length > 0) scram.verify(data);
      return;
    }
    if (answer.getName() !== 'challenge') break;
    if (step === 0) socket.write(xml('response', { xmlns: NS_SASL }, (await scram.respond(data)).toString('base64')));
    else {
      scram.verify(data);
      verified = true;
      socket.write(xml('response', { xmlns: NS_SASL }));
    }
  }
  throw new SaslError('malformed-request', 'the server does not speak SASL as RFC 6120 has it');
}

function saslFailure(failure: Element): SaslError {
  const condition = children(failure).find((child) => child.getName() !== 'text')?.getName() ?? 'not-authorized';
  return new SaslError(condition, failure.getChildText('text') ?? undefined);
}

type Resumption = { readonly resumed: true; readonly h: number } | { readonly resumed: false; readonly h: number | undefined };

/** XEP-0198 §5: what the other side had; when it would not resume the session, a new one must be bound. */
async function resume(socket: XmppSocket, arrivals: HomeArrivals, session: { readonly id: string; readonly h: number }): Promise<Resumption> {
  socket.write(xml('resume', { xmlns: NS_SM, previd: session.id, h: String(session.h) }));
  const answer = await arrivals.stanza();
  const h = namespaceOf(answer) === NS_SM ? parseH(attr(answer, 'h')) : undefined;
  if (namespaceOf(answer) !== NS_SM || answer.getName() !== 'resumed') return { resumed: false, h };
  // Without a count nothing can be said about what it has.
  if (h === undefined) throw new StreamBroken('The server resumed the session without saying what it has of it.');
  return { resumed: true, h };
}

async function bind(socket: XmppSocket, arrivals: HomeArrivals, options: NegotiateOptions): Promise<string> {
  const id = 'bind';
  socket.write(xml('iq', { type: 'set', id }, xml('bind', { xmlns: NS_BIND }, xml('resource', {}, options.resource))));
  const answer = await arrivals.stanza();
  if (answer.getName() !== 'iq' || attr(answer, 'id') !== id) throw new LanpostError('disconnected', 'The server did not answer the binding of a resource.');
  if (attr(answer, 'type') === 'error') throw stanzaErrorOf(answer);
  const bound = answer.getChild('bind', NS_BIND)?.getChildText('jid');
  if (bound === undefined || bound === null) throw new LanpostError('disconnected', 'The server bound no address.');
  return bound;
}
