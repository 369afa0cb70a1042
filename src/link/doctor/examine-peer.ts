import type { Finding, TrustLevel } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import { TYPE } from '../../mdns/message.ts';
import type { InterfaceInfo } from '../../mdns/network.ts';
import type { Trust } from '../../trust/trust.ts';
import { buildPing } from '../../xep/ping.ts';
import { buildTimeRequest, readTime } from '../../xep/time.ts';
import type { Element } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { dialable, type DialableAddress } from '../dialable.ts';
import type { KnownPeer } from '../peers.ts';
import type { ProvenPeer } from '../streams-port.ts';
import type { Tcp } from '../tcp.ts';
import { note, ok } from './finding.ts';
import { greet, type Greeting } from './greeting.ts';
import { pause } from '../pause.ts';
import { checkPeerAddress } from './peer-address.ts';
import { checkPeerClock } from './peer-clock.ts';
import { checkPeerGreeting } from './peer-greeting.ts';
import { checkPeerKey } from './peer-key.ts';
import { checkPeerPackets, tryPackets } from './peer-packets.ts';
import { callPeer, checkPeerPort } from './peer-port.ts';
import { checkPeerRights } from './peer-rights.ts';
import type { Soundings } from './soundings.ts';

export interface PeerParts {
  readonly clock: Clock;
  readonly tcp: Tcp;
  readonly trust: Pick<Trust, 'holder' | 'level' | 'find' | 'may' | 'classes'>;
  readonly self: () => string;
  readonly interfaces: readonly InterfaceInfo[];
  readonly mtu: (iface: string) => number | undefined;
  readonly soundings: Pick<Soundings, 'answers'>;
  readonly connected: (name: string) => boolean;
  readonly prove: (name: string, signal: AbortSignal) => Promise<ProvenPeer>;
  readonly request: (name: string, iq: Element, options: { readonly timeout: number }) => Promise<Element>;
  /** What this box wants of that key, and is refused when it asks again. */
  readonly refused: (peer: ProvenPeer) => Promise<readonly { readonly filter: string; readonly reason: string }[]>;
  /** Whether it is found that multicast from here does not reach others on one of these interfaces. */
  readonly unheard: (interfaces: readonly string[]) => Promise<boolean>;
  /** It was asked about by name. */
  readonly named: boolean;
  readonly signal: AbortSignal;
}

const ALONE_TIME = 1_500;
const PROVE_TIME = 4_000;
const ANSWER_TIME = 1_500;

/** From the outside in: address, port, packets, key, clock, rights; ends where going on makes no sense. */
export async function examinePeer(parts: PeerParts, peer: KnownPeer, emit: (findings: readonly Finding[]) => void): Promise<void> {
  const { name } = peer;
  if (peer.via) {
    // Where it is was never announced, and it has a stream or is no peer.
    emit([ok('peer-address', `${name} is reached where no multicast does, over a stream that is open.`, [`${peer.host}, port ${peer.port}`], { peer: name })]);
    return acquaint(parts, peer, false, emit);
  }
  const addresses = dialable(peer, parts.interfaces);
  emit(checkPeerAddress(peer, addresses, parts.interfaces));
  if (addresses.length === 0) return;
  const calls = await reach(parts, peer, addresses, emit);
  const socket = calls.find((call) => call.socket)?.socket;
  for (const call of calls) if (call.socket !== socket) call.socket?.destroy();
  if (!socket) return;
  // A name that has shown a key is spoken to with keys, whatever it says of itself.
  if (!peer.claims.box && parts.trust.holder(name) === undefined) {
    socket.destroy();
    emit([note('peer-key', 'in-the-clear', {
      peer: name, message: `${name} is no box: it has no key, and whoever is on this network can read along or pretend to be it.`, evidence: ['it does not announce to be a lanpost box'],
    })]);
    return;
  }
  const asked = [{ name: peer.host, type: peer.addresses.some(({ family }) => family === 4) ? TYPE.A : TYPE.AAAA }];
  const [greeting, packets] = await Promise.all([
    greet({ socket, clock: parts.clock, from: parts.self(), to: name, signal: parts.signal }),
    tryPackets(addresses, asked, parts.mtu, (...question) => parts.soundings.answers(...question)),
  ]);
  // Where large packets vanish, the answer may be among them.
  if (greeting.answered || greeting.refused !== undefined || !packets?.lost.length) await greeted(parts, peer, greeting, emit);
  emit(checkPeerPackets(peer, greeting, packets));
  if (greeting.answered) await acquaint(parts, peer, greeting.large === false, emit);
}

