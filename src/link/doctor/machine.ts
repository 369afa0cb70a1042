// What the system says of this machine's network (Linux: /sys and /proc). What it does not say is left out: then there is
// one piece of evidence less, and no finding of that kind.
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';

export interface MachineInterface {
  readonly name: string;
  readonly up: boolean;
  /** Whether the other end of the cable, or the radio, is there. */
  readonly carrier: boolean;
  /** A link that many share, as Ethernet and Wi-Fi; a tunnel is none. */
  readonly broadcast: boolean;
  readonly multicast: boolean;
  readonly mtu: number;
}

/** Who has a UDP port open. */
export interface Holder { readonly program: string; readonly pid: number }

export interface Neighbour { readonly address: string; readonly interface: string }

export interface Machine {
  /** All but loopback; undefined when the system does not say. */
  interfaces(): Promise<MachineInterface[] | undefined>;
  /** The programs that may be looked into. */
  holders(port: number): Promise<Holder[]>;
  /** Who answered when this machine last asked for an IPv4 address on the link. */
  neighbours(): Promise<Neighbour[]>;
  /** The routers that this machine uses. */
  routers(): Promise<Neighbour[]>;
}

/** Flags of `if.h`. */
const UP = 0x1;
const BROADCAST = 0x2;
const LOOPBACK = 0x8;
const MULTICAST = 0x1000;
/** `if_arp.h`: the neighbour's hardware address is known. */
const COMPLETE = 0x2;
/** `route.h`: up, and by way of a router. */
const VIA_ROUTER = 0x3;
/** Processes looked into. */
const MAX_PROCESSES = 4096;

export function createMachine(): Machine {
  return {
    async interfaces() {
      const names = await readdir('/sys/class/net').catch(() => undefined); // not Linux
      const found = await Promise.all((names ?? []).map(readInterface));
      return names && found.flatMap((one) => one ?? []);
    },
    async holders(port) {
      const tables = await Promise.all(['udp', 'udp6'].map((name) => readText(`/proc/net/${name}`)));
      const inodes = new Set(tables.flatMap((table) => parseUdp(table, port)));
      return inodes.size === 0 ? [] : findHolders(inodes);
    },
    neighbours: async () => parseArp(await readText('/proc/net/arp')),
    routers: async () => parseRoutes(await readText('/proc/net/route')),
  };
}

async function readInterface(name: string): Promise<MachineInterface | undefined> {
  const read = (what: string): Promise<string> => readText(`/sys/class/net/${name}/${what}`);
  const [flagText, carrier, mtu] = await Promise.all([read('flags'), read('carrier'), read('mtu')]);
  const flags = Number(flagText.trim());
  if (flagText === '' || (flags & LOOPBACK) !== 0) return undefined;
  return {
    name,
    up: (flags & UP) !== 0,
    carrier: carrier.trim() === '1',
    broadcast: (flags & BROADCAST) !== 0,
    multicast: (flags & MULTICAST) !== 0,
    mtu: Number(mtu),
  };
}

/** Inodes of the sockets that are bound to the port. */
export function parseUdp(table: string, port: number): string[] {
  return rows(table).flatMap((cells) => {
    const local = cells[1]?.split(':')[1];
    const inode = cells[9];
    return local !== undefined && inode !== undefined && Number.parseInt(local, 16) === port ? [inode] : [];
  });
}

export function parseArp(table: string): Neighbour[] {
  return rows(table).flatMap(([address, , flags, , , device]) => (
    address !== undefined && device !== undefined && (Number(flags) & COMPLETE) !== 0 ? [{ address, interface: device }] : []
  ));
}

export function parseRoutes(table: string): Neighbour[] {
  return rows(table).flatMap(([device, destination, gateway, flags]) => {
    if (device === undefined || gateway === undefined || destination !== '00000000' || (Number.parseInt(flags ?? '', 16) & VIA_ROUTER) !== VIA_ROUTER) return [];
    const bytes = gateway.match(/../g) ?? [];
    return [{ address: bytes.map((byte) => Number.parseInt(byte, 16)).toReversed().join('.'), interface: device }];
  });
}

function rows(table: string): string[][] {
  return table.split('\n').slice(1).filter((line) => line.trim() !== '').map((line) => line.trim().split(/\s+/));
}

async function findHolders(inodes: ReadonlySet<string>): Promise<Holder[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).slice(0, MAX_PROCESSES);
  const found = await Promise.all(pids.map(async (pid): Promise<Holder | undefined> => {
    const folder = join('/proc', pid, 'fd');
    const files = await readdir(folder).catch(() => []); // another user's, or it has ended
    for (const file of files) {
      const target = await readlink(join(folder, file)).catch(() => ''); // closed meanwhile
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode !== undefined && inodes.has(inode)) return { program: (await readText(join('/proc', pid, 'comm'))).trim(), pid: Number(pid) };
    }
    return undefined;
  }));
  return found.flatMap((holder) => holder ?? []);
}

/** What cannot be read says nothing. */
async function readText(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
