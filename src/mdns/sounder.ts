// Listens and asks on one interface and family with sockets of its own, so that it can be told how each
// packet came. One socket is bound to the group's address: it hears what is multicast and nothing else. The other
// asks from a port of its own: there arrives what is sent to this host alone (RFC 6762 §6.7).
import { randomInt } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { Clock, Timer } from '../clock.ts';
import { addressToBytes, canonicalAddress, isLinkLocal } from './address.ts';
import { decodeMessage } from './decode.ts';
import { onLink, type Subnet, subnetsOf } from './interfaces.ts';
import { type Message, TYPE } from './message.ts';
import { nameKey } from './name.ts';
import { type Family, type InterfaceInfo, MDNS_PORT } from './network.ts';
import { type Asked, question } from './question.ts';

const GROUP = { 4: '224.0.0.251', 6: 'ff02::fb' } as const;
const ANY = { 4: '0.0.0.0', 6: '::' } as const;
/** Answered by everybody who offers anything (RFC 6763 §9). */
const EVERYTHING = { name: '_services._dns-sd._udp.local', type: TYPE.PTR } as const;
/** Hosts remembered. */
const MAX_HOSTS = 256;
/** IP and UDP headers before a message. */
const HEADERS = { 4: 28, 6: 48 } as const;
/** Between two tries of a question to one host. */
const AGAIN = 400;

/** What was heard of one host. */
export interface HeardHost {
  readonly address: string;
  readonly onLink: boolean;
  /** Packets that came by multicast. */
  multicast: number;
  /** It said to everybody what was asked for here; perhaps because another asked, or unasked. */
  answersAll: boolean;
  /** It answered what was asked here, to this host alone. */
  answersUs: boolean;
}

export interface Sounding {
  readonly interface: InterfaceInfo;
  readonly family: Family;
  /** Code of the system's error when there is no listening at all. */
  readonly deaf?: string;
  /** Code of the system's error when it lets nothing out. */
  readonly mute?: string;
  /** What this host multicasts comes back to it, as it must. */
  readonly echo: boolean;
  readonly hosts: readonly HeardHost[];
}

export interface SounderInit {
  readonly interface: InterfaceInfo;
  readonly family: Family;
  /** Every interface of this host, for its sockets hear all of them. */
  readonly all: readonly InterfaceInfo[];
  readonly clock: Clock;
  /** Asked for beside everything. */
  readonly asked: readonly Asked[];
}

interface Waiting { readonly address: string; readonly answered: () => void }

export class Sounder {
  readonly #interface: InterfaceInfo;
  readonly #family: Family;
  readonly #clock: Clock;
  readonly #asked: readonly Asked[];
  readonly #own: ReadonlySet<string>;
  readonly #subnets: readonly Subnet[];
  readonly #allSubnets: readonly Subnet[];
  readonly #isOnly: boolean;
  readonly #hosts = new Map<string, HeardHost>();
  readonly #waiting = new Map<number, Waiting>();
  #group: Socket | undefined;
  #plain: Socket | undefined;
  #deaf: string | undefined;
  #mute: string | undefined;
  #sent = false;
  #echo = false;

  constructor(o: SounderInit) {
    this.#interface = o.interface;
    this.#family = o.family;
    this.#clock = o.clock;
    this.#asked = [EVERYTHING, ...o.asked];
    this.#own = new Set(o.all.flatMap(({ addresses }) => addresses.map(({ address }) => canonicalAddress(address))));
    this.#subnets = subnetsOf(o.interface);
    this.#allSubnets = o.all.flatMap(subnetsOf);
    this.#isOnly = o.all.length === 1;
  }

