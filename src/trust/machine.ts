import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';

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
