// What an owner may ask of a home beyond that all arrives, and a password that is wrong for a while, at real servers.
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HomeStatus } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { createHomes, type Homes } from '../../src/home/homes.ts';
import { negotiate } from '../../src/home/negotiate.ts';
import { createRequest } from '../../src/home/node.ts';
import { openLog, type Log } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { parseJid } from '../../src/xmpp/jid.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { openReader } from './reader.ts';
import { type PassingClock, startPassingClock } from './recorded/passing-clock.ts';

const BACKLOG = 600;
const [OLD, URGENT, STATE, METERED] = ['plant/old', 'plant/urgent', 'plant/state', 'metered'];
const MINUTE = 60_000;

interface TestBox extends AsyncDisposable { readonly log: Log; readonly homes: Homes; readonly clock: PassingClock; status(): Promise<HomeStatus | undefined>; until(fits: (status: HomeStatus | undefined) => boolean): Promise<void>; publish(topic: string, values: readonly unknown[], id?: string): Promise<void> }

async function box(): Promise<TestBox> {
  const clock = startPassingClock(1);
  const trouble = (): void => undefined;
  const log = await openLog({ database: new MemoryDatabase(), clock, boxId: 'aaaabbbbccccdddd', trouble });
  const homes = createHomes({ log, clock, trouble, boxId: log.boxId, limits: { settle: 300 }, random: () => 0 });
  await homes.start();
  const status = async (): Promise<HomeStatus | undefined> => (await homes.list())[0];
  return {
    log, homes, clock, status,
    until: (fits) => eventually(async () => fits(await status()), { within: 60_000, tell: () => status() }),
    async publish(topic, values, id) {
      for (const value of values) await log.append({ topic, kind: 'publish', payload: toPayload(value as string), ...(id === undefined ? {} : { id }) });
    },
    async [Symbol.asyncDispose]() {
      await homes.close();
      await log.close();
      clock.stop();
    },
  };
}

