// A file of what waits, published by another account on real servers: the author's node, which it lets the other publish to.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import type { CarriedOutbox } from '../../src/home/carried/carried.ts';
import { createHomes, type Homes } from '../../src/home/homes.ts';
import { publishRequest } from '../../src/home/node.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { type Identity, loadIdentity } from '../../src/trust/identity.ts';
import { Sealer } from '../../src/trust/seal.ts';
import { xml } from '../../src/xmpp/element.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { Bell } from '../support/bell.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { openReader } from './reader.ts';

const TOPIC = 'plant/boiler';
const ITEMS = 500;
/** No administrator of the service, who might publish anywhere at Prosody. */
const CARRIER = 'viewer';

interface Side { readonly identity: Identity; readonly log: Log; readonly homes: Homes; readonly outbox: CarriedOutbox }

describe.each(['prosody', 'ejabberd'] as const)('a carried outbox on %s', (kind) => {
  describe.skipIf(!needs(kind))('of an author without a road', () => {
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-carried-'));
    const bell = new Bell();
    const signal = new AbortController().signal;
    let server: HomeServer;
    let a: Side, b: Side;

    const side = async (name: string): Promise<Side> => {
      const identity = await loadIdentity(mkdtempSync(join(dir, name)), { machine: 'test' });
      const clock = bell.heard(createSystemClock());
      const log = await openLog({ database: new MemoryDatabase(), clock, boxId: identity.boxId, trouble: bell.ring });
      const homes = createHomes({ log, clock, trouble: bell.ring, boxId: identity.boxId, limits: { settle: 300 }, opened: bell.ring });
      return { identity, log, homes, outbox: await homes.outbox({ identity, sealer: new Sealer(identity), isPaired: () => true, nameOf: () => name }) };
    };
    const add = async ({ homes }: Side, user: 'edge1' | typeof CARRIER, port = server.port): Promise<void> => {
      await homes.add({ ...server.account(user), host: server.host, port, ca: readFileSync(server.ca, 'utf8'), topics: user === 'edge1' ? ['plant/#'] : [] });
    };
    const online = ({ homes }: Side): Promise<void> => bell.until(async () => (await homes.list())[0]?.state === 'online');
    const publish = async (from: number, count: number): Promise<void> => {
      for (let n = from; n < from + count; n++) await a.log.append({ topic: TOPIC, kind: 'publish', payload: toPayload({ n }) });
    };

    beforeAll(async () => {
      server = await createHomeServer(kind);
      await server.start();
      [a, b] = [await side('a'), await side('b')];
      await add(a, 'edge1');
      await add(b, CARRIER);
      await publish(0, 1);
      await Promise.all([online(a), online(b)]);
    });
    afterAll(async () => {
      for (const one of [a, b]) {
        await one?.homes.close();
        await one?.log.close();
      }
      await server?.down();
      rmSync(dir, { recursive: true, force: true });
    });

    /** What the carrier's account is told when it publishes. */
    const tried = async (id: string): Promise<string> => {
      await using reader = await openReader(server, CARRIER);
      return await reader.request(publishRequest(server.service, TOPIC, id, xml('tried', { xmlns: 'urn:example:tried' }))).then(() => 'taken', (error: unknown) => (error instanceof StanzaError ? error.condition : String(error)));
    };

    it('is published by the box that may, once, and is one with what the author sends later', async () => {
      // The node is there, and the author's.
      await bell.until(async () => (await a.homes.list())[0]?.queued === 0);
      expect(await tried('before')).toBe('forbidden');
      await a.outbox.allow({ fingerprint: b.identity.fingerprint, spki: b.identity.spki }, server.account(CARRIER).jid, undefined);
      // Its road goes: another port, at which nobody is.
      await add(a, 'edge1', 1);
      await publish(1, ITEMS);
      let told: string[] = [];
      await using reader = await openReader(server, 'edge1', { told: (ids) => {
        told.push(...ids);
        bell.ring();
      } });
      await reader.subscribe(TOPIC);
      const file = join(dir, 'outbox');
      expect(await a.outbox.export(file, b.identity.fingerprint)).toMatchObject({ records: ITEMS, more: false });
      expect(await b.outbox.import(file, `${file}.confirmed`, signal)).toMatchObject({ records: ITEMS, published: ITEMS, refused: 0 });
      expect(await b.outbox.import(file, `${file}.confirmed`, signal)).toMatchObject({ published: 0, present: ITEMS });
      await bell.until(() => told.length >= ITEMS);
      expect([told.length, new Set(told).size]).toEqual([ITEMS, ITEMS]);
      told = [];
      // The author has not heard of it, and comes home.
      await publish(ITEMS + 1, 10);
      await add(a, 'edge1');
      await bell.until(async () => (await a.homes.list())[0]?.queued === 0);
      // Of what was carried it has sent nothing again.
      await bell.until(() => told.length >= 10);
      expect(told.length).toBe(10);
      const items = await reader.items(TOPIC);
      expect(items).toHaveLength(ITEMS + 11);
      expect(new Set(items.map(({ recordId }) => recordId)).size).toBe(ITEMS + 11);
      expect(await a.outbox.confirm(`${file}.confirmed`)).toMatchObject({ records: ITEMS });
      expect(await tried('allowed')).toBe('taken');
      await a.outbox.deny('b', b.identity.fingerprint);
      expect(await tried('denied')).toBe('forbidden');
      expect((await reader.items(TOPIC)).map(({ id }) => id).filter((id) => ['before', 'allowed'].includes(id))).toEqual(['allowed']);
    });
  });
});
