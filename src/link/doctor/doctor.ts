import { isIP } from 'node:net';
import type { Finding, HomeStatus, OffLinkPeer } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import { parseAddress } from '../../mail/address.ts';
import { canonicalAddress } from '../../mdns/address.ts';
import type { InterfaceInfo } from '../../mdns/network.ts';
import type { SounderInit } from '../../mdns/sounder.ts';
import { createSocketNetwork } from '../../mdns/socket-network.ts';
import type { MdnsState } from '../../mdns/state.ts';
import type { Trust } from '../../trust/trust.ts';
import type { KnownPeer, Peers } from '../peers.ts';
import { checkDiscoveryPort } from './discovery-port.ts';
import { examineAddress } from './examine-address.ts';
import { examineFarPeer, isMeant } from './far-peers.ts';
import { examinePeer, type PeerParts } from './examine-peer.ts';
import { type Check, examine } from './examination.ts';
import { listed, note, problem } from './finding.ts';
import { checkHomes, checkRoadTo } from './homes.ts';
import { checkInterfaces } from './interfaces.ts';
import { createMachine, type Machine, type MachineInterface } from './machine.ts';
import { checkMulticast } from './multicast.ts';
import { checkOwnClock } from './own-clock.ts';
import { checkOwnName } from './own-name.ts';
import { checkPeerName } from './peer-name.ts';
import { type Sounded, type SounderPort, Soundings } from './soundings.ts';
import { checkSubnet } from './subnet.ts';

/** What is looked through to the outside. */
export interface Instruments {
  readonly clock: Clock;
  readonly machine?: Machine;
  /** Interfaces that are up and have an address. */
  readonly interfaces?: () => InterfaceInfo[];
  readonly sounder?: (init: SounderInit) => SounderPort;
}

/** The link of a box that runs. */
export interface Patient extends Pick<PeerParts, 'tcp' | 'self' | 'connected' | 'prove' | 'request' | 'refused'> {
  readonly fingerprintOf: (name: string) => string | undefined;
  readonly trust: PeerParts['trust'] & Pick<Trust, 'list'>;
  readonly peers: Pick<Peers, 'get' | 'all' | 'at'>;
  readonly state: () => MdnsState;
  /** The name it would have if nobody else had it. */
  readonly wanted: string;
  /** Peers that it calls where no multicast reaches. */
  readonly far: () => readonly OffLinkPeer[];
  /** The only interfaces that it may use. */
  readonly only?: readonly string[] | undefined;
}

/** Peers that are tried when none is named. */
const MAX_PEERS = 8;
const EMPTY: MdnsState = { links: [], offers: [] };

/** Why a peer is not seen, or not reached; without one, all that are seen are tried. */
export function doctor(o: { instruments: Instruments; patient: Patient; homes: readonly HomeStatus[]; peer?: string | undefined; signal?: AbortSignal | undefined }): AsyncGenerator<Finding> {
  const { instruments, patient, homes, peer } = o;
  const network = new NetworkChecks(instruments, patient);
  const whom = chosen(peer, patient, homes);
  return examine(instruments.clock, {
    ...network.checks(),
    clock: async (emit) => emit(checkOwnClock(instruments.clock)),
    name: async (emit) => {
      const holder = patient.peers.get(patient.wanted);
      emit(checkOwnName({ name: patient.self(), wanted: patient.wanted, holder, fingerprint: holder && patient.fingerprintOf(holder.name) }));
    },
    homes: async (emit) => emit(whom.jid === undefined ? checkHomes(homes) : checkRoadTo(whom.jid, homes, patient.peers.get(whom.jid) !== undefined)),
    ...(whom.address === undefined ? {} : { address: network.address(whom.address) }),
    ...(whom.unknown === undefined ? {} : { 'peer-name': unknown(whom.unknown, patient, instruments.clock) }),
    ...Object.fromEntries(whom.peers.map((known) => [known.name, network.peer(known, peer !== undefined)])),
    ...Object.fromEntries(whom.far.map((entry) => [entry.peer, async (emit) => emit(await examineFarPeer(entry, patient.tcp))] satisfies [string, Check])),
    ...(whom.left > 0 ? { peers: async (emit) => emit([leftOut(whom.left)]) } : {}),
  }, o.signal);
}

