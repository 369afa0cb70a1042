// A box that has no road to its home, and a paired neighbour that has one and lets it pass: what waits arrives, whatever
// becomes of the neighbour, and of the box's own road.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, BoxStatus, HomeStatus } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

const READER = fileURLToPath(new URL('home-reader.mjs', import.meta.url));
const SERVER = 1;
const CUT_OFF = 2;
const NEIGHBOUR = 3;
const UPLINK = 'eth1';
const TOPIC = 'plant/boiler';
const ITEMS = 1500;
const MORE = 200;

class Scene {
  readonly dir = mkdtempSync(join(tmpdir(), 'lanpost-buddy-'));
  lan!: Lan;
  server!: HomeServer;
  process!: BoxProcess;
  box!: Box;
  neighbour!: BoxProcess;
  to = '';
  sent = 0;

  /** All are cabled to one switch, the server on a segment of its own; whoever has a road there has a second device on it. */
  async open(kind: HomeServer['kind']): Promise<void> {
    this.lan = await createLan(3);
    await this.lan.partition([SERVER], [CUT_OFF, NEIGHBOUR]);
    for (const host of [CUT_OFF, NEIGHBOUR]) {
      await this.lan.attach(host, UPLINK, 1);
      await this.lan.run(host, 'ip', ['addr', 'add', `10.78.0.${host}/24`, 'dev', UPLINK]);
      await this.lan.run(SERVER, 'ip', ['route', 'add', `10.78.0.${host}`, 'dev', 'eth0']);
    }
    await this.road(NEIGHBOUR, true);
    await this.road(CUT_OFF, false);
    // Slowed, so that something is under way when the neighbour dies.
    this.server = await createHomeServer(kind, { lan: this.lan, host: SERVER, env: { SHAPER: 'fast', LIMITS: '100kb/s' } });
    await this.server.start();
    this.to = `${this.server.host}:${this.server.port}`;
    this.process = await startBox({ dir: join(this.dir, 'a'), name: 'a', lan: this.lan, host: CUT_OFF, args: ['--interface', 'eth0'] });
    this.box = await this.process.attach();
    await this.startNeighbour();
    await eventually(async () => (await this.box.peers.list()).length === 1);
    await this.process.cli('trust', 'allow', 'b@h3', 'chat');
    // Who is no more than seen is refused without a word to the owner.
    await eventually(async () => (await this.neighbour.cli('peers')).length > 0);
    await this.neighbour.cli('trust', 'allow', 'a@h2', 'chat');
  }

  async startNeighbour(): Promise<void> {
    this.neighbour = await startBox({ dir: join(this.dir, 'b'), name: 'b', lan: this.lan, host: NEIGHBOUR, args: ['--interface', 'eth0'] });
  }

  async road(host: number, open: boolean): Promise<void> {
    const server = this.lan.address(SERVER);
    await this.lan.run(host, 'ip', ['route', 'replace', ...(open ? [server, 'dev', UPLINK, 'src', `10.78.0.${host}`] : ['blackhole', server])]);
  }

  async publish(count: number): Promise<void> {
    const text = 'x'.repeat(300);
    await Promise.all(Array.from({ length: count }, () => this.box.publish(TOPIC, { n: this.sent++, text })));
  }

  /** Bytes that the neighbour has passed on. */
  async relayed(): Promise<number> {
    const [status] = await this.neighbour.cli('status') as unknown as BoxStatus[];
    return status?.link.relays?.[0]?.bytes ?? 0;
  }

  /** How often the neighbour has said that it was asked for what it may not do. */
  async refused(): Promise<number> {
    const [status] = await this.neighbour.cli('status') as unknown as BoxStatus[];
    return status?.troubles['link.relay'] ?? 0;
  }

  async home(): Promise<HomeStatus | undefined> {
    return (await this.box.homes.list())[0];
  }

