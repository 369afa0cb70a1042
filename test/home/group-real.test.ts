// Two real servers as one group: what the first had not safely when it was killed is at the second, under the same record ids,
// and when the first is there again it goes on. The box is killed in between, too.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { HomeStatus } from '../../src/api.ts';
import { itemsRequest } from '../../src/home/node.ts';
import { recordsOf } from '../../src/home/pack-element.ts';
import { type Box, LanpostError } from '../../src/index.ts';
import { fromPayload } from '../../src/payload/payload.ts';
import { attr } from '../../src/xmpp/element.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { keepAll } from '../support/home-store.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { openReader } from './reader.ts';

/** Packed, packed, and one item each. */
const TOPICS = ['plant/boiler', 'plant/pump', 'door'];
const ALONE = 'door';
const RULES = [{ filter: 'plant/#', pack: true }, { filter: ALONE }];
/** Between two rounds of readings, one of each topic, ms. */
const EVERY = 40;
/** Another reads after half a minute, the first again after one; and servers are slow to start on a busy machine. */
const LONGEST = 180_000;

interface There { readonly item: string; readonly recordId: string; readonly seq: number; readonly n: number }

const bySeq = (records: readonly There[]): There[] => records.toSorted((a, b) => a.seq - b.seq);

/** What a server's node holds, in its order. */
async function held(server: HomeServer, topic: string): Promise<There[]> {
  await using reader = await openReader(server);
  const iq = itemsRequest(server.service, topic, []);
  iq.getChild('pubsub')?.getChild('items')?.setAttrs({ max_items: '100000' });
  const items = (await reader.request(iq)).getChild('pubsub')?.getChild('items')?.getChildren('item') ?? [];
  return items.flatMap((item) => recordsOf(item).map(({ recordId, seq, payload }) => ({ item: attr(item, 'id') ?? '', recordId, seq, n: (payload && fromPayload(payload) as { n: number })?.n ?? -1 })));
}

/** A box that publishes until it is told to stop, whatever becomes of it meanwhile. */
class Source {
  readonly #dir: string;
  process!: BoxProcess;
  api!: Box;
  /** Record ids of what was accepted, with its number, for each topic. */
  readonly accepted: ReadonlyMap<string, Map<string, number>> = new Map(TOPICS.map((topic) => [topic, new Map<string, number>()]));
  /** Asked for while the box died: there or not. */
  readonly unanswered: Set<number> = new Set();
  #n = 0;
  #load: Promise<void> | undefined;
  #over = false;

