import type { Finding } from '../../api.ts';
import { canonicalAddress } from '../../mdns/address.ts';
import type { InterfaceInfo } from '../../mdns/network.ts';
import { createSocketNetwork } from '../../mdns/socket-network.ts';
import type { LinkState } from '../../mdns/state.ts';
import type { KnownPeer } from '../peers.ts';
import { checkDiscoveryPort } from './discovery-port.ts';
import { examineAddress, isOwn } from './examine-address.ts';
import { examinePeer } from './examine-peer.ts';
import type { Check } from './examination.ts';
import { checkInterfaces } from './interfaces.ts';
import { createMachine, type Machine, type MachineInterface } from './machine.ts';
import { checkMulticast } from './multicast.ts';
import type { Instruments, Patient } from './patient.ts';
import { pause } from '../pause.ts';
import { type Sounded, Soundings } from './soundings.ts';
import { checkSubnet } from './subnet.ts';

/** What is found of the peer that was asked for is waited for this long, ms. */
const PASSING = 6_000;

/** The checks of this machine's network, and what they share: its interfaces and the sockets on them. */
export class NetworkChecks {
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
  /** Whether the peers that were asked for pass all that is tried of them; none when nobody was asked for. */
  readonly #asked: Promise<boolean>[] = [];
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
        asking: this.#states().some(({ state }) => state === 'asking'),
      })),
      multicast: (emit, signal) => this.#using(async () => {
        try {
          const findings = await this.#listen(signal);
          this.#tellHeard(findings);
          emit(await this.#weighed(findings, signal));
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

  /** The check of a peer that was asked for: whoever passes it is reached, whatever else does not answer. */
  asked(check: Check): Check {
    const { promise, resolve } = settledLater();
    this.#asked.push(promise);
    return async (emit, signal) => {
      let passed: boolean | undefined;
      try {
        await check((findings) => {
          passed = passed !== false && findings.every(({ level }) => level !== 'problem');
          emit(findings);
        }, signal);
      } finally {
        resolve(passed === true && !signal.aborted);
      }
    };
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
    const states = this.#states();
    const [neighbours, routers] = await Promise.all([this.#machine.neighbours(), this.#machine.routers()]);
    const subnet = checkSubnet({ interfaces: this.#interfaces, sounded, states });
    const elsewhere = subnet.some(({ cause }) => cause === 'other-subnet') || await this.#found;
    return [...subnet, ...checkMulticast({ sounded, states, neighbours, routers, elsewhere, here: this.#here() })];
  }

  /** That nobody else answers is no problem of whoever asked for a peer that is reached. */
  async #weighed(findings: readonly Finding[], signal: AbortSignal): Promise<readonly Finding[]> {
    if (this.#asked.length === 0 || !findings.some(isAlone)) return findings;
    const passed = await Promise.race([Promise.all(this.#asked), pause(this.#instruments.clock, PASSING, signal).then(() => [false])]);
    return passed.every(Boolean) ? findings.map((one) => (isAlone(one) ? { ...one, level: 'note' } : one)) : findings;
  }

  /** Peers at no address but this machine's own. */
  #here(): string[] {
    return (this.#patient?.peers.all() ?? []).filter(({ addresses }) => addresses.length > 0 && addresses.every(({ address }) => isOwn(address, this.#all))).map(({ name }) => name);
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

  /** How the box's own sockets stand. */
  #states(): readonly LinkState[] {
    return this.#patient?.state().links ?? [];
  }

  #addresses(iface: string, family: 4 | 6): string[] {
    return (this.#patient?.peers.all() ?? []).flatMap(({ addresses }) => addresses)
      .filter((one) => one.interface === iface && one.family === family && !isOwn(one.address, this.#all))
      .map(({ address }) => address.split('%')[0] ?? address);
  }
}

function isAlone({ level, cause }: Finding): boolean {
  return level === 'problem' && cause === 'nobody-heard';
}

function settledLater(): { readonly promise: Promise<boolean>; readonly resolve: (value: boolean) => void } {
  let resolve: (value: boolean) => void;
  const promise = new Promise<boolean>((settle) => { resolve = settle; });
  return { promise, resolve: (value) => resolve(value) };
}