  /** For whoever must find out why something never came about. */
  async tell(): Promise<unknown> {
    const { troubles, link } = await this.box.status();
    const [neighbour] = await this.neighbour.cli('status');
    return { home: await this.home(), troubles, link, neighbour, items: (await this.items()).length, sent: this.sent };
  }

  /** What the node holds, by the sequence of the records. */
  async items(): Promise<{ readonly recordId: string; readonly n: number }[]> {
    const { jid, password } = this.server.account('edge1');
    const reader = this.lan.exec(SERVER, process.execPath, [READER, this.server.host, String(this.server.port), this.server.ca, jid, password, this.server.service, TOPIC, 'items']);
    let text = '';
    reader.stdout.setEncoding('utf8').on('data', (piece: string) => { text += piece; });
    await once(reader, 'close');
    const items = JSON.parse(text) as { readonly recordId: string; readonly seq: number; readonly value: { readonly n: number } }[];
    return items.toSorted((a, b) => a.seq - b.seq).map(({ recordId, value }) => ({ recordId, n: value.n }));
  }

  async close(): Promise<void> {
    await this.box?.close();
    await Promise.all([this.process?.kill(), this.neighbour?.kill()]);
    await this.server?.down();
    await this.lan?.down();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export function testBuddyRoad(kind: HomeServer['kind']): void {
  describe.skipIf(!needs('root', kind))(`a box without a road to its home on ${kind}, and a neighbour that has one`, () => {
    const scene = new Scene();
    beforeAll(() => scene.open(kind), 120_000);
    afterAll(() => scene.close(), 60_000);

    it('is not let through by whom its owner has not allowed it', async () => {
      const { jid, password } = scene.server.account('edge1');
      await scene.box.homes.add({ jid, password, host: scene.server.host, port: scene.server.port, ca: readFileSync(scene.server.ca, 'utf8'), topics: ['plant/#'] });
      await scene.publish(ITEMS);
      await eventually(async () => await scene.refused() > 0, { within: 60_000 });
      expect(await scene.home()).toMatchObject({ queued: ITEMS });
    }, 90_000);

    it('gets what waits there through the neighbour, over its death', async () => {
      await scene.neighbour.cli('trust', 'allow', 'a@h2', 'relay', scene.to);
      // It is tried now, not when it was to be tried again after so many failures.
      const { jid } = scene.server.account('edge1');
      await scene.box.homes.pause(jid);
      await scene.box.homes.resume(jid);
      await eventually(async () => (await scene.home())?.via === 'b@h3', { within: 120_000 });
      await eventually(async () => await scene.relayed() > 200_000, { within: 60_000 });
      await scene.neighbour.kill();
      expect((await scene.home())?.queued).toBeGreaterThan(100);
      await scene.startNeighbour();
      // Not settled yet: that it has to over the change of road.
      await eventually(async () => (await scene.items()).length === ITEMS, { within: 120_000, every: 2_000, tell: () => scene.tell() });
      expect(await scene.home()).toMatchObject({ state: 'online', via: 'b@h3' });
      const [status] = await scene.neighbour.cli('status');
      expect(status).toMatchObject({ homes: [], link: { relays: [{ peer: 'a@h2', to: scene.to, direction: 'for' }] } });
    }, 400_000);

    it('goes back to its own road when that is there again, and nothing is lost or doubled', async () => {
      await scene.publish(MORE);
      await scene.road(CUT_OFF, true);
      await eventually(async () => {
        const home = await scene.home();
        return home?.state === 'online' && home.via === undefined;
      }, { within: 90_000 });
      await scene.publish(MORE);
      await eventually(async () => (await scene.home())?.queued === 0, { within: 180_000, tell: () => scene.tell() });
      const items = await scene.items();
      expect(new Set(items.map(({ recordId }) => recordId)).size).toBe(items.length);
      expect(items.map(({ n }) => n)).toEqual(Array.from({ length: scene.sent }, (_, n) => n));
      expect(await scene.relayed()).toBe(0);
    }, 400_000);
  });
}
