import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { createHomes } from '../../src/home/homes.ts';
import { createRequest, publishRequest } from '../../src/home/node.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { payloadToElement } from '../../src/payload/xml.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { Bell } from '../support/bell.ts';
import { createHomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { openReader } from './reader.ts';

const COUNT = 400;

describe.each(['prosody', 'ejabberd'] as const)('a node of more than an answer may hold', (kind) => {
  it.skipIf(!needs(kind))(`comes down from ${kind}, all of it, in order and each once`, async () => {
    await using server = await createHomeServer(kind);
    await server.start();
    const reader = await openReader(server, 'edge2');
    await reader.request(createRequest(server.service, 'n', { accessModel: 'open', maxItems: 'max' }));
    const publish = (n: number): Promise<unknown> => reader.request(publishRequest(server.service, 'n', `i${n}`, payloadToElement(toPayload(`${n} ${'x'.repeat(500)}`)), undefined));
    for (let n = 0; n < COUNT; n++) await publish(n);
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-listing-'));
    const bell = new Bell();
    const troubles: Trouble[] = [];
    const trouble = (told: Trouble): void => void troubles.push(told);
    const clock = bell.heard(createSystemClock());
    const log = await openLog({ database: new LevelDatabase(dir), clock, boxId: 'aaaabbbbccccdddd', trouble });
    const broker = new Broker({ log, clock, trouble, may: () => false, limits: { itemBytes: 131_072, topics: 1000, subscriptions: 100 } });
    // An answer of half of it at most: some ten pages.
    const homes = createHomes({ log, broker, clock, trouble, boxId: log.boxId, limits: { incoming: 64 << 10 }, random: () => 0 });
    try {
      await log.append({ topic: 'n', kind: 'configure', config: { maxItems: 10_000 } });
      await homes.start();
      await homes.add({ ...server.account('edge1'), host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8'), down: [{ node: 'n' }] });
      // While it comes down.
      for (let n = COUNT; n < COUNT + 20; n++) await publish(n);
      await bell.until(async () => (await homes.list())[0]?.down?.waiting === 0 && log.topic('n')?.count === COUNT + 20);
      const items = await log.items('n', { last: 10_000 });
      expect(items.map(({ payload }) => Number(Buffer.from(payload?.bytes ?? '').toString().split(' ')[0]))).toEqual(Array.from({ length: COUNT + 20 }, (_, n) => n));
      expect(troubles).toEqual([]);
    } finally {
      await homes.close();
      await log.close();
      await reader[Symbol.asyncDispose]();
      rmSync(dir, { recursive: true });
    }
  });
});
