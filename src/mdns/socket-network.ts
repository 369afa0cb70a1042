import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import multicastDns, { type MulticastDNS } from 'multicast-dns';
import { LanpostError } from '../errors.ts';
import { addressToBytes, canonicalAddress, withoutZone } from './address.ts';
import { Echoes } from './echoes.ts';
import { isFromLink, onLink, subnetsOf } from './interfaces.ts';
import { MDNS_PORT, type Channel, type ChannelCounts, type Family, type InterfaceInfo, type Network, type Source } from './network.ts';

const GROUP = { 4: '224.0.0.251', 6: 'ff02::fb' } as const;
/** RFC 6762 §11 */
const TTL = 255;
/** A thousand hosts that come at once, 315 bytes each, and the kernel's overhead for each packet. */
const RECEIVE_BYTES = 4 << 20;
/** Packets of our own that may still come back to us. */
const MAX_ECHOES = 512;
/** Of those that went out by another interface, and come back by this one where both are on one LAN. */
const MAX_CROSSED = 64;
/** Senders remembered with what their address means. */
const MAX_SOURCES = 4096;

type Receive = (bytes: Buffer, from: Source) => void;

/**
 * Multicast DNS over real sockets. multicast-dns carries bind, membership, TTL and loopback, one
 * instance for each interface and family; messages are our own (its codec cannot carry a dot inside
 * a label, an empty TXT, or a QU question), so its listener is taken away and packets go by the socket.
 */
export function createSocketNetwork(): Network {
  let present: InterfaceInfo[] = [];
  const interfaces = (): InterfaceInfo[] => {
    present = systemInterfaces();
    return present;
  };
  const ports = new Set<Port>();
  return {
    interfaces,
    async open(name, family, onPacket, asking = false) {
      const iface = interfaces().find((one) => one.name === name);
      const local = iface?.addresses.find((own) => own.family === family);
      if (!iface || !local) throw new LanpostError('unreachable', `${name} has no IPv${family} address`);
      const port: Port = new Port({ iface, family, onPacket, asking, present: () => present, others: () => [...ports].filter((other) => other !== port && other.family === family), closed: () => ports.delete(port) });
      await port.join(family === 4 ? local.address : `::%${name}`);
      for (const other of ports) other.relearn();
      ports.add(port);
      return port;
    },
  };
}

/** What an address says about who sent. */
interface Sender {
  readonly plain: string;
  /** From its port of multicast DNS, as nearly all packets are. */
  readonly usual: Source;
  /** On this interface's link. */
  readonly here: boolean;
  /** Its address says which interface it came through. */
  readonly zoned: boolean;
  readonly own: boolean;
  /** Of another interface of this host: both are on one LAN. */
  readonly crossed: boolean;
}

interface PortParts {
  readonly iface: InterfaceInfo;
  readonly family: Family;
  readonly onPacket: Receive;
  readonly asking: boolean;
  /** Interfaces as last looked up. */
  readonly present: () => readonly InterfaceInfo[];
  /** Of the same family, on other interfaces. */
  readonly others: () => readonly Port[];
  readonly closed: () => void;
}

class Port implements Channel {
  readonly family: Family;
  readonly #interface: InterfaceInfo;
  readonly #asking: boolean;
  readonly #onPacket: Receive;
  readonly #present: () => readonly InterfaceInfo[];
  readonly #others: () => readonly Port[];
  readonly #left: () => void;
  readonly #socket: Socket;
  readonly #own: ReadonlySet<string>;
  readonly #sources = new Map<string, Sender>();
  #library: MulticastDNS | undefined;
  /** What we multicast comes back, as it must for others on this host: it is told apart byte by byte. */
  readonly #echoes = new Echoes(MAX_ECHOES);
  /** It comes back as well by another interface on the same LAN, with the address of the first. */
  readonly #crossed = new Echoes(MAX_CROSSED);
  #sending = 0;
  #sent = 0;
  #echoed = 0;
  #failed = 0;
  #error: string | undefined;
  #strayed = 0;
  #strayedFrom: string | undefined;
  #closed = false;
  #idle: (() => void) | undefined;