  /** Never rejects: what does not work is what is to be found out. */
  async open(): Promise<void> {
    const zone = `%${this.#interface.name}`;
    const local = this.#family === 4 ? this.#interface.addresses.find(({ family }) => family === 4)?.address ?? '' : `::${zone}`;
    const type = this.#family === 4 ? 'udp4' : 'udp6';
    try {
      this.#plain = await bound(createSocket({ type }), 0, ANY[this.#family]);
      this.#plain.setMulticastInterface(local);
      this.#plain.setMulticastTTL(255);
      this.#plain.on('message', (bytes, from) => this.#received(bytes, from, false));
      // Windows binds to no group: what is sent to this host alone is heard there as well, and taken for multicast.
      const group = process.platform === 'win32' ? ANY[this.#family] : this.#family === 4 ? GROUP[4] : `${GROUP[6]}${zone}`;
      this.#group = await bound(createSocket({ type, reuseAddr: true }), MDNS_PORT, group);
      this.#group.setMulticastInterface(local);
      this.#group.setMulticastTTL(255);
      this.#group.addMembership(GROUP[this.#family], local);
      this.#group.on('message', (bytes, from) => this.#received(bytes, from, true));
    } catch (error) {
      this.#deaf = codeOf(error);
    }
  }

  /** Asks everybody twice: from the mDNS port, to be answered by multicast, and from a plain one, to be answered alone. */
  ask(): void {
    const to = this.#family === 4 ? GROUP[4] : `${GROUP[6]}%${this.#interface.name}`;
    for (const asked of this.#asked) {
      for (const socket of [this.#group, this.#plain]) {
        socket?.send(question(asked), MDNS_PORT, to, (error) => {
          if (error) this.#mute ??= codeOf(error);
          else this.#sent = true;
        });
      }
    }
  }

  /** Whether that host answers a question that is sent to it alone, in a packet of so many bytes. */
  async answers(address: string, asked: readonly Asked[], ms: number, bytes = 0): Promise<boolean> {
    const socket = this.#plain;
    if (!socket) return false;
    const plain = canonicalAddress(address);
    const ids: number[] = [];
    let timer: Timer | undefined;
    let again: Timer | undefined;
    try {
      return await new Promise<boolean>((resolve) => {
        const send = (): void => {
          for (const one of [EVERYTHING, ...asked]) {
            const id = randomInt(1, 0x1_0000);
            ids.push(id);
            this.#waiting.set(id, { address: plain, answered: () => resolve(true) });
            socket.send(question(one, id, bytes - HEADERS[this.#family]), MDNS_PORT, isLocal(plain) ? `${plain}%${this.#interface.name}` : plain, () => undefined);
          }
        };
        send();
        again = this.#clock.every(AGAIN, send);
        timer = this.#clock.after(ms, () => resolve(false));
      });
    } finally {
      again?.stop();
      timer?.stop();
      for (const id of ids) this.#waiting.delete(id);
    }
  }

  result(): Sounding {
    return {
      interface: this.#interface, family: this.#family, echo: this.#echo, hosts: [...this.#hosts.values()],
      ...(this.#deaf === undefined ? {} : { deaf: this.#deaf }),
      ...(this.#mute === undefined || this.#sent ? {} : { mute: this.#mute }),
    };
  }

  close(): void {
    this.#group?.close();
    this.#plain?.close();
  }

  #received(bytes: Buffer, from: RemoteInfo, multicast: boolean): void {
    const zone = from.address.indexOf('%');
    if (zone >= 0 && from.address.slice(zone + 1) !== this.#interface.name) return;
    const address = canonicalAddress(from.address);
    if (this.#own.has(address)) {
      this.#echo ||= multicast;
      return;
    }
    const whence = this.#whence(address);
    const host = multicast && whence === 'elsewhere' ? undefined : this.#host(address, whence !== 'nowhere');
    if (!host) return;
    const message = read(bytes);
    if (multicast) host.multicast += 1;
    if (!message?.response || message.answers.length === 0) return;
    const waiting = multicast ? undefined : this.#waiting.get(message.id);
    if (waiting) {
      // Whoever else knows the id is not the one who was asked.
      if (waiting.address === address) waiting.answered();
    } else if (multicast) {
      host.answersAll ||= message.answers.some(({ name }) => this.#asked.some((asked) => nameKey(name) === nameKey(asked.name)));
    } else if (message.id === 0) {
      // What is asked of one alone has another id, and may be answered late.
      host.answersUs = true;
    }
  }

  /** A socket on the port hears every interface, and an IPv4 address, which has no zone, says by its subnet alone which it was. */
  #whence(address: string): 'here' | 'elsewhere' | 'nowhere' {
    const bytes = addressToBytes(address);
    if (!bytes) return 'nowhere';
    const local = isLinkLocal(bytes);
    if (onLink(bytes, this.#subnets) || (local && (bytes.length === 16 || this.#isOnly))) return 'here';
    return local || onLink(bytes, this.#allSubnets) ? 'elsewhere' : 'nowhere';
  }

  #host(address: string, isOnLink: boolean): HeardHost | undefined {
    const known = this.#hosts.get(address);
    if (known) return known;
    if (this.#hosts.size >= MAX_HOSTS) return undefined;
    const host = { address, onLink: isOnLink, multicast: 0, answersAll: false, answersUs: false };
    this.#hosts.set(address, host);
    return host;
  }
}

function read(bytes: Buffer): Message | undefined {
  try {
    return decodeMessage(bytes);
  } catch {
    return undefined; // heard, but not understood
  }
}

async function bound(socket: Socket, port: number, address: string): Promise<Socket> {
  socket.bind(port, address);
  try {
    await once(socket, 'listening');
  } catch (error) {
    socket.close();
    throw error;
  }
  socket.on('error', () => undefined); // about single packets: those are lost, as on any network
  return socket;
}

function isLocal(address: string): boolean {
  const bytes = addressToBytes(address);
  return bytes?.length === 16 && isLinkLocal(bytes);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'UNKNOWN';
}
