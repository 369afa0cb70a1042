/* oxlint-disable unicorn/no-await-in-loop -- one kill after the other */
// More readings than a node keeps, and SIGKILL of the box and of the server while they go up: whoever follows the node live gets each of
// them, and twice only what the server had acknowledged and lost.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { BoxStatus } from '../../src/api.ts';
import { seqOf } from '../chaos/world.ts';
import { openReader, type Reader, type StoredItem } from '../home/reader.ts';
import { startRoad } from '../home/recorded/road.ts';
import { Bell } from '../support/bell.ts';
import { eventually } from '../support/eventually.ts';
import { keepAll } from '../support/home-store.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { type JsonLines, readJsonLines } from '../support/json-lines.ts';
import { ROOT } from '../support/root.ts';
import { seeded } from '../support/seeded.ts';

const TOPIC = 'plant/boiler';
/** Server, box, server, box, at a moment of each so many. */
const KILLS = 4;
/** ejabberd that was killed may not remember all items that it has, and never drops those. */
const SLACK = 128;

interface Line { readonly ready?: true; readonly re?: number; readonly answer?: unknown; readonly error?: string; readonly acked?: number; readonly recordId?: string; readonly trouble?: string }

/** The box of the chaos rounds, without a LAN; see test/chaos/box.mjs. */
class SmallBox {
  readonly #dir: string;
  #child!: ChildProcessWithoutNullStreams;
  #said!: JsonLines<Line>;
  #re = 0;
  #published = 0;
  /** Record ids of what was accepted. */
  readonly acked = new Set<string>();

  constructor(dir: string) { this.#dir = dir; }

  async start(): Promise<void> {
    this.#child = spawn(process.execPath, [join(ROOT, 'test/chaos/box.mjs'), JSON.stringify({ dir: this.#dir })]);
    this.#said = readJsonLines(this.#child, 'box');
    await this.#said.wait(({ ready }) => ready === true);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#said.ended;
    this.#look();
  }

  #look(): void {
    for (const { recordId } of this.#said.lines) if (recordId !== undefined) this.acked.add(recordId);
  }

  async ask(what: string, more: object = {}): Promise<unknown> {
    const re = ++this.#re;
    this.#child.stdin.write(`${JSON.stringify({ do: what, re, ...more })}\n`);
    const { answer, error } = await this.#said.wait((line) => line.re === re, { timeout: 60_000 });
    if (error !== undefined) throw new Error(error);
    return answer;
  }

  /** Resolves when all are accepted, or it was killed. */
  async publish(count: number): Promise<void> {
    const from = this.#published;
    this.#published += count;
    await this.ask('publish', { topic: TOPIC, from, to: from + count }).catch(() => undefined);
    this.#look();
  }

  async home(): Promise<BoxStatus['homes'][number]> {
    const [home] = (await this.ask('status') as BoxStatus).homes;
    if (!home) throw new Error('it has no home');
    return home;
  }

  get troubles(): string[] { return this.#said.lines.flatMap(({ trouble }) => trouble ?? []); }
}

/** Whoever follows the node, and when the server was away looks at what came meanwhile, as anybody who follows one does. */
class Follower {
  readonly #server: HomeServer;
  readonly #bell: Bell;
  #reader: Reader | undefined;
  /** How often each was told. */
  readonly told = new Map<string, number>();
  readonly seen = new Set<string>();

  constructor(server: HomeServer, bell: Bell) {
    this.#server = server;
    this.#bell = bell;
  }

  /** What the node has, once it is followed. */
  async follow(): Promise<string[]> {
    await this.#reader?.[Symbol.asyncDispose]();
    const reader = await openReader(this.#server, 'edge1', { told: (ids) => {
      for (const id of ids) {
        this.told.set(id, (this.told.get(id) ?? 0) + 1);
        this.seen.add(id);
      }
      this.#bell.ring();
    } });
    this.#reader = reader;
    await reader.subscribe(TOPIC);
    const there = (await this.items()).map(({ id }) => id);
    for (const id of there) this.seen.add(id);
    return there;
  }

