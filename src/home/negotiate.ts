// From nothing to a bound or resumed session: a connection, TLS, SASL, then resume or bind (RFC 6120 §4.3, XEP-0198 §3, §5).
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { attr, namespaceOf, xml, type Element } from '../xmpp/element.ts';
import type { UnsaidBinding } from '../xmpp/channel-binding.ts';
import type { Jid } from '../xmpp/jid.ts';
import { SaslError } from '../xmpp/sasl.ts';
import { stanzaErrorOf } from '../xmpp/stanza-error.ts';
import { NS_SM, parseH } from '../xmpp/stream-management.ts';
import { verifiedTls } from '../xmpp/tls.ts';
import type { Wire } from '../xmpp/wire.ts';
import { NS_CLIENT, NS_STREAM } from '../xmpp/xml-stream.ts';
import { XmppSocket } from '../xmpp/xmpp-socket.ts';
import { HomeArrivals } from './arrivals.ts';
import { beginSasl, finishSasl, offerOf } from './authenticate.ts';
import { connectTo } from './connect.ts';
import type { Dialing } from './dial.ts';
import type { Known } from './known.ts';
import { lossOf, ResumeUnanswered, StreamBroken, StreamEnded, Unusable } from './loss.ts';
import { targetText, type Target } from './target.ts';
import { ways, type Whereabouts } from './ways.ts';

const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls';
const NS_BIND = 'urn:ietf:params:xml:ns:xmpp-bind';

/** How long the question whether a session is taken up again may go unanswered over BOSH, ms. */
const RESUME_DEADLINE = 5_000;

export interface NegotiateOptions extends Whereabouts {
  readonly jid: Jid;
  readonly password: string;
  readonly plain?: boolean;
  readonly resource: string;
  readonly clock: Clock;
  /** For one way to the server, from its connection to the session; milliseconds. */
  readonly deadline: number;
  /** For all ways together; as long as they take when absent. */
  readonly within?: number | undefined;
  /** Instead of this machine's own roads. */
  readonly dial?: Dialing['dial'];
  readonly stanzaBytes: number;
  /** A session that may be taken up again. */
  readonly resume?: { readonly id: string; readonly h: number } | undefined;
  /** What the server offered last time. */
  readonly known?: Known | undefined;
  /** The kind of channel binding to try where the server does not say which it means. */
  readonly unsaid?: UnsaidBinding;
  readonly onClose: (reason: Error | undefined) => void;
  readonly signal: AbortSignal;
}

export interface Negotiated {
  readonly socket: Wire;
  readonly arrivals: HomeArrivals;
  readonly known: Known;
  /** What carries it, in words. */
  readonly over: string;
  /** Full JID, of a new session. */
  readonly bound?: string;
  /** The other side's `h`, of a session taken up again. */
  readonly resumed?: number;
  /** The other side's `h` of the session that it would not take up again, if it said. */
  readonly refused?: number;
  /** How to take a new session up again, and for how many seconds. */
  readonly sm?: { readonly id?: string; readonly max?: number };
}

/** Tries all ways in turn. Rejects when none comes about; then nothing is left open. */
export async function negotiate(options: NegotiateOptions): Promise<Negotiated> {
  const { clock, jid: { domain }, transport = 'auto', host, port, url, ca, pin, proxy, dial, resolver, random, within, known } = options;
  const late = new AbortController();
  const timer = within === undefined ? undefined : clock.after(within, () => late.abort(new LanpostError('timeout', `No session within ${within / 1000} s.`)));
  const signal = AbortSignal.any([options.signal, late.signal]);
  let failure: unknown;
  try {
    for await (const target of ways({ domain, transport, host, port, url, trust: { ca, pin }, dialing: { clock, proxy, dial, signal }, last: known?.kind, resolver, random })) {
      try {
        return await attempt(target, { ...options, signal });
      } catch (error) {
        if (options.signal.aborted || isFinal(error)) throw error;
        failure = worse(failure, error);
        if (late.signal.aborted) break;
      }
    }
  } finally {
    timer?.stop();
  }
  throw failure ?? new Unusable('the domain offers no service for clients');
}

/** What only the owner can mend tells more than that somewhere nobody answered. */
function worse(before: unknown, now: unknown): unknown {
  return before === undefined || (lossOf(before).kind === 'link' && lossOf(now).kind !== 'link') ? now : before;
}

/** The server was there and knows whom it spoke with: elsewhere it would say the same. */
function isFinal(error: unknown): boolean {
  return error instanceof SaslError || error instanceof StreamBroken || (error instanceof StreamEnded && (!error.early || error.fault.condition === 'policy-violation'));
}

