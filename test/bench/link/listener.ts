// A process that listens, as one of: lanpost (a whole box), multicast-dns (decodes, nothing more), bonjour-service.
// Says when it first saw each instance, and on `report` what that cost.
import { mkdtempSync, rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Bonjour } from 'bonjour-service';
import multicastDns from 'multicast-dns';
import { createBox } from '../../../src/index.ts';
import { indexOf } from './announcements.ts';

const [kind = '', address = ''] = process.argv.slice(2);
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const now = (): number => Number(process.hrtime.bigint() / 1000n);
/** When each was first seen, in µs of the machine's clock. */
const seen: number[] = [];
const versions: number[] = [];

function saw(instance: string, version?: string): void {
  const index = indexOf(instance);
  if (Number.isNaN(index)) return;
  seen[index] ??= now();
  if (version !== undefined) versions[index] = Number(version.replace('version ', ''));
}

const LISTENERS: Readonly<Record<string, () => Promise<() => Promise<void>>>> = {
  async lanpost() {
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
    const box = await createBox({ dir, link: { port: 0 }, control: false });
    const watch = async (): Promise<void> => {
      for await (const { type, peer } of box.peers.watch()) if (type !== 'down') saw(peer.name, peer.statusText);
    };
    void watch();
    return async () => {
      await box.close();
      rmSync(dir, { recursive: true });
    };
  },
  async 'multicast-dns'() {
    const mdns = multicastDns({ interface: address, bind: '0.0.0.0' });
    const known = new Map<string, unknown>();
    mdns.on('response', (packet) => {
      for (const answer of packet.answers ?? []) {
        known.set(answer.name, answer);
        if (answer.type === 'PTR') saw(answer.data);
      }
    });
    return async () => new Promise((resolve) => { mdns.destroy(() => resolve()); });
  },
  async 'bonjour-service'() {
    // Its types leave out what it hands on to multicast-dns.
    const bonjour = new Bonjour({ interface: address, bind: '0.0.0.0' } as object);
    const browser = bonjour.find({ type: 'presence' });
    browser.on('up', (service: { name: string }) => saw(service.name));
    return async () => new Promise((resolve) => { bonjour.destroy(() => resolve()); });
  },
};

const close = await LISTENERS[kind]?.();
let since = process.cpuUsage();
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'reset') since = process.cpuUsage();
  const { user, system } = process.cpuUsage(since);
  if (line === 'report' || line === 'reset') say({ event: line, seen, versions, cpu: user + system, rss: process.memoryUsage.rss() });
}).on('close', () => void close?.().then(() => process.exit(0)));
say({ event: 'ready' });