  async items(): Promise<StoredItem[]> { return await this.#reader?.items(TOPIC) ?? []; }

  get total(): number { return [...this.told.values()].reduce((sum, times) => sum + times, 0); }

  async [Symbol.asyncDispose](): Promise<void> { await this.#reader?.[Symbol.asyncDispose](); }
}

export async function killedOverSmallNode(kind: HomeServer['kind'], { keeps, surely = keeps, waiting, live, seed }: { readonly keeps: number; readonly surely?: number; readonly waiting: number; readonly live: number; readonly seed: number }): Promise<void> {
  const random = seeded(seed);
  const bell = new Bell();
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-small-node-'));
  const box = new SmallBox(join(dir, 'box'));
  const server = await createHomeServer(kind, { env: { MAX_ITEMS: String(keeps) } });
  await using road = await startRoad(() => server.port);
  await using follower = new Follower(server, bell);
  try {
    await server.start();
    await server.stop();
    await keepAll(server);
    await Promise.all([server.start(), box.start()]);
    await box.ask('add', { options: { ...server.account('edge1'), host: '127.0.0.1', port: road.port, ca: readFileSync(server.ca, 'utf8'), topics: [TOPIC] } });
    await box.publish(1);
    await eventually(async () => (await box.home()).left === undefined);
    await follower.follow();
    road.cut();
    await box.publish(waiting);
    expect(follower.total).toBe(0);
    expect((await box.home()).left).toBe(waiting);

    // It is said before the first of them goes.
    road.restore();
    await bell.until(() => follower.total > 0);
    const home = await box.home();
    // All of them waited when it was asked.
    expect(home).toMatchObject({ short: [{ topic: TOPIC, waiting, ...(kind === 'prosody' ? { keeps } : {}) }] });
    expect(box.troubles.filter((trouble) => trouble === 'home.short')).toHaveLength(1);
    expect(await box.ask('losses')).toMatchObject([{ topic: TOPIC, reason: 'short', ...(kind === 'prosody' ? { count: waiting - keeps } : {}) }]);

    const publishing: Promise<void>[] = [];
    /** What the server had told of and has no more, although it has older ones. */
    const lost = new Set<string>();
    const all = waiting + live;
    for (let n = 0; n < KILLS; n++) {
      const moment = Math.floor(all * (n + 0.2 + 0.6 * random()) / (KILLS + 1));
      publishing.push(box.publish(live / KILLS));
      await bell.until(() => follower.seen.size >= moment);
      if (n % 2 === 1) {
        await box.kill();
        await box.start();
        continue;
      }
      await server.kill();
      road.cut();
      const before = [...follower.told.keys()];
      await server.start();
      const there = await follower.follow();
      const newest = before.findLastIndex((id) => there.includes(id));
      for (const id of before.slice(newest + 1)) lost.add(id);
      road.restore();
    }
    await Promise.all(publishing);
    await eventually(async () => (await box.home()).left === undefined, { tell: () => box.home() });
    expect([...box.acked].filter((id) => !follower.seen.has(id))).toEqual([]);
    const twice = [...follower.told].filter(([, times]) => times > 1).map(([id]) => id);
    expect(twice.filter((id) => !lost.has(id))).toEqual([]);
    const held = await follower.items();
    console.info(`${kind}: ${box.acked.size} accepted, ${follower.seen.size} seen, ${twice.length} twice of ${lost.size} that the server lost; the node has ${held.length}`);
    // Nothing that went again has driven out what is newer.
    const newest = [...follower.seen].toSorted((a, b) => seqOf(a) - seqOf(b)).slice(-surely);
    expect(newest.filter((id) => !held.some((item) => item.id === id))).toEqual([]);
    expect(held.length).toBeLessThan(keeps + SLACK);

    // What has settled is not sent again, whoever is killed.
    await eventually(async () => {
      await box.ask('settle');
      return (await box.home()).queued === 0;
    }, { every: 200 });
    const total = follower.total;
    await box.kill();
    await box.start();
    await box.publish(1);
    await bell.until(() => follower.total > total);
    await eventually(async () => (await box.home()).left === undefined);
    expect(follower.total).toBe(total + 1);
  } finally {
    await box.kill();
    await server.down();
    rmSync(dir, { recursive: true, force: true });
  }
}
