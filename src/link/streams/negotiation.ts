// How a stream between two peers comes about: XEP-0174 §6, with STARTTLS (RFC 6120 §5) and stream
// management (XEP-0198) where both sides can. No socket here: events in through `next`, XML out.
import { randomBytes } from 'node:crypto';
import { NS_DISCO_INFO } from '../../xep/disco.ts';
import { attr, children, type Element, namespaceOf, xml } from '../../xmpp/element.ts';
import { isStreamError, streamFaultOf } from '../../xmpp/stream-error.ts';
import { NS_SM } from '../../xmpp/stream-management.ts';
import { NS_STREAM, type StreamEvent } from '../../xmpp/xml-stream.ts';
import { fingerprintOf } from '../../trust/fingerprint.ts';
import { enableAsAsked, enableOrResume, type Managed, type SessionTerms } from './enabling.ts';
import { Refusal } from './refusal.ts';
import { authenticate, external, isAuth, mechanisms, wantsExternal } from './sasl-external.ts';

export const NS_TLS = 'urn:ietf:params:xml:ns:xmpp-tls';
/** How long a peer that speaks XMPP 1.0, but is no box, may think about STARTTLS. */
const OFFER_TIME = 1_000;
/** RFC 6763 §4.1.1 */
const INSTANCE_BYTES = 63;

export type Side = 'dialled' | 'accepted';

export interface Channel {
  /** What came next; undefined when nothing did within `ms`. Rejects when the stream is lost or takes too long. */
  next(ms?: number): Promise<StreamEvent | undefined>;
  /** Puts back what was read too far. */
  unread(event: StreamEvent): void;
  header(attributes: Readonly<Record<string, string>>): void;
  write(element: Element): void;
  /** The stream begins anew on the same connection. */
  restart(): void;
  /** TLS over what is there; the peer's public key, if it showed one. */
  secure(side: Side): Promise<Uint8Array | undefined>;
}

export interface Terms {
  /** This box's name on the link. */
  readonly self: string;
  /** XEP-0174 §10: what we can do, for the features. */
  readonly disco: () => Element;
  /** Without TLS a peer of that name is not talked to: it says it is a box, or a key has the name. */
  readonly mustSecure: (name: string) => boolean;
  /** The peer has proven the key; throws when the key may not go by that name. Gives the name it goes by here. */
  readonly proven: (name: string, spki: Uint8Array) => string;
  /** It is talked to without a key. */
  readonly keyless: (name: string) => void;
  readonly sessions: SessionTerms;
}

/** What both sides have agreed on. */
export interface Agreed extends Managed {
  readonly peer: string;
  readonly tls: boolean;
  /** The peer's key; absent without TLS, or when it showed none. */
  readonly spki?: Uint8Array;
  /** XEP-0174 §10: the peer's disco#info, when its features had it. */
  readonly disco?: Element;
}

const downgrade = (name: string): Refusal =>
  new Refusal('downgrade', 'policy-violation', `${name} is known to have a key, but would speak only in the clear; if it has given that up, revoke its key`);

