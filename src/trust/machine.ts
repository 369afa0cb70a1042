import { readFile } from 'node:fs/promises';
import { networkInterfaces, uptime } from 'node:os';

/** Where systemd and D-Bus keep the id that differs from machine to machine. */
const SOURCES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

/**
 * Something that stays on this machine and is different on every other, so that a copied data
 * directory is recognised. Without a machine id: the hardware addresses.
 */
export async function readMachineId(sources: readonly string[] = SOURCES): Promise<string> {
  for (const path of sources) {
    const id = await readFile(path, 'utf8').then(text => text.trim(), () => '');
    if (/^[0-9a-f]{32}$/i.test(id)) return id.toLowerCase();
  }
  const macs = Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ internal, mac }) => !internal && mac !== '00:00:00:00:00:00')
    .map(({ mac }) => mac);
  return [...new Set(macs)].toSorted().join(' ');
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** This start of the machine, and how long ago it was when the monotonic clock was at 0; undefined where the system does not name it. */
export async function readMachineStart(mono: () => number): Promise<{ readonly id: string; readonly since: number } | undefined> {
  const id = await readFile(BOOT_ID, 'utf8').then((text) => text.trim(), () => '');
  return id === '' ? undefined : { id, since: uptime() * 1000 - mono() };
}