/** What can be said of this machine when no box runs, or its link is off. */
export function machineDoctor(instruments: Instruments, signal?: AbortSignal): AsyncGenerator<Finding> {
  return examine(instruments.clock, { ...new NetworkChecks(instruments, undefined).checks(), clock: async (emit) => emit(checkOwnClock(instruments.clock)) }, signal);
}

export function linkOff(): Finding {
  return problem('box', 'link-off', {
    message: 'This box was started without the link, so it neither sees nor is seen by anybody on the local network.',
    evidence: ['its option `link` is false'], advice: 'Start it with the link: leave out `link: false`.',
  });
}

/** The checks of this machine's network, and what they share: its interfaces and the sockets on them. */
class NetworkChecks {
  readonly #instruments: Instruments;
  readonly #patient: Patient | undefined;
  readonly #machine: Machine;
  readonly #all: readonly InterfaceInfo[];
  readonly #interfaces: readonly InterfaceInfo[];
  readonly #described: Promise<MachineInterface[] | undefined>;
  readonly #soundings: Soundings;
  #opened: Promise<void> | undefined;
  readonly #heard: Promise<readonly Finding[]>;
  #tellHeard: (findings: readonly Finding[]) => void = () => undefined;
  readonly #sounded: Promise<readonly Sounded[]>;
  #tellSounded: (sounded: Promise<readonly Sounded[]> | readonly Sounded[]) => void = () => undefined;
  /** Whether the machine that was asked about answers. */
  #found: Promise<boolean> = Promise.resolve(false);
  #tellFound: (found: boolean) => void = () => undefined;
  /** Checks that still use the sockets. */
  #users = 0;