async function attempt(target: Target, options: NegotiateOptions): Promise<Negotiated> {
  const { clock, jid: { domain }, signal, stanzaBytes, ca, pin, proxy, dial } = options;
  let failed: ((error: Error) => void) | undefined;
  const late = new Promise<never>((_resolve, reject) => { failed = reject; });
  late.catch(() => undefined); // it is raced below; alone it means nothing
  const arrivals = new HomeArrivals(clock, (error) => failed?.(error));
  let wire: Wire | undefined;
  const gone = new AbortController();
  const give = (error: Error): void => {
    arrivals.fail(error);
    gone.abort();
    wire?.destroy(error);
  };
  const timer = clock.after(options.deadline, () => give(new LanpostError('timeout', `No session within ${options.deadline / 1000} s.`)));
  const abort = (): void => give(signal.reason instanceof LanpostError ? signal.reason : new LanpostError('closed'));
  signal.addEventListener('abort', abort, { once: true });
  let up = false;
  const asked = { resume: false };
  try {
    if (signal.aborted) abort();
    const connecting = connectTo(target, {
      domain, trust: { ca, pin }, dialing: { clock, proxy, dial, signal: gone.signal }, clock, stanzaBytes,
      on: {
        header: () => arrivals.push({ type: 'header' }),
        stanza: (element) => {
          arrivals.push({ type: 'stanza', element });
          // RFC 6120 §4.9.1.1: after an error the stream is over, whether or not the server goes.
          if (arrivals.failure) void wire?.close();
        },
        error: ({ condition, text }) => arrivals.fail(new StreamBroken(`The server sent what is not XMPP: ${condition}, ${text}.`)),
        close: (reason) => {
          arrivals.fail(reason ?? new LanpostError('disconnected', 'The server closed the connection.'));
          // Of one of several tries nobody else knows.
          if (up) options.onClose(arrivals.failure);
        },
      },
    });
    // Given up meanwhile: whatever still comes of it goes.
    void dropLate(connecting, gone.signal);
    wire = await Promise.race([connecting, late]);
    // Requests of BOSH overtake each other: there each step waits for the one before.
    const known = options.known?.kind === target.kind && target.kind !== 'bosh' ? options.known : undefined;
    const negotiated = await Promise.race([talk({ wire, arrivals, options, target, known, asked }), late]);
    // It went in the same tick: then nobody would be told.
    if (arrivals.failure) throw arrivals.failure;
    up = true;
    return negotiated;
  } catch (error) {
    gone.abort();
    wire?.destroy();
    throw asked.resume && !signal.aborted ? new ResumeUnanswered({ cause: error }) : error;
  } finally {
    timer.stop();
    signal.removeEventListener('abort', abort);
  }
}

async function dropLate(connecting: Promise<Wire>, gone: AbortSignal): Promise<void> {
  try {
    const wire = await connecting;
    if (gone.aborted) wire.destroy();
  } catch {
    // whoever waits for it has the reason
  }
}

interface Talk {
  readonly wire: Wire;
  readonly arrivals: HomeArrivals;
  readonly options: NegotiateOptions;
  readonly target: Target;
  /** What it is taken to offer: then nothing waits for the offer, and a round trip is saved each time. */
  readonly known: Known | undefined;
  /** Whether it was asked, over BOSH, to resume, and has not answered. */
  readonly asked: { resume: boolean };
}

async function talk(about: Talk): Promise<Negotiated> {
  const { wire, arrivals, options, target, known } = about;
  if (target.kind === 'starttls') await secure(about);
  const offer = await authenticate(about);
  arrivals.authenticated = true;
  wire.restart();
  arrivals.clear();

  const { resume: earlier } = options;
  open(about);
  const early = known?.sm === true;
  // XEP-0198 §5 asks for the features to be seen first; that they have not changed is seen right after.
  if (early) {
    if (earlier) askResume(wire, earlier);
    else askSession(about, true);
  }
  const features = await featuresOf(arrivals);
  const sm = features.getChild('sm', NS_SM) !== undefined;
  if (early && !sm) throw new LanpostError('disconnected', 'The server offers something else than before.');
  const common = { socket: wire, arrivals, over: targetText(target), known: { kind: target.kind, ...offer, sm } };
  let refused: { readonly refused?: number } = {};
  if (sm && earlier) {
    if (!early) askResume(wire, earlier);
    const { resumed, h } = await (target.kind === 'bosh' ? soon(about) : resumption(arrivals));
    if (resumed) return { ...common, resumed: h };
    if (h !== undefined) refused = { refused: h };
  }
  if (!early || earlier) askSession(about, early && sm);
  const bound = await boundTo(arrivals);
  if (!sm) return { ...common, bound };
  if (!early) wire.write(xml('enable', { xmlns: NS_SM, resume: 'true' }));
  return { ...common, bound, ...refused, ...await enabled(arrivals) };
}

/** COMPAT(Prosody 0.12): over BOSH it offers to resume sessions, and fails without a word when it is asked to. */
async function soon({ arrivals, asked, options: { clock } }: Talk): Promise<Resumption> {
  asked.resume = true;
  const timer = clock.after(RESUME_DEADLINE, () => arrivals.fail(new LanpostError('timeout')));
  try {
    return await resumption(arrivals);
  } finally {
    timer.stop();
    // When it was answered; else `attempt` has been told already.
    if (!arrivals.failure) asked.resume = false;
  }
}