describe.each((['prosody', 'ejabberd'] as const).filter((kind) => needs(kind)))('a home on %s', (kind) => {
  let server: HomeServer;
  beforeAll(async () => {
    // ejabberd offers SCRAM-SHA-1 alone where it keeps passwords for that.
    server = await createHomeServer(kind, kind === 'prosody' ? { env: { EXTRA: 'password_hash = "SHA-256"' } } : {});
    await server.start();
  });
  afterAll(() => server.down());
  const account = (): Parameters<Homes['add']>[0] => ({ ...server.account('edge1'), host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8') });

  it('gets what has a higher priority before a backlog, at the node that the rule names, and of a state not what a newer one has replaced', async () => {
    const told: { id: string; node: string }[] = [];
    await using follower = await openReader(server, 'edge2', { told: (ids, node) => { told.push(...ids.map((id) => ({ id, node }))); } });
    await using owner = await openReader(server);
    const chosen = 'chosen/by/rule';
    const urgent = Array.from({ length: 300 }, (_, n) => `help ${n}`);
    for (const node of [OLD, chosen, STATE]) {
      await owner.request(createRequest(server.service, node, { accessModel: 'open', maxItems: 'max' }));
      await follower.subscribe(node);
    }
    await using one = await box();
    await one.homes.add({ ...account(), topics: ['plant/#'], up: [{ filter: URGENT, node: chosen, priority: 5 }] });
    await one.until((status) => status?.state === 'online');
    await one.homes.pause(account().jid);
    await one.log.append({ topic: STATE, kind: 'configure', config: { lane: 'latest' } });
    await one.publish(OLD, Array.from({ length: BACKLOG }, (_, n) => n));
    await one.publish(STATE, Array.from({ length: 50 }, (_, n) => n), 'state');
    await one.publish(URGENT, urgent);
    await one.homes.resume(account().jid);
    await eventually(async () => told.filter(({ node }) => node === OLD).length === BACKLOG, { within: 60_000, tell: () => one.status() });
    const place = (node: string): number => told.findIndex((each) => each.node === node);
    expect(place(STATE)).toBeGreaterThanOrEqual(0);
    // What was in flight when the first of them came may be of the backlog.
    const last = told.findLastIndex(({ node }) => node === chosen);
    expect(told.slice(0, last).filter(({ node }) => node === OLD).length).toBeLessThan(BACKLOG / 4);
    expect(told.filter(({ node }) => node === chosen).length).toBe(urgent.length);
    await one.until((status) => status?.queued === 0);
    expect((await owner.items(STATE)).map(({ id, value }) => [id, value])).toEqual([['state', 49]]);
    expect(told.filter(({ node }) => node === STATE).length).toBeLessThan(50);
    expect((await owner.items(chosen)).toSorted((a, b) => a.seq - b.seq).map(({ value }) => value)).toEqual(urgent);
    await expect(owner.items(URGENT)).rejects.toMatchObject({ condition: 'item-not-found' });
  });

  it('that is given a budget of bytes gets no more of a backlog, is told why the rest waits, and has it all in order when the budget is taken back', async () => {
    const [count, budget] = [100, 40_000];
    // Six minutes, in which a tenth of the budget may go, and one item that is larger than what is left of it.
    const [PART, most] = [6 * MINUTE, budget / 10];
    await using one = await box();
    const came: { readonly at: number; readonly id: string }[] = [];
    await using owner = await openReader(server, 'edge1', { told: (ids) => { came.push(...ids.map((id) => ({ at: one.clock.mono(), id }))); } });
    await owner.request(createRequest(server.service, METERED, { accessModel: 'open', maxItems: 'max' }));
    await owner.subscribe(METERED);
    const text = 'x'.repeat(500);
    await one.publish(METERED, Array.from({ length: count }, (_, n) => `${n} ${text}`));
    await one.homes.add({ ...account(), topics: [METERED], budget });
    const begun = one.clock.mono();
    const usedUp = ({ reason }: Partial<HomeStatus> = {}): boolean => /^the byte budget is used up for \d+ s$/.test(reason ?? '');
    await one.until(usedUp);
    await eventually(async () => came.length * 2 * text.length >= most, { tell: () => one.status() });
    // What went first counts no more after six minutes.
    one.clock.rate = 100;
    await eventually(async () => came.some(({ at }) => at - begun > PART), { tell: () => one.status() });
    one.clock.rate = 1;
    await one.until((status) => usedUp(status) && status?.left === count - came.length);
    expect(await one.status()).toMatchObject({ state: 'online' });
    // At the server as on the wire, but for what stands around an item: more bytes went than these.
    for (const { at } of came) expect(came.filter((other) => other.at <= at).length * text.length).toBeLessThanOrEqual((Math.floor((at - begun) / PART) + 1) * (most + text.length));
    expect(came.length).toBeLessThan(count / 2);

    await one.homes.add({ ...account(), topics: [METERED] });
    await one.until((now) => now?.queued === 0);
    expect((await one.status())?.reason).toBeUndefined();
    await eventually(async () => came.length === count, { tell: () => one.status() });
    const items = (await owner.items(METERED)).toSorted((a, b) => a.seq - b.seq);
    expect(items.map(({ value }) => value)).toEqual(Array.from({ length: count }, (_, n) => `${n} ${text}`));
    expect(came.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
  });

  it(`logs the box in by ${kind === 'prosody' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-1, for which it keeps the passwords'}`, async () => {
    const { jid, password } = server.account('edge1');
    const address = parseJid(jid);
    if (!address) throw new Error(jid);
    const { known, bound, socket } = await negotiate({
      jid: address, password, resource: 'r', transport: 'starttls', host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8'),
      clock: createSystemClock(), deadline: 20_000, stanzaBytes: 1 << 20, onClose: () => undefined, signal: new AbortController().signal,
    });
    await socket.close();
    // It offers nothing else, but the same bound to the connection.
    expect(new Set(known.mechanisms.filter((name) => name.startsWith('SCRAM-')).map((name) => name.replace(/-PLUS$/, '')))).toEqual(new Set([kind === 'prosody' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-1']));
    expect(bound).toBe(`${jid}/r`);
  });

  it('whose password is changed refuses the box, which comes in by itself when it is right again', async () => {
    await using one = await box();
    await one.homes.add({ ...account(), topics: ['again'] });
    await one.until((status) => status?.state === 'online');
    const { password } = server.account('edge1');
    await server.changePassword('edge1', 'another');
    await one.until((status) => status?.state === 'refused');
    expect((await one.status())?.reason).toContain('not-authorized');
    await one.publish('again', ['came in']);
    await server.changePassword('edge1', password);
    const { nextAttempt = 0 } = await one.status() ?? {};
    // After a minute, and nobody has said anything to it.
    expect(nextAttempt - one.clock.wall()).toBeLessThanOrEqual(MINUTE);
    one.clock.rate = 30;
    await one.until((status) => status?.state === 'online');
    one.clock.rate = 1;
    await one.until((status) => status?.queued === 0);
    await using owner = await openReader(server);
    expect((await owner.items('again')).map(({ value }) => value)).toEqual(['came in']);
  });
});
