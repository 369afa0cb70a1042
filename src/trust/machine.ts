import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { networkInterfaces, uptime } from 'node:os';
import { join } from 'node:path';

/** Where systemd and D-Bus keep the id that differs from machine to machine. */
const SOURCES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];
/** Where systemd keeps one that it made up for this start alone, as it does when /etc cannot be written. */
const TRANSIENT = '/run/machine-id';
/** One folder for each interface, also for those whose cable is out: `os` names only those that have an address. */
const INTERFACES = '/sys/class/net';
/** As many hardware addresses are remembered. */
const MOST_ADDRESSES = 32;

/** What stays on this machine and is different on every other, so that a copied data directory is recognised. */
export interface Machine {
  readonly id: string | undefined;
  /** Hardware addresses; only for when there is no id: they come and go. */
  readonly addresses: readonly string[];
}

export async function readMachine(sources: readonly string[] = SOURCES, transient: string = TRANSIENT): Promise<Machine> {
  const passing = await idIn(transient);
  let id: string | undefined;
  for (const path of sources) {
    id = await idIn(path);
    if (id !== undefined) break;
  }
  // systemd leaves it there, too, when it has written it down after all: by the next start it counts.
  return { id: id === passing ? undefined : id, addresses: await hardwareAddresses() };
}

async function idIn(path: string): Promise<string | undefined> {
  const id = await readFile(path, 'utf8').then((text) => text.trim().toLowerCase(), () => '');
  return /^[0-9a-f]{32}$/.test(id) ? id : undefined;
}

async function hardwareAddresses(): Promise<string[]> {
  const names = await readdir(INTERFACES).catch(() => []);
  const all = await Promise.all(names.map((name) => readFile(join(INTERFACES, name, 'address'), 'utf8').then((text) => text.trim(), () => '')));
  const withAddress = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []).map(({ mac }) => mac);
  return [...new Set([...all, ...withAddress].map((mac) => mac.toLowerCase()))].filter(isBurntIn).toSorted();
}

/** Not made up by software (IEEE 802, the bit for that): those of containers, bridges and private Wi-Fi differ from start to start. */
function isBurntIn(mac: string): boolean {
  return /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) && mac !== '00:00:00:00:00:00' && (Number.parseInt(mac, 16) & 2) === 0;
}

/** A machine as it is remembered, in hashes: a line for its id, or one for each address. */
interface Marks { readonly id: string | undefined; readonly addresses: readonly string[] }

const ADDRESS = 'address ';
const hashed = (text: string): string => createHash('sha256').update(`lanpost ${text}`).digest('hex');

export function marksOf({ id, addresses }: Machine): Marks {
  return { id: id === undefined ? undefined : hashed(id), addresses: addresses.map(hashed) };
}

function parse(text: string): Marks {
  const lines = text.split('\n').map((line) => line.trim()).filter(Boolean);
  return {
    id: lines.find((line) => !line.startsWith(ADDRESS)),
    addresses: lines.filter((line) => line.startsWith(ADDRESS)).map((line) => line.slice(ADDRESS.length)),
  };
}

/** Whether what was remembered is for certain of another machine than `here`: an adapter that is unplugged, or an id that is gone, tells nothing. */
export function isAnother(here: Marks, before: string): boolean {
  const there = parse(before);
  if (here.id !== undefined && there.id !== undefined) return here.id !== there.id;
  return here.addresses.length > 0 && there.addresses.length > 0 && !here.addresses.some((address) => there.addresses.includes(address));
}

/** What is written down of `here`, and of the addresses that the same machine was known by before. */
export function remembered(here: Marks, before: string | undefined): string | undefined {
  if (here.id !== undefined) return `${here.id}\n`;
  if (here.addresses.length === 0) return before;
  const addresses = new Set([...here.addresses, ...parse(before ?? '').addresses]);
  return [...addresses].slice(0, MOST_ADDRESSES).map((address) => `${ADDRESS}${address}\n`).join('');
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** This start of the machine, and how long ago it was when the monotonic clock was at 0; undefined where the system does not name it. */
export async function readMachineStart(mono: () => number): Promise<{ readonly id: string; readonly since: number } | undefined> {
  const id = await readFile(BOOT_ID, 'utf8').then((text) => text.trim(), () => '');
  return id === '' ? undefined : { id, since: uptime() * 1000 - mono() };
}
