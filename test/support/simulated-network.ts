import type { TestClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import { isFromLink, subnetsOf } from '../../src/mdns/interfaces.ts';
import { MDNS_PORT, type Channel, type Family, type InterfaceInfo, type Network, type Source } from '../../src/mdns/network.ts';

/** What a packet on the simulated link looks like to whoever watches it. */
export interface Packet { readonly segment: string; readonly family: Family; readonly from: Source; readonly to: Source | undefined; readonly bytes: Buffer; readonly at: number }

interface Port {
  readonly host: SimulatedHost;
  readonly name: string;
  readonly family: Family;
  /** The UDP port. */
  readonly number: number;
  readonly onPacket: (bytes: Buffer, from: Source) => void;
}

export interface SimulatedOptions {
  /** One-way time, ms. Default 1. */
  readonly latency?: number;
  /** Whether a packet is lost, for one receiver. */
  readonly lose?: (packet: Packet, receiver: string) => boolean;
}

/** Links in memory: whatever one host multicasts on a segment, every port on it gets, in the time of the test clock. */
export class SimulatedLan {
  readonly clock: TestClock;
  readonly packets: Packet[] = [];
  lose: (packet: Packet, receiver: string) => boolean;
  readonly #latency: number;
  readonly #ports = new Map<string, Set<Port>>();
  #hosts = 0;
  #free = 0;
  #cut = new Set<string>();

  constructor(clock: TestClock, options: SimulatedOptions = {}) {
    this.clock = clock;
    this.#latency = options.latency ?? 1;
    this.lose = options.lose ?? (() => false);
  }

  /** A host with one interface `eth0` on the segment, IPv4 and IPv6. */
  host(name: string, segment = 'lan', families: readonly Family[] = [4, 6]): SimulatedHost {
    const number = ++this.#hosts;
    const host = new SimulatedHost(this, name);
    host.up('eth0', segment, [
      ...(families.includes(4) ? [{ address: `10.77.${number >> 8}.${number & 255}`, family: 4, prefix: 16 } as const] : []),
      ...(families.includes(6) ? [{ address: `fe80::${number.toString(16)}`, family: 6, prefix: 64 } as const] : []),
    ]);
    return host;
  }

  freePort(): number {
    return 40_000 + this.#free++;
  }

  /** Silently: the host's packets neither come nor go. */
  cut(host: SimulatedHost, is: boolean): void {
    if (is) this.#cut.add(host.name);
    else this.#cut.delete(host.name);
  }

  attach(segment: string, port: Port): () => void {
    const key = `${segment}/${port.family}`;
    const ports = this.#ports.get(key) ?? new Set<Port>();
    this.#ports.set(key, ports.add(port));
    return () => {
      for (const some of this.#ports.values()) some.delete(port);
    };
  }

  /** The host's cable goes to another switch, and it is told nothing of it. */
  replug(host: SimulatedHost, segment: string): void {
    const mine = [...this.#ports.values()].flatMap((ports) => [...ports]).filter((port) => port.host === host);
    for (const port of mine) {
      for (const ports of this.#ports.values()) ports.delete(port);
      this.attach(segment, port);
    }
    host.replugged(segment);
  }

  /** Puts a packet on the segment as if `from` had sent it; `sender` does not hear it. */
  transmit(packet: Omit<Packet, 'at'>, sender?: Port): void {
    const sent: Packet = { ...packet, at: this.clock.mono() };
    if (sender && this.#cut.has(sender.host.name)) return;
    this.packets.push(sent);
    this.clock.after(this.#latency, () => {
      for (const port of this.#ports.get(`${packet.segment}/${packet.family}`) ?? []) {
        if (port === sender || this.#cut.has(port.host.name) || this.lose(sent, port.host.name)) continue;
        if (port.number !== (packet.to?.port ?? MDNS_PORT)) continue;
        // To one address: the newest socket of that host gets it, as on Linux.
        if (packet.to && !port.host.has(packet.to.address)) continue;
        if (port.host.isBeside(packet.from.address, port.name)) port.onPacket(packet.bytes, packet.from);
      }
    });
  }
}

export class SimulatedHost {
  readonly name: string;
  readonly #lan: SimulatedLan;
  readonly #beside = new Map<string, boolean>();
  readonly #interfaces = new Map<string, { info: InterfaceInfo; segment: string }>();
  /** Makes `open` fail, as a taken port does; asking from another port is not hindered. */
  refuse: LanpostError | undefined;

  constructor(lan: SimulatedLan, name: string) {
    this.#lan = lan;
    this.name = name;
  }

  up(name: string, segment: string, addresses: InterfaceInfo['addresses']): void {
    this.#interfaces.set(name, { info: { name, addresses }, segment });
    this.#beside.clear();
  }

  /** Its carrier goes and comes back at once. */
  flap(name: string): void {
    const entry = this.#interfaces.get(name);
    if (entry) entry.info = { ...entry.info, changes: (entry.info.changes ?? 0) + 2 };
  }

  down(name: string): void {
    this.#interfaces.delete(name);
  }

  replugged(segment: string): void {
    for (const entry of this.#interfaces.values()) entry.segment = segment;
  }

  has(address: string): boolean {
    return [...this.#interfaces.values()].some(({ info }) => info.addresses.some((own) => own.address === address));
  }

  /** Whether it is of the link at that interface. */
  isBeside(address: string, name: string): boolean {
    const info = this.#interfaces.get(name)?.info;
    if (!info) return false;
    const key = `${name} ${address}`;
    const known = this.#beside.get(key) ?? isFromLink(address, subnetsOf(info));
    this.#beside.set(key, known);
    return known;
  }

  address(family: Family, name = 'eth0'): string {
    return this.#interfaces.get(name)?.info.addresses.find((own) => own.family === family)?.address ?? '';
  }

  /** One process of this host; several of them hear each other. */
  network(): Network {
    return {
      interfaces: () => [...this.#interfaces.values()].map(({ info }) => info),
      open: async (name, family, onPacket, asking = false) => this.#open(name, family, onPacket, asking ? this.#lan.freePort() : MDNS_PORT),
    };
  }

  #open(name: string, family: Family, onPacket: (bytes: Buffer, from: Source) => void, number: number): Channel {
    const entry = this.#interfaces.get(name);
    if (this.refuse && number === MDNS_PORT) throw this.refuse;
    if (!entry) throw new LanpostError('unreachable', `no interface ${name}`);
    const port: Port = { host: this, name, family, number, onPacket };
    const detach = this.#lan.attach(entry.segment, port);
    let sent = 0;
    let closed = false;
    return {
      counts: () => ({ sent, echoed: sent, failed: 0, strayed: 0 }),
      send: (bytes, to) => {
        if (closed || !this.#interfaces.has(name)) return;
        sent++;
        const from = { address: this.address(family, name), port: number };
        this.#lan.transmit({ segment: entry.segment, family, from, to, bytes: Buffer.from(bytes) }, port);
      },
      close: async () => {
        closed = true;
        detach();
      },
    };
  }
}

/** Lets promises that are ready run on. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