  constructor({ iface, family, onPacket, asking, present, others, closed }: PortParts) {
    this.#others = others;
    this.#left = closed;
    this.#asking = asking;
    this.#present = present;
    this.#interface = iface;
    this.family = family;
    this.#onPacket = onPacket;
    this.#own = new Set(iface.addresses.map(({ address }) => canonicalAddress(address)));
    this.#socket = createSocket({
      type: family === 4 ? 'udp4' : 'udp6',
      reuseAddr: true,
      // For a stack that set only this option. Older Nodes ignore it, other systems refuse it.
      ...(process.platform === 'linux' ? { reusePort: true } : {}),
      ipv6Only: family === 6,
    });
  }

  /** Binds to every address: on Linux a socket bound to one hears no multicast. */
  join(local: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const any = this.family === 4 ? '0.0.0.0' : '::';
      const library = multicastDns({
        socket: this.#socket,
        type: this.family === 4 ? 'udp4' : 'udp6',
        ip: GROUP[this.family],
        interface: local,
        // It cannot be told to take any port.
        bind: this.#asking ? false : any,
        ttl: TTL,
        loopback: true,
      });
      this.#library = library;
      this.#socket.removeAllListeners('message');
      this.#socket.on('message', this.#receive);
      let joined = false;
      const fail = (error: Error): void => {
        // Later ones are about single packets: those are lost, as on any network.
        if (joined) return;
        joined = true;
        reject(joinError(error));
        library.destroy();
      };
      const join = (): void => {
        if (joined) return;
        try {
          this.#socket.setTTL(TTL);
          this.#socket.setRecvBufferSize(RECEIVE_BYTES);
        } catch (error) {
          fail(error instanceof Error ? error : new Error(String(error)));
          return;
        }
        joined = true;
        resolve();
      };
      library.on('error', fail);
      library.on('warning', fail);
      if (this.#asking) this.#socket.once('listening', join).bind(0, any);
      else library.on('ready', join);
    });
  }

  send(bytes: Uint8Array, to?: Source): void {
    if (this.#closed || to?.port === 0) return;
    const echo = to || this.#asking ? undefined : Buffer.from(bytes);
    if (echo) {
      this.#echoes.add(echo);
      for (const other of this.#others()) other.#crossed.add(echo);
    }
    this.#sending++;
    this.#sent++;
    const zone = this.family === 6 ? `%${this.#interface.name}` : '';
    this.#socket.send(bytes, to?.port ?? MDNS_PORT, `${to?.address ?? GROUP[this.family]}${zone}`, (error) => {
      if (error) this.#cannotSend(error, echo);
      if (--this.#sending === 0) this.#idle?.();
    });
  }

  counts(): ChannelCounts {
    return {
      sent: this.#sent, echoed: this.#echoed, failed: this.#failed, strayed: this.#strayed,
      ...(this.#error === undefined ? {} : { error: this.#error }),
      ...(this.#strayedFrom === undefined ? {} : { strayedFrom: this.#strayedFrom }),
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#left();
    if (this.#sending > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await new Promise<void>((resolve) => {
      if (this.#library) this.#library.destroy(resolve);
      else resolve();
    });
  }

  readonly #receive = (bytes: Buffer, { address, port }: RemoteInfo): void => {
    const source = this.#sources.get(address) ?? this.#learn(address);
    if (!source.here) return this.#elsewhere(source);
    if (port === MDNS_PORT && source.own && this.#echoes.takes(bytes)) {
      this.#echoed++;
      return;
    }
    if (port === MDNS_PORT && source.crossed && this.#crossed.takes(bytes)) return;
    this.#onPacket(bytes, port === MDNS_PORT ? source.usual : { address: source.plain, port });
  };

  /** There is another port: what was learned of addresses may be different. */
  relearn(): void {
    this.#sources.clear();
  }

  #learn(address: string): Sender {
    if (this.#sources.size >= MAX_SOURCES) this.#sources.clear();
    const plain = canonicalAddress(address);
    const source = { plain, usual: { address: plain, port: MDNS_PORT }, here: this.#isHere(address, plain), zoned: address.includes('%'), own: this.#own.has(plain), crossed: this.#others().some((other) => other.#own.has(plain)) };
    this.#sources.set(address, source);
    return source;
  }

  /**
   * Every socket on the port hears every interface, and Node does not tell which: an IPv6 source on
   * the link says it in its zone, any other by its subnet.
   */
  #isHere(address: string, plain: string): boolean {
    const zone = address.indexOf('%');
    if (zone >= 0) return address.slice(zone + 1) === this.#interface.name;
    return isFromLink(plain, subnetsOf(this.#interface));
  }

  /** Of another link, or of none: every socket on the port hears every interface. */
  #elsewhere({ plain, zoned }: Sender): void {
    const bytes = zoned ? undefined : addressToBytes(plain);
    if (!bytes || this.#present().some((iface) => onLink(bytes, subnetsOf(iface)))) return;
    this.#strayed++;
    this.#strayedFrom = plain;
  }

  #cannotSend(error: Error, echo: Buffer | undefined): void {
    this.#failed++;
    this.#error = error.message;
    if (!echo) return;
    for (const echoes of [this.#echoes, ...this.#others().map((other) => other.#crossed)]) echoes.remove(echo);
  }
}

function systemInterfaces(): InterfaceInfo[] {
  const found: InterfaceInfo[] = [];
  for (const [name, addresses = []] of Object.entries(networkInterfaces())) {
    const outward = addresses.filter(({ internal }) => !internal);
    if (outward.length === 0) continue;
    const [changes, index] = [numberOf(name, 'carrier_changes'), numberOf(name, 'ifindex')];
    found.push({
      name, ...(changes === undefined ? {} : { changes }), ...(index === undefined ? {} : { index }),
      addresses: outward.map(({ address, family, cidr }) => {
        const kind: Family = family === 'IPv4' ? 4 : 6;
        return { address: withoutZone(address), family: kind, prefix: Number(cidr?.split('/')[1] ?? (kind === 4 ? 32 : 128)) };
      }),
    });
  }
  return found;
}

/** What Linux tells of an interface. */
function numberOf(name: string, file: string): number | undefined {
  try {
    return Number(readFileSync(`/sys/class/net/${name}/${file}`, 'latin1'));
  } catch (error) {
    // Else it would look like another interface.
    if (error instanceof Error && 'code' in error && (error.code === 'EMFILE' || error.code === 'ENFILE')) throw error;
    return undefined; // another system, or the interface has just gone
  }
}

function joinError(error: Error & { code?: string }): LanpostError {
  const cause = { cause: error };
  switch (error.code) {
    case 'EADDRINUSE': return new LanpostError('in-use', `another program holds UDP port ${MDNS_PORT} and does not share it`, cause);
    case 'EACCES': case 'EPERM': return new LanpostError('forbidden', `not allowed to use UDP port ${MDNS_PORT}`, cause);
    default: return new LanpostError('unreachable', error.message, cause);
  }
}
