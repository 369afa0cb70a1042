// Nodes of somebody else's: one that the account may publish to, one that it may not, and one that is not there, which it may not make.
// What goes to the first waits for neither of the others.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HomeStatus, Trouble } from '../../src/api.ts';
import { affiliationRequest } from '../../src/home/carried/affiliations.ts';
import { createHomes, type Homes } from '../../src/home/homes.ts';
import { createRequest } from '../../src/home/node.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog, type Log } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { seqOf } from '../chaos/world.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { openReader } from './reader.ts';
import { type PassingClock, startPassingClock } from './recorded/passing-clock.ts';

const [FREE, HELD, MISSING] = ['plant/free', 'plant/held', 'plant/missing'];
const FIRST = 200;
const MORE = 50;

/** A log on disk, and its homes with an account that owns no node, on a clock whose holds end when it is told to pass quicker. */
async function openBox(server: HomeServer): Promise<AsyncDisposable & { log: Log; homes: Homes; clock: PassingClock; troubles: Trouble[]; status: () => Promise<HomeStatus | undefined>; add: () => Promise<HomeStatus> }> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-held-'));
  const troubles: Trouble[] = [];
  const trouble = (one: Trouble): void => { troubles.push(one); };
  const clock = startPassingClock(1);
  const log = await openLog({ database: new LevelDatabase(dir), clock, boxId: 'aaaabbbbccccdddd', trouble });
  const homes = createHomes({ log, clock, trouble, boxId: log.boxId, limits: { settle: 500 }, random: () => 0.1 });
  await homes.start();
  return {
    log, homes, clock, troubles,
    status: async () => (await homes.list())[0],
    add: () => homes.add({ ...server.account('viewer'), host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8'), service: server.service, topics: ['plant/#'] }),
    async [Symbol.asyncDispose]() {
      await homes.close();
      await log.close();
      clock.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

describe.each(['prosody', 'ejabberd'] as const)('a topic whose node forbids it, or is not there, on %s', (kind) => {
  it.skipIf(!needs(kind))('waits while another flows, and drains in order when the owner gives the right, or makes the node', async () => {
    await using server = await createHomeServer(kind, { env: { CREATORS: '^edge' } });
    await server.start();
    const told = new Map<string, string[]>([[FREE, []], [HELD, []], [MISSING, []]]);
    await using box = await openBox(server);
    const { log, clock, troubles, status } = box;
    // The owner, an administrator at Prosody, and who follows each node; the box's account is neither.
    const { jid } = server.account('viewer');
    await using owner = await openReader(server, 'edge1', { told: (ids, node) => { told.get(node)?.push(...ids); } });
    const make = async (node: string): Promise<void> => {
      await owner.request(createRequest(server.service, node, { accessModel: 'open', maxItems: 'max' }));
      await owner.subscribe(node);
    };
    for (const node of [FREE, HELD]) await make(node);
    const allow = (node: string): Promise<unknown> => owner.request(affiliationRequest(server.service, node, jid, 'publisher'));
    await allow(FREE);

    await box.add();
    const publish = async (from: number, count: number): Promise<void> => {
      for (let n = from; n < from + count; n++) for (const topic of [MISSING, HELD, FREE]) await log.append({ topic, kind: 'publish', payload: toPayload(n) });
    };
    await publish(0, FIRST);
    await eventually(async () => told.get(FREE)?.length === FIRST, { tell: status });
    await eventually(async () => [HELD, MISSING].every((topic) => troubles.some(({ kind: what, message }) => what === 'home.held' && message.includes(topic))), { tell: status });
    // Prosody refuses both alike: whether there is a node is asked for afterwards.
    await eventually(async () => (await status())?.reason?.includes(kind === 'prosody' ? `${MISSING}: forbidden; the node ${MISSING} is not there` : `${MISSING}: the node is not there and cannot be made: `) ?? false, { tell: status });
    expect(await status()).toMatchObject({ state: 'online', left: 2 * FIRST, reason: expect.stringContaining(`${HELD}: forbidden`) as string });
    await publish(FIRST, MORE);
    await eventually(async () => told.get(FREE)?.length === FIRST + MORE, { tell: status });
    await eventually(async () => (await status())?.queued === 2 * (FIRST + MORE), { tell: status });
    expect([told.get(HELD), told.get(MISSING)]).toEqual([[], []]);
    await expect(owner.items(MISSING)).rejects.toMatchObject({ condition: 'item-not-found' });
    expect(troubles.filter((one) => one.kind === 'home.held')).toHaveLength(2);

    // The box looks again after five minutes.
    await allow(HELD);
    await make(MISSING);
    await allow(MISSING);
    clock.rate = 100;
    await eventually(async () => [HELD, MISSING].every((topic) => told.get(topic)?.length === FIRST + MORE), { tell: status });
    await eventually(async () => (await status())?.queued === 0, { tell: status });
    for (const topic of [FREE, HELD, MISSING]) {
      const items = (await owner.items(topic)).toSorted((a, b) => a.seq - b.seq);
      expect(items.map(({ value }) => value)).toEqual(Array.from({ length: FIRST + MORE }, (_, n) => n));
      const seqs = told.get(topic)?.map(seqOf);
      expect(seqs).toEqual(items.map(({ seq }) => seq));
    }
  }, 90_000);

  it.skipIf(!needs(kind))('is told of before it drains, where more has come meanwhile than the node keeps', async () => {
    const keeps = 100;
    await using server = await createHomeServer(kind, { env: { MAX_ITEMS: String(keeps) } });
    await server.start();
    const told: string[] = [];
    /** Of what the node has when the ledger is told. */
    const lost: { count: number | undefined; there: number }[] = [];
    await using owner = await openReader(server, 'edge1', { told: (ids) => { told.push(...ids); } });
    await owner.request(createRequest(server.service, HELD, { accessModel: 'open', maxItems: 'max' }));
    await owner.subscribe(HELD);
    await using box = await openBox(server);
    const { log, clock, troubles, status } = box;
    const note = log.noteLoss.bind(log);
    log.noteLoss = (loss) => {
      lost.push({ count: loss.count, there: told.length });
      return note(loss);
    };
    const short = (): string[] => troubles.filter((one) => one.kind === 'home.short').map(({ message }) => message);
    const publish = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) await log.append({ topic: HELD, kind: 'publish', payload: toPayload(n) });
    };
    await box.add();
    await publish(3);
    await eventually(async () => (await status())?.reason?.startsWith(`${HELD}: `) ?? false, { tell: status });
    await publish(FIRST - 3);
    await eventually(async () => (await status())?.queued === FIRST, { tell: status });
    expect([short(), told]).toEqual([[], []]);

    // So that it may also be asked what it keeps.
    await owner.request(affiliationRequest(server.service, HELD, server.account('viewer').jid, 'owner'));
    clock.rate = 100;
    await eventually(async () => told.length === FIRST, { tell: status });
    await eventually(async () => (await status())?.queued === 0, { tell: status });
    expect(short()).toEqual([expect.stringContaining(`${FIRST} records of ${HELD} wait, and the node ${HELD} keeps ${kind === 'prosody' ? `${keeps} items` : 'fewer'}`)]);
    expect(lost).toEqual([{ count: kind === 'prosody' ? FIRST - keeps : undefined, there: 0 }]);
    expect(await owner.items(HELD)).toHaveLength(keeps);
  }, 90_000);
});
