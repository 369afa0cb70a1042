import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { homeInWords } from '../../src/cli/home-in-words.ts';
import { createSystemClock } from '../../src/clock.ts';
import { createHomes, type Homes } from '../../src/home/homes.ts';
import { itemsRequest, NS_PUBSUB, retractRequest } from '../../src/home/node.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { openLog, type Log } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { attr } from '../../src/xmpp/element.ts';
import { seqOf } from '../chaos/world.ts';
import { Bell } from '../support/bell.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { openReader, type Reader } from './reader.ts';

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function box(settle: number = 500): Promise<{ log: Log; homes: Homes; bell: Bell; troubles: Trouble[]; publish: (topic: string, count: number) => Promise<void>; drained: () => Promise<void> }> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-pep-'));
  closers.push(() => { rmSync(dir, { recursive: true }); return Promise.resolve(); });
  const bell = new Bell();
  const troubles: Trouble[] = [];
  const trouble = (one: Trouble): void => {
    troubles.push(one);
    bell.ring();
  };
  const clock = bell.heard(createSystemClock());
  const log = await openLog({ database: new LevelDatabase(dir), clock, boxId: 'aaaabbbbccccdddd', trouble });
  const homes = createHomes({ log, clock, trouble, boxId: 'aaaabbbbccccdddd', opened: bell.ring, limits: { settle }, random: () => 0.1 });
  closers.push(async () => {
    await homes.close();
    await log.close();
  });
  await homes.start();
  return {
    log, homes, bell, troubles,
    publish: async (topic, count) => { await Promise.all(Array.from({ length: count }, (_, n) => log.append({ topic, kind: 'publish', payload: toPayload(n) }))); },
    drained: () => bell.until(async () => (await homes.list())[0]?.queued === 0),
  };
}