  constructor(dir: string) { this.#dir = dir; }

  async start(): Promise<void> {
    this.process = await startBox({ dir: this.#dir, args: ['--interface', 'lo'] });
    this.api = await this.process.attach();
  }

  /** SIGKILL, and started again. */
  async killed(): Promise<void> {
    await this.idle();
    this.begin();
    await pause(20 * EVERY);
    await this.process.kill();
    await this.idle();
    await this.api.close();
    await this.start();
  }

  begin(): void {
    this.#over = false;
    this.#load = this.#publish();
  }

  /** No more is asked for, and all is answered. */
  async idle(): Promise<void> {
    this.#over = true;
    await this.#load;
  }

  async #publish(): Promise<void> {
    const asked: Promise<void>[] = [];
    while (!this.#over) {
      for (const topic of TOPICS) asked.push(this.#one(topic, this.#n++));
      await pause(EVERY);
    }
    await Promise.all(asked);
  }

  async #one(topic: string, n: number): Promise<void> {
    try {
      const { recordId } = await this.api.publish(topic, { n, text: 'x<&>\u00e9'.repeat(10) });
      this.accepted.get(topic)?.set(recordId, n);
    } catch (error) {
      if (!(error instanceof LanpostError)) throw error;
      this.unanswered.add(n);
    }
  }

  /** Nothing while the box has not yet taken it up. */
  async home(server: HomeServer): Promise<HomeStatus | undefined> {
    return (await this.api.homes.list()).find(({ jid }) => jid === server.account('edge1').jid);
  }

  get count(): number {
    return [...this.accepted.values()].reduce((sum, { size }) => sum + size, 0);
  }
}

describe.skipIf(!needs('prosody') || !needs('ejabberd'))('a group of homes on real servers', () => {
  it.concurrent.each([['prosody', 'ejabberd'], ['ejabberd', 'prosody']] as const)('goes on at the second when the first, on %s, is killed, and at the first when it is there again: nothing is lost', async (one, other) => {
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-group-'));
    await using first = await createHomeServer(one);
    await using second = await createHomeServer(other);
    await Promise.all([first, second].map(async (server) => {
      await server.start();
      await server.stop();
      await keepAll(server);
      await server.start();
    }));
    const source = new Source(join(dir, 'box'));
    try {
      await source.start();
      for (const topic of TOPICS) await source.api.topics.create(topic, { maxItems: 100_000 });
      for (const [rank, server] of [first, second].entries()) {
        await source.api.homes.add({ ...server.account('edge1'), host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8'), topics: [], up: RULES, group: 'plant', rank });
      }
      const at = async (server: HomeServer, topic = ALONE): Promise<number> => (await held(server, topic).catch(() => [])).length; // it has no such node yet
      const reads = (server: HomeServer): Promise<void> => eventually(async () => (await source.home(server))?.group?.active === true, { within: LONGEST, tell: () => source.api.homes.list() });
      const gets = async (server: HomeServer, more: number): Promise<void> => {
        const before = await at(server);
        await eventually(async () => await at(server) >= before + more, { within: LONGEST, every: 200, tell: () => source.api.homes.list() });
      };
      for (const server of [first, second]) await eventually(async () => (await source.home(server))?.state === 'online', { tell: () => source.api.homes.list() });

      source.begin();
      await gets(first, 100);
      expect(await at(second)).toBe(0);
      // In the middle of what goes up.
      await first.kill();
      expect((await source.home(first))?.queued).toBeGreaterThan(0);
      await reads(second);
      await gets(second, 1);
      await source.killed();
      source.begin();
      await reads(second);
      await gets(second, 100);
      await first.start();
      // Called at once, not after the pause that has grown meanwhile.
      await source.api.homes.pause(first.account('edge1').jid);
      await source.api.homes.resume(first.account('edge1').jid);
      await reads(first);
      const late = source.count;
      await gets(first, 50);
      await source.idle();

      const there = async (): Promise<Map<string, readonly [There[], There[]]>> => {
        const found = new Map<string, readonly [There[], There[]]>();
        // A server knows one reader at a time.
        for (const topic of TOPICS) found.set(topic, [await held(first, topic), await held(second, topic)]);
        return found;
      };
      const missing = async (): Promise<string[]> => [...await there()].flatMap(([topic, both]) => {
        const found = new Set(both.flat().map(({ recordId }) => recordId));
        return [...source.accepted.get(topic)?.keys() ?? []].filter((id) => !found.has(id));
      });
      await eventually(async () => (await missing()).length === 0, { within: LONGEST, every: 300, tell: missing });

      expect(source.count).toBeGreaterThan(late);
      for (const [topic, both] of await there()) {
        const numbers = source.accepted.get(topic) ?? new Map<string, number>();
        for (const [server, records] of [[first, both[0]], [second, both[1]]] as const) {
          // Each once; none is another's, none was never asked for.
          expect(new Set(records.map(({ recordId }) => recordId)).size).toBe(records.length);
          expect(records.filter(({ recordId, n }) => (numbers.get(recordId) ?? (source.unanswered.has(n) ? n : undefined)) !== n)).toEqual([]);
          expect(records.length).toBeGreaterThan(0);
          // A killed ejabberd may have kept what came after what it lost, and gets that when it is there again.
          const ordered = server === first && one === 'ejabberd' ? bySeq(records) : records;
          expect(ordered).toEqual(bySeq(records));
        }
        const here = new Map(both[0].map((record) => [record.recordId, record]));
        const twice = both[1].flatMap((record) => (here.has(record.recordId) ? [[here.get(record.recordId), record] as const] : []));
        expect(twice.filter(([a, b]) => a?.seq !== b.seq || a.n !== b.n || (topic === ALONE && (a.item !== b.item || a.item !== a.recordId)))).toEqual([]);
      }
    } finally {
      await source.idle();
      await source.process?.kill();
      await source.api?.close();
      rmSync(dir, { recursive: true, force: true });
    }
  }, 600_000);
});