  constructor(instruments: Instruments, patient: Patient | undefined) {
    this.#instruments = instruments;
    this.#patient = patient;
    const { clock, machine = createMachine(), interfaces = () => createSocketNetwork().interfaces(), sounder } = instruments;
    this.#machine = machine;
    this.#all = interfaces();
    this.#interfaces = this.#all.filter(({ name }) => !patient?.only || patient.only.includes(name));
    this.#described = machine.interfaces();
    this.#sounded = new Promise((resolve) => { this.#tellSounded = resolve; });
    this.#heard = new Promise((resolve) => { this.#tellHeard = resolve; });
    this.#soundings = new Soundings({
      clock, all: this.#all, interfaces: this.#interfaces, sounder,
      known: (iface, family) => this.#addresses(iface, family),
      others: async (iface) => (await machine.routers()).filter((one) => one.interface === iface).map(({ address }) => address),
    });
  }

  checks(): Record<string, Check> {
    return {
      interfaces: async (emit) => emit(checkInterfaces({ usable: this.#all, machine: await this.#described, only: this.#patient?.only })),
      'discovery-port': async (emit) => emit(await checkDiscoveryPort({
        holders: (port) => this.#machine.holders(port),
        asking: (this.#patient?.state() ?? EMPTY).links.some(({ state }) => state === 'asking'),
      })),
      multicast: (emit, signal) => this.#using(async () => {
        try {
          const findings = await this.#listen(signal);
          this.#tellHeard(findings);
          emit(findings);
        } finally {
          this.#tellSounded([]);
          this.#tellHeard([]);
        }
      }),
    };
  }

  peer(known: KnownPeer, named: boolean): Check {
    return (emit, signal) => this.#using(async () => {
      const patient = this.#patient;
      if (!patient) return;
      const described = await this.#described;
      await examinePeer({
        ...patient, named, signal, clock: this.#instruments.clock, interfaces: this.#interfaces, soundings: this.#soundings,
        mtu: (iface) => described?.find(({ name }) => name === iface)?.mtu,
        unheard: async (interfaces) => {
          const found = await this.#heard;
          return found.some(({ cause, interface: name }) => (cause === 'one-way-out' || cause === 'multicast-refused') && name !== undefined && interfaces.includes(name))
            || patient.state().links.every(({ state, interface: name }) => state !== 'joined' || !interfaces.includes(name));
        },
      }, known, emit);
    });
  }

  /** Somebody who is not seen. When that machine answers, it is not true that nobody is there. */
  address(address: string): Check {
    this.#found = new Promise((resolve) => { this.#tellFound = resolve; });
    return (emit) => this.#using(async () => {
      const patient = this.#patient;
      try {
        if (!patient) return;
        this.#tellFound(await examineAddress({
          interfaces: this.#interfaces, tcp: patient.tcp, soundings: this.#soundings, neighbours: () => this.#machine.neighbours(),
          heard: async () => (await this.#sounded).some(({ hosts }) => hosts.some((host) => host.address === canonicalAddress(address) && host.multicast > 0)),
        }, address, emit));
      } finally {
        this.#tellFound(false);
      }
    });
  }

  async #listen(signal: AbortSignal): Promise<Finding[]> {
    if (this.#interfaces.length === 0) return [];
    const listening = this.#soundings.listen(signal);
    this.#tellSounded(listening);
    const sounded = await listening;
    const states = (this.#patient?.state() ?? EMPTY).links;
    const [neighbours, routers] = await Promise.all([this.#machine.neighbours(), this.#machine.routers()]);
    const subnet = checkSubnet({ interfaces: this.#interfaces, sounded, states });
    const elsewhere = subnet.some(({ cause }) => cause === 'other-subnet') || await this.#found;
    return [...subnet, ...checkMulticast({ sounded, states, neighbours, routers, elsewhere })];
  }

  /** The sockets are opened by the first that uses them, and closed by the last. */
  async #using(work: () => Promise<void>): Promise<void> {
    this.#users += 1;
    this.#opened ??= this.#soundings.open();
    try {
      await this.#opened;
      await work();
    } finally {
      this.#users -= 1;
      if (this.#users === 0) this.#soundings.close();
    }
  }

  #addresses(iface: string, family: 4 | 6): string[] {
    return (this.#patient?.peers.all() ?? []).flatMap(({ addresses }) => addresses)
      .filter((one) => one.interface === iface && one.family === family)
      .map(({ address }) => address.split('%')[0] ?? address);
  }
}

interface Chosen {
  readonly peers: readonly KnownPeer[];
  readonly far: readonly OffLinkPeer[];
  readonly left: number;
  readonly jid?: string;
  /** Of a machine that is no peer. */
  readonly address?: string;
  readonly unknown?: string;
}

/** Whom PEER means: a name on the link, a key, or an account somewhere. */
function chosen(peer: string | undefined, { peers, trust, far: callsTo }: Patient, homes: readonly HomeStatus[]): Chosen {
  if (peer === undefined) {
    const all = peers.all().toSorted((a, b) => Number(b.claims.box) - Number(a.claims.box));
    return { peers: all.slice(0, MAX_PEERS), far: callsTo().slice(0, MAX_PEERS), left: Math.max(0, all.length - MAX_PEERS) };
  }
  const far = callsTo().filter((entry) => isMeant(entry, peer));
  const here = peers.get(peer);
  if (here) return { peers: [here], far, left: 0 };
  const reached = far.flatMap(({ name }) => (name === undefined ? [] : peers.get(name) ?? []));
  if (far.length > 0) return { peers: reached, far, left: 0 };
  if (isIP(peer) !== 0) {
    const there = peers.at(peer);
    return there.length > 0 ? { peers: there.slice(0, MAX_PEERS), far, left: 0 } : { peers: [], far, left: 0, address: peer };
  }
  const address = parseAddress(peer, (domain) => homes.some(({ jid }) => jid.endsWith(`@${domain}`)));
  if (address.kind === 'xmpp') return { peers: [], far, left: 0, jid: address.jid };
  const known = peers.get(address.name) ?? peers.get(trust.find(peer)?.name ?? '');
  return known ? { peers: [known], far, left: 0 } : { peers: [], far, left: 0, unknown: address.name };
}

function unknown(asked: string, patient: Patient, clock: Clock): Check {
  return async (emit) => emit(checkPeerName({
    asked, self: patient.self(), present: patient.peers.all().map(({ name }) => name), keys: patient.trust.list(), now: clock.wall(),
  }));
}

function leftOut(count: number): Finding {
  return note('peers', 'peers-left-out', {
    message: `${listed([`${count} more ${count === 1 ? 'peer was' : 'peers were'}`])} not tried.`, evidence: [`at most ${MAX_PEERS} are tried at once`], advice: 'Name the one you mean: `lanpost doctor PEER`.',
  });
}