/** Without a name the peer says its own, under TLS; then nothing is said in the clear. */
export async function dial(channel: Channel, terms: Terms, name: string | undefined): Promise<Agreed> {
  const secure = name === undefined || terms.mustSecure(name);
  const hello = { from: terms.self, ...(name === undefined ? {} : { to: name }), version: '1.0' };
  channel.header(hello);
  // COMPAT(libpurple 2.14): says no version and sends no features, which are then not waited for.
  const offered = isVersion1(await header(channel)) ? await features(channel, secure ? undefined : OFFER_TIME) : [];
  if (!offered.some(feature => is(feature, 'starttls', NS_TLS))) {
    if (secure) throw downgrade(name ?? 'the peer');
    terms.keyless(name);
    return { peer: name, tls: false, managed: false, ...told(offered) };
  }
  channel.write(xml('starttls', { xmlns: NS_TLS }));
  const proceed = await element(channel);
  if (!is(proceed, 'proceed', NS_TLS)) throw new Refusal('protocol', 'policy-violation', 'STARTTLS was refused');
  const shown = await channel.secure('dialled');
  channel.header(hello); // first of all, so that a refusal can be told
  const answer = name === undefined ? await header(channel) : undefined;
  const said = name ?? instanceName(answer?.['from']);
  // Without a key TLS keeps secrets but proves nothing.
  const { spki, peer } = shown === undefined && !secure ? { spki: undefined, peer: said } : prove(terms, said, shown);
  if (!spki) terms.keyless(peer);
  let inner = isVersion1(answer ?? await header(channel)) ? await features(channel) : [];
  // A box offers both, and needs no more than the key that TLS has proven.
  if (spki && !inner.some(feature => is(feature, 'sm', NS_SM)) && wantsExternal(inner)) {
    await external({ write: stanza => channel.write(stanza), element: () => element(channel) });
    channel.restart();
    channel.header(hello);
    await header(channel);
    inner = await features(channel);
  }
  const outcome = { peer, tls: true, ...told(inner) };
  if (!spki) return { ...outcome, managed: false };
  if (!inner.some(feature => is(feature, 'sm', NS_SM))) return { ...outcome, spki, managed: false };
  const managed = await enableOrResume(terms.sessions, { name: peer, fingerprint: fingerprintOf(spki) }, {
    write: stanza => channel.write(stanza), element: () => element(channel),
  });
  return { ...outcome, spki, ...managed };
}

/** Who may be calling. `unlisted`: on these terms, and not in the clear. */
export interface Candidates {
  readonly names: readonly string[];
  readonly unlisted?: Terms | undefined;
}

/** `candidates` says who may be calling: by the name in the header, or by where the call comes from. */
export async function accept(channel: Channel, usual: Terms, candidates: (from: string | undefined) => Promise<Candidates>): Promise<Agreed> {
  const hello = await header(channel);
  const from = hello['from'];
  const version = isVersion1(hello) ? { version: '1.0' } : {};
  const { names, unlisted } = await candidates(from === '' ? undefined : from);
  const terms = unlisted ?? usual;
  const unknown = (): Refusal => new Refusal('unknown', 'not-authorized', `a call from ${from ?? 'somebody without a name'}, who is not announced at that address`);
  const [only] = names;
  if (only === undefined || (unlisted && !version.version)) {
    // COMPAT(libpurple 2.14): does the same with whom it does not know: header, close.
    channel.header({ from: terms.self, ...(from === undefined ? {} : { to: from }), ...version });
    throw unknown();
  }
  const open = (to: string | undefined): void => channel.header({
    from: terms.self, ...(to === undefined ? {} : { to }), ...(version.version ? { id: randomBytes(8).toString('hex') } : {}), ...version,
  });
  open(names.length === 1 ? only : undefined);
  if (!version.version) return { peer: plainOnly(terms, names.length === 1 ? only : await named(channel, names)), tls: false, managed: false };

  const must = names.some(name => terms.mustSecure(name));
  channel.write(xml('stream:features', {}, xml('starttls', { xmlns: NS_TLS }, ...(must ? [xml('required')] : [])), terms.disco()));
  const first = await channel.next(must ? undefined : OFFER_TIME);
  if (first?.type !== 'stanza' || !is(first.element, 'starttls', NS_TLS)) {
    if (unlisted) throw unknown();
    if (first) channel.unread(first);
    return { peer: plainOnly(terms, names.length === 1 ? only : await named(channel, names)), tls: false, managed: false };
  }
  channel.write(xml('proceed', { xmlns: NS_TLS }));
  const shown = await channel.secure('accepted');
  if (unlisted && shown === undefined) throw unknown();
  const again = await header(channel);
  const said = names.find(name => name === again['from']) ?? only;
  if (again['from'] !== undefined && again['from'] !== said) throw new Refusal('protocol', 'invalid-from', 'the name changed under TLS');
  open(said);
  // Without a key TLS keeps secrets but proves nothing.
  const { spki, peer } = shown === undefined && !terms.mustSecure(said) ? { spki: undefined, peer: said } : prove(terms, said, shown);
  if (!spki) terms.keyless(peer);
  const offer = (...more: Element[]): void => channel.write(xml('stream:features', {}, ...more, ...(spki ? [xml('sm', { xmlns: NS_SM })] : []), terms.disco()));
  if (!spki) {
    offer();
    return { peer, tls: true, managed: false };
  }
  offer(mechanisms());
  const next = await channel.next();
  if (next?.type === 'stanza' && isAuth(next.element)) {
    await authenticate(next.element, said, { element: () => element(channel), write: stanza => channel.write(stanza), succeed: stanza => { channel.restart(); channel.write(stanza); } });
    const anew = await header(channel);
    if (anew['from'] !== undefined && anew['from'] !== said) throw new Refusal('protocol', 'invalid-from', 'the name changed with the authentication');
    open(said);
    offer();
  } else if (next) channel.unread(next);
  return { peer, tls: true, spki, ...await enableAsAsked(terms.sessions, { name: peer, fingerprint: fingerprintOf(spki) }, channel) };
}