/** Sends our header. */
function open({ wire, options }: Talk): void {
  wire.open(xml('stream:stream', { xmlns: NS_CLIENT, 'xmlns:stream': NS_STREAM, to: options.jid.domain, version: '1.0', 'xml:lang': 'en' }));
}

/** What answers it. */
async function featuresOf(arrivals: HomeArrivals): Promise<Element> {
  await arrivals.header();
  const features = await arrivals.stanza();
  if (features.getName() !== 'features' || namespaceOf(features) !== NS_STREAM) throw new LanpostError('disconnected', 'The server sent no stream features.');
  return features;
}

/** Always, and verified: a server that does not offer TLS, or somebody who took the offer away, gets nothing. */
async function secure(about: Talk): Promise<void> {
  const { wire, arrivals, options, known } = about;
  if (!(wire instanceof XmppSocket)) return;
  open(about);
  const ask = (): void => void wire.write(xml('starttls', { xmlns: NS_TLS }));
  if (known) ask();
  const features = await featuresOf(arrivals);
  if (!features.getChild('starttls', NS_TLS)) throw new Unusable('the server does not offer TLS');
  if (!known) ask();
  const answer = await arrivals.stanza();
  if (answer.getName() !== 'proceed' || namespaceOf(answer) !== NS_TLS) throw new Unusable('the server refused TLS');
  arrivals.clear();
  await wire.secure('client', verifiedTls({ domain: options.jid.domain, ca: options.ca, pin: options.pin }));
}

async function authenticate(about: Talk): Promise<Pick<Known, 'mechanisms' | 'bindings'>> {
  const { wire, arrivals, options, known } = about;
  const credentials = { username: options.jid.local ?? '', password: options.password, plain: options.plain === true, unsaid: options.unsaid ?? 'tls-unique' };
  open(about);
  const begun = known && beginSasl(wire, known, credentials);
  const offer = offerOf(await featuresOf(arrivals));
  if (known && (known.mechanisms.join() !== offer.mechanisms.join() || known.bindings?.join() !== offer.bindings?.join())) throw new LanpostError('disconnected', 'The server offers something else than before.');
  await finishSasl(wire, arrivals, begun ?? beginSasl(wire, offer, credentials));
  return offer;
}

function askResume(wire: Wire, { id, h }: { readonly id: string; readonly h: number }): void {
  wire.write(xml('resume', { xmlns: NS_SM, previd: id, h: String(h) }));
}

const BIND = 'bind';

function askSession({ wire, options }: Talk, manage: boolean): void {
  wire.write(xml('iq', { type: 'set', id: BIND }, xml('bind', { xmlns: NS_BIND }, xml('resource', {}, options.resource))));
  if (manage) wire.write(xml('enable', { xmlns: NS_SM, resume: 'true' }));
}

type Resumption = { readonly resumed: true; readonly h: number } | { readonly resumed: false; readonly h: number | undefined };

/** XEP-0198 §5: what the other side had; when it would not resume the session, a new one must be bound. */
async function resumption(arrivals: HomeArrivals): Promise<Resumption> {
  const answer = await arrivals.stanza();
  const h = namespaceOf(answer) === NS_SM ? parseH(attr(answer, 'h')) : undefined;
  if (namespaceOf(answer) !== NS_SM || answer.getName() !== 'resumed') return { resumed: false, h };
  // Without a count nothing can be said about what it has.
  if (h === undefined) throw new StreamBroken('The server resumed the session without saying what it has of it.');
  return { resumed: true, h };
}

async function boundTo(arrivals: HomeArrivals): Promise<string> {
  const answer = await arrivals.stanza();
  if (answer.getName() !== 'iq' || attr(answer, 'id') !== BIND) throw new LanpostError('disconnected', 'The server did not answer the binding of a resource.');
  if (attr(answer, 'type') === 'error') throw stanzaErrorOf(answer);
  const bound = answer.getChild('bind', NS_BIND)?.getChildText('jid');
  if (bound === undefined || bound === null) throw new LanpostError('disconnected', 'The server bound no address.');
  return bound;
}

async function enabled(arrivals: HomeArrivals): Promise<Pick<Negotiated, 'sm'>> {
  let answer = await arrivals.stanza();
  // XEP-0198 §4: counting begins at <enabled/>; what squeezed in before it is of no session of ours yet.
  for (let i = 0; i < 16 && namespaceOf(answer) !== NS_SM; i++) answer = await arrivals.stanza();
  if (answer.getName() !== 'enabled' || namespaceOf(answer) !== NS_SM) return {};
  const id = ['true', '1'].includes(attr(answer, 'resume') ?? '') ? attr(answer, 'id') : undefined;
  const max = Number(attr(answer, 'max') ?? Number.NaN);
  return { sm: { ...(id === undefined ? {} : { id }), ...(Number.isFinite(max) ? { max } : {}) } };
}