async function reach(parts: PeerParts, peer: KnownPeer, addresses: readonly DialableAddress[], emit: (findings: readonly Finding[]) => void): ReturnType<typeof callPeer> {
  const asked = [{ name: peer.host, type: TYPE.A }, { name: peer.host, type: TYPE.AAAA }];
  const alone = addresses.map(async (one) => (await parts.soundings.answers(one.interface, one.address, asked, ALONE_TIME) ? one.address : ''));
  const pinged = parts.connected(peer.name) && parts.request(peer.name, buildPing(), { timeout: ALONE_TIME }).then(() => true, (error: unknown) => error instanceof StanzaError);
  const calls = await callPeer(parts.tcp, addresses, peer.port);
  // Whoever takes calls is there.
  const alive = calls.some(({ outcome }) => outcome === 'open') ? [] : (await Promise.all(alone)).filter((address) => address !== '');
  emit(checkPeerPort({ peer, calls, alive, connected: await pinged }));
  return calls;
}

async function greeted(parts: PeerParts, peer: KnownPeer, greeting: Greeting, emit: (findings: readonly Finding[]) => void): Promise<void> {
  const unheard = greeting.refused === 'not-authorized' && await parts.unheard(peer.addresses.map((address) => address.interface));
  emit(checkPeerGreeting(peer, parts.self(), greeting, unheard));
}

/** What takes a stream. `stuck`: large packets vanish, and a stream that does not come about is no wonder. */
async function acquaint(parts: PeerParts, peer: KnownPeer, stuck: boolean, emit: (findings: readonly Finding[]) => void): Promise<void> {
  const { trust, clock } = parts;
  const { name } = peer;
  const before = trust.holder(name);
  const level = (fingerprint: string | undefined): TrustLevel => trust.level(fingerprint);
  const proven = await proof(parts, name);
  if (!('error' in proven && stuck)) emit(checkPeerKey({ peer, before, proven, level }));
  if ('error' in proven) return;
  await Promise.all([
    (async () => {
      const sent = clock.mono();
      const answer = await parts.request(name, buildTimeRequest(), { timeout: ANSWER_TIME }).catch(() => undefined); // older ones know no such question
      const theirs = answer && readTime(answer);
      // It was read in the middle of the way there and back.
      if (theirs !== undefined) emit(checkPeerClock(name, theirs, clock.wall() - (clock.mono() - sent) / 2, clock.isSet()));
    })(),
    (async () => {
      const refused = await Promise.race([parts.refused(proven), pause(clock, ANSWER_TIME, parts.signal).then(() => [])]);
      const { fingerprint } = proven;
      const ruled = [trust.find(fingerprint), trust.classes().find((one) => one.name === `class:${trust.level(fingerprint)}`)];
      emit(checkPeerRights({
        peer: name, self: parts.self(), refused, named: parts.named, mayChat: trust.may(fingerprint, 'chat'),
        grants: ruled.flatMap((rules) => rules?.grants ?? []), denials: ruled.flatMap((rules) => rules?.denials ?? []),
      }));
    })(),
  ]);
}

async function proof(parts: PeerParts, name: string): Promise<ProvenPeer | { readonly error: unknown }> {
  const late = new AbortController();
  const timer = parts.clock.after(PROVE_TIME, () => late.abort(new Error(`no stream within ${PROVE_TIME / 1_000} s`)));
  try {
    return await parts.prove(name, AbortSignal.any([parts.signal, late.signal]));
  } catch (error) {
    return { error };
  } finally {
    timer.stop();
  }
}