const accountOf = (server: HomeServer, name: 'edge1' | 'viewer'): Parameters<Homes['add']>[0] => ({ ...server.account(name), host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8'), topics: ['#'] });
const idsOf = async (reader: Reader, service: string, node: string): Promise<string[]> => {
  const iq = itemsRequest(service, node, []);
  iq.getChild('pubsub')?.getChild('items')?.setAttrs({ max_items: '1000' });
  return (await reader.request(iq)).getChild('pubsub', NS_PUBSUB)?.getChild('items')?.getChildren('item').map((item) => attr(item, 'id') ?? '') ?? [];
};
const count = async (reader: Reader, service: string, node: string): Promise<number> => (await idsOf(reader, service, node)).length;

describe.each(['prosody', 'ejabberd'] as const)('an ordinary account', (kind) => {
  describe.skipIf(!needs(kind))(`on ${kind}`, () => {
    it('has what it may make no node for in its own service (PEP), each once, also what the server had acknowledged and lost', async () => {
      await using server = await createHomeServer(kind);
      await server.start();
      // Nothing settles meanwhile.
      const { homes, publish, troubles } = await box(3_600_000);
      // ejabberd lets it make nodes: there the owner says so.
      const account = accountOf(server, 'viewer');
      await homes.add(kind === 'prosody' ? account : { ...account, service: 'pep' });
      await publish('plant/boiler', 100);
      {
        await using early = await openReader(server, 'viewer');
        await eventually(async () => await count(early, account.jid, 'plant/boiler').catch(() => 0) === 100);
        const ids = await idsOf(early, account.jid, 'plant/boiler');
        for (const id of ids.toSorted((a, b) => seqOf(b) - seqOf(a)).slice(0, 3)) await early.request(retractRequest(account.jid, 'plant/boiler', id));
        expect(await count(early, account.jid, 'plant/boiler')).toBe(97);
      }
      expect((await homes.list())[0]?.queued).toBe(100);
      // Stopped, not killed: ejabberd would forget the newest retractions.
      await server.stop();
      await publish('plant/boiler', 100);
      await server.start();
      await using reader = await openReader(server, 'viewer');
      await eventually(async () => await count(reader, account.jid, 'plant/boiler') === 200);
      expect(new Set(await idsOf(reader, account.jid, 'plant/boiler')).size).toBe(200);
      expect(troubles.map(({ kind: what }) => what)).toContain('home.lost');
      expect((await homes.list())[0]?.pep).toEqual(kind === 'prosody' ? { reason: 'the account may make no node: forbidden', topics: ['plant/boiler'] } : { reason: 'the owner said so' });
      await using stranger = await openReader(server, 'edge1');
      await expect(count(stranger, account.jid, 'plant/boiler')).rejects.toMatchObject({ condition: kind === 'prosody' ? 'forbidden' : 'not-allowed' });
    });

    it('has everything there where the server has no pubsub service, and is told so, and of what more waits than the node keeps', async () => {
      // As many as Prosody lets a node of an account's own keep, whatever it is told of its service.
      const [keeps, waiting] = [256, 300];
      await using server = await createHomeServer(kind, { env: { PUBSUB: 'no', MAX_ITEMS: String(keeps) } });
      await server.start();
      const { homes, publish, drained, troubles } = await box();
      const account = accountOf(server, 'edge1');
      await publish('plant/boiler', waiting);
      await publish('door', 5);
      await homes.add(account);
      await drained();
      const [status] = await homes.list();
      expect(status).toMatchObject({ state: 'online', service: server.service, pep: { reason: expect.stringContaining(`there is no service ${server.service}: remote-server-not-found`) as string } });
      // Of all topics, not of those that it was tried with.
      expect(status?.pep).not.toHaveProperty('topics');
      expect(status && homeInWords(status)).toContain(`everything goes to the account's own service, whose nodes may keep few items (there is no service ${server.service}`);
      expect(troubles.filter(({ kind: what }) => what === 'home.short').map(({ message }) => message)).toEqual([expect.stringContaining(`${waiting} records of plant/boiler wait, and the node plant/boiler keeps`)]);
      await using reader = await openReader(server);
      const newest = (await idsOf(reader, account.jid, 'plant/boiler')).map(seqOf).toSorted((a, b) => a - b);
      expect(newest).toEqual(Array.from({ length: keeps }, (_, n) => (newest.at(-1) ?? 0) - keeps + 1 + n));
      expect(await count(reader, account.jid, 'door')).toBe(5);
    });

    it('is told whose a node is, as far as the service says', async () => {
      await using server = await createHomeServer(kind);
      await server.start();
      const one = await box();
      await one.homes.add(accountOf(server, 'edge1'));
      await one.publish('plant', 1);
      await one.drained();
      const other = await box();
      await other.homes.add(accountOf(server, 'viewer'));
      await other.publish('plant', 1);
      await other.bell.until(() => other.troubles.some(({ kind: what }) => what === 'home.owner'));
      expect((await other.homes.list())[0]?.reason).toContain(`the node plant belongs to ${kind === 'ejabberd' ? server.account('edge1').jid : 'another account, which the service does not name'}; nodes of this box's own are had by node={box}/{topic}`);
    });

    it.each([[256, 300], [100, 150]])('is told that a node keeps fewer than wait (%i, of %i), before they go', async (keeps, waiting) => {
      await using server = await createHomeServer(kind, { env: { MAX_ITEMS: String(keeps) } });
      await server.start();
      const { homes, publish, drained, troubles } = await box();
      await publish('plant', waiting);
      await homes.add(accountOf(server, 'edge1'));
      await drained();
      expect(troubles.filter(({ kind: what }) => what === 'home.short').map(({ message }) => message)).toEqual([expect.stringContaining(kind === 'prosody' ? `keeps ${keeps} items` : 'keeps fewer')]);
      await using reader = await openReader(server);
      expect(await count(reader, server.service, 'plant')).toBe(keeps);
    });
  });
});