function prove(terms: Terms, name: string, spki: Uint8Array | undefined): { readonly spki: Uint8Array; readonly peer: string } {
  if (!spki) throw new Refusal('downgrade', 'not-authorized', `${name} showed no certificate`);
  return { spki, peer: terms.proven(name, spki) };
}

/** RFC 6763 §4.1.1: one label of UTF-8. */
export function instanceName(from: string | undefined): string {
  if (from === undefined || from === '' || Buffer.byteLength(from) > INSTANCE_BYTES) throw new Refusal('protocol', 'improper-addressing', 'the peer did not say its name');
  return from;
}

function plainOnly(terms: Terms, name: string): string {
  if (terms.mustSecure(name)) throw downgrade(name);
  terms.keyless(name);
  return name;
}

/** Several peers share the address and the header named none: the first stanza decides. */
async function named(channel: Channel, names: readonly string[]): Promise<string> {
  const first = await channel.next();
  const from = first?.type === 'stanza' ? attr(first.element, 'from') : undefined;
  if (!first || from === undefined || !names.includes(from)) throw new Refusal('unknown', 'invalid-from', 'a stanza that does not say who sends it');
  channel.unread(first);
  return from;
}

async function header(channel: Channel): Promise<Readonly<Record<string, string>>> {
  const event = await channel.next();
  if (event?.type === 'header') return event.attrs;
  throw unexpected(event);
}

async function element(channel: Channel): Promise<Element> {
  const event = await channel.next();
  if (event?.type === 'stanza' && !isStreamError(event.element)) return event.element;
  throw unexpected(event);
}

/** `ms`: for a peer that may go without. */
async function features(channel: Channel, ms?: number): Promise<Element[]> {
  const event = await channel.next(ms);
  if (event?.type === 'stanza' && is(event.element, 'features', NS_STREAM)) return children(event.element);
  if (ms === undefined && event?.type === 'stanza' && !isStreamError(event.element)) throw new Refusal('protocol', 'unsupported-stanza-type', 'stream features were expected');
  if (ms === undefined || (event && (event.type !== 'stanza' || isStreamError(event.element)))) throw unexpected(event);
  if (event) channel.unread(event);
  return [];
}

function told(offered: readonly Element[]): Pick<Agreed, 'disco'> {
  const disco = offered.find(feature => is(feature, 'query', NS_DISCO_INFO));
  return disco ? { disco } : {};
}

function unexpected(event: StreamEvent | undefined): Refusal {
  if (event?.type === 'error') return new Refusal('protocol', event.condition, event.text);
  if (event?.type !== 'stanza') return new Refusal('peer', 'undefined-condition', 'the peer closed the stream before it was open');
  if (!isStreamError(event.element)) return new Refusal('protocol', 'unsupported-stanza-type', 'a stanza before the stream was open');
  return new Refusal('refused', 'undefined-condition', `the peer refused the stream: ${streamFaultOf(event.element).condition}`);
}

const is = (found: Element, name: string, namespace: string): boolean => found.getName() === name && namespaceOf(found) === namespace;

/** RFC 6120 §4.7.5: any 1.x will do. */
const isVersion1 = (attributes: Readonly<Record<string, string>>): boolean => /^1\.\d+$/.test(attributes['version'] ?? '');
