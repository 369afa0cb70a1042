// A box's log on a disk, its homes, and a way to one of them: what the defects that others had are looked for in.
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HomeOptions, HomeStatus, Trouble } from '../../../src/api.ts';
import { createHomes, HOME_LIMITS, type Homes } from '../../../src/home/homes.ts';
import type { Row, RangeOptions } from '../../../src/log/database.ts';
import { LevelDatabase } from '../../../src/log/level-database.ts';
import { openLog, type Log, type LogOptions } from '../../../src/log/log.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { Broker } from '../../../src/pubsub/broker.ts';
import { eventually } from '../../support/eventually.ts';
import { type PassingClock, startPassingClock } from './passing-clock.ts';
import { type Road, startRoad } from './road.ts';
import type { Upstream } from './upstream.ts';

const RATE = 20;

export interface Edge extends AsyncDisposable {
  log: Log;
  homes: Homes;
  readonly road: Road;
  readonly clock: PassingClock;
  readonly troubles: Trouble[];
  /** Rows read from the disk since it was opened. */
  readonly rows: number;
  add(options: Partial<HomeOptions>): Promise<void>;
  status(): Promise<HomeStatus>;
  until(so: () => boolean | Promise<boolean>, every?: number): Promise<void>;
  /** The home's node has so many records, and a minute later nothing waits for it any more. */
  drained(node: string, count: number): Promise<void>;
  /** Resolves to the record ids of what was accepted. */
  publish(topic: string, values: readonly string[]): Promise<string[]>;
  /** Bytes of its files. */
  used(): Promise<number>;
  /** The process ends, and another begins on the same disk; `fresh`: on an empty one. */
  restart(fresh?: boolean): Promise<void>;
}

export interface EdgeOptions {
  readonly upstream: Upstream;
  readonly log?: LogOptions['limits'];
  /** Bytes that its disk has, for it alone; default as much as there is. */
  readonly disk?: number;
}

export async function openEdge({ upstream, log: limits = {}, disk }: EdgeOptions): Promise<Edge> {
  const root = mkdtempSync(join(tmpdir(), 'lanpost-recorded-'));
  const road = await startRoad(() => upstream.port);
  const clock = startPassingClock(RATE);
  const troubles: Trouble[] = [];
  const trouble = (one: Trouble): void => { troubles.push(one); };
  let rows = 0;
  let dir = '';
  const used = async (): Promise<number> => {
    // One may have been deleted meanwhile.
    const sizes = await Promise.all((await readdir(dir)).map((name) => stat(join(dir, name)).then(({ size }) => size, () => 0)));
    return sizes.reduce((sum, size) => sum + size, 0);
  };
  class Disk extends LevelDatabase {
    override async free(): Promise<number> {
      return disk === undefined ? super.free() : Math.max(0, disk - await used());
    }
    override async range(options: RangeOptions): Promise<Row[]> {
      const page = await super.range(options);
      rows += page.length;
      return page;
    }
  }
  const open = async (): Promise<{ log: Log; homes: Homes }> => {
    rows = 0;
    const log = await openLog({ database: new Disk(dir), clock, boxId: 'aaaabbbbccccdddd', trouble, limits });
    const broker = new Broker({ log, clock, trouble, may: () => false, limits: { itemBytes: 131_072, topics: 1000, subscriptions: 100 } });
    const homes = createHomes({ log, broker, clock, trouble, boxId: log.boxId, random: () => 0.5 });
    await homes.start();
    return { log, homes };
  };
  const fresh = (): void => { dir = mkdtempSync(join(root, 'disk-')); };
  fresh();
  const status = async (): Promise<HomeStatus> => {
    const [home] = await edge.homes.list();
    if (!home) throw new Error('it has no home');
    return home;
  };
  const until: Edge['until'] = (so, every = 40) => eventually(async () => so(), { within: 150_000, every });
  const edge: Edge = {
    ...await open(), road, clock, troubles, status, until, used,
    get rows() { return rows; },
    async add(options) { await edge.homes.add({ ...upstream.account, port: road.port, ...options }); },
    async drained(node, count) {
      await until(async () => await upstream.count(node) >= count, upstream.patience);
      await until(async () => {
        clock.skip(HOME_LIMITS.settle);
        return (await status()).queued === 0;
      });
    },
    publish: (topic, values) => Promise.all(values.map(async (value) => (await edge.log.append({ topic, kind: 'publish', payload: toPayload(value) })).recordId)),
    async restart(anew = false) {
      await edge.homes.close();
      await edge.log.close();
      if (anew) fresh();
      Object.assign(edge, await open());
    },
    async [Symbol.asyncDispose]() {
      await edge.homes.close();
      await edge.log.close();
      await road[Symbol.asyncDispose]();
      clock.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
  return edge;
}
