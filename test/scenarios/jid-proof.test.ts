// Two paired boxes with accounts at one home: each proves its account to the other, and what they say to each other's
// accounts takes the nearest road, whatever becomes of the roads meanwhile.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as lasts } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Receipt } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import type { HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { bodies, claimOf, numbered, Scene, type Side } from './two-accounts.ts';

const FLAPPING = 200;
/** More than are on their way at once, and far more than ejabberd keeps. */
const KEPT = 1200;
/** As far above what it keeps as it takes to be turned away. */
const TURNED_AWAY = 400;
/** Of those that are said together. */
const AT_ONCE = 400;

/** Prosody's archive as it lies on disk. */
function archived({ dir }: HomeServer): string {
  const data = join(dir, 'data');
  return readdirSync(data).filter((name) => name.startsWith('prosody.sqlite')).map((name) => readFileSync(join(data, name), 'latin1')).join('');
}

describe.skipIf(!needs('root', 'prosody'))('two paired boxes with accounts at one home', () => {
  const scene = new Scene();
  let one: Side, two: Side;
  beforeAll(async () => {
    await scene.open('prosody');
    await scene.pair();
    [one, two] = scene.sides as [Side, Side];
  });
  afterAll(() => scene.close());

  it('prove their accounts to each other, each when its owner says that it is theirs alone', async () => {
    const name = `box@h${two.host}`;
    expect(await claimOf(one.box)).toBeUndefined();
    const begin = performance.now();
    await one.process.cli('trust', 'claim', name, `xmpp:${two.jid}`);
    await eventually(async () => (await claimOf(one.box))?.state === 'proven', { within: 20_000 });
    console.info(`an account was proven ${Math.round(performance.now() - begin)} ms after it was claimed`);
    expect(await claimOf(one.box)).toMatchObject({ address: `xmpp:${two.jid}`, state: 'proven' });
    await two.box.trust.claim(`box@h${one.host}`, `xmpp:${one.jid}`);
    await eventually(async () => (await claimOf(two.box))?.state === 'proven', { within: 20_000 });
  });

  it('what is sent to the account takes the link, also while the home is cut off', async () => {
    for (const { host } of scene.sides) await scene.cutHome(host, true);
    await (await one.box.send(`xmpp:${two.jid}`, 'over the link')).delivered;
    await eventually(async () => bodies(two, 'over the link').length === 1);
    expect(two.got.at(-1)).toMatchObject({ from: `xmpp:${one.jid}`, to: `xmpp:${two.jid}`, trust: 'paired' });
    for (const { host } of scene.sides) await scene.cutHome(host, false);
  });

  it('with the link cut it goes through home, signed, and back over the link when that is there again', async () => {
    await scene.lan.port(one.host, { up: false });
    await eventually(async () => (await one.box.peers.list()).length === 0 && (await one.box.status()).homes[0]?.state === 'online' && (await two.box.status()).homes[0]?.state === 'online', { within: 150_000 });
    await (await one.box.send(`xmpp:${two.jid}`, 'through home')).delivered;
    await eventually(async () => bodies(two, 'through home').length === 1);
    expect(two.got.at(-1)).toMatchObject({ from: `xmpp:${one.jid}`, to: `xmpp:${two.jid}`, trust: 'paired' });
    await scene.lan.port(one.host, { up: true });
    await eventually(async () => (await one.box.peers.list()).length === 1 && (await two.box.peers.list()).length === 1);
    await (await two.box.send(`xmpp:${one.jid}`, 'and back')).delivered;
    expect(bodies(one, 'and back')).toHaveLength(1);
  }, 240_000);

  it(`loses, doubles and reorders none of ${FLAPPING} each way while link and home come and go`, async () => {
    const receipts: Promise<Receipt>[] = [];
    const say = async (from: Side, to: Side, prefix: string): Promise<void> => {
      for (let n = 0; n < FLAPPING; n++) {
        receipts.push(from.box.send(`xmpp:${to.jid}`, `${prefix}${n}`));
        await lasts(150);
      }
    };
    const flap = async (): Promise<void> => {
      for (let round = 0; round < 3; round++) {
        await lasts(2_000);
        await scene.lan.port(one.host, { up: false });
        await lasts(4_000);
        await scene.lan.port(one.host, { up: true });
        await scene.cutHome(two.host, true);
        await lasts(2_000);
        await scene.cutHome(two.host, false);
        await scene.lan.silentCut(one.host);
        await lasts(2_000);
        await scene.lan.restore(one.host);
      }
    };
    await Promise.all([say(one, two, 'east '), say(two, one, 'west '), flap()]);
    await Promise.all((await Promise.all(receipts)).map(({ delivered }) => delivered));
    await eventually(async () => bodies(two, 'east ').length >= FLAPPING && bodies(one, 'west ').length >= FLAPPING);
    // Both roads were taken: the server's archive has what went through it.
    const throughHome = new Set(archived(scene.server).match(/east \d+(?=<)/g));
    console.info(`of ${FLAPPING} messages one way ${throughHome.size} went through home, or did so too`);
    expect([throughHome.size > 0, throughHome.size < FLAPPING]).toEqual([true, true]);
    expect(bodies(two, 'east ')).toEqual(numbered('east ', FLAPPING));
    expect(bodies(one, 'west ')).toEqual(numbered('west ', FLAPPING));
  }, 400_000);
});

// ejabberd keeps 100 messages for who is away, and returns the others.
describe.skipIf(!needs('root', 'ejabberd'))('a paired box that is away for longer than its home keeps mail', () => {
  const scene = new Scene();
  let one: Side, two: Side;
  beforeAll(async () => {
    await scene.open('ejabberd');
    await scene.pair();
    [one, two] = scene.sides as [Side, Side];
    await one.box.trust.claim(`box@h${two.host}`, `xmpp:${two.jid}`);
    await eventually(async () => (await claimOf(one.box))?.state === 'proven', { within: 20_000 });
  });
  beforeEach(async () => {
    await scene.lan.port(one.host, { up: false });
    await eventually(async () => (await one.box.peers.list()).length === 0, { within: 60_000 });
  });
  afterEach(() => scene.lan.port(one.host, { up: true }));
  afterAll(() => scene.close());

  /** All is said, and half of it was given to the home. */
  async function say(prefix: string, count: number): Promise<Receipt[]> {
    const receipts: Receipt[] = [];
    while (receipts.length < count) receipts.push(...await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => one.box.send(`xmpp:${two.jid}`, `${prefix}${receipts.length + n}`))));
    await Promise.all(receipts.slice(0, count / 2).map(({ handed }) => handed));
    return receipts;
  }

  it('gets all of it through home alone, each once and in order', async () => {
    let receipts: Receipt[] = [];
    await scene.without(two, async () => { receipts = await say('kept ', KEPT); });
    await Promise.all(receipts.map(({ delivered }) => delivered));
    await eventually(async () => bodies(two, 'kept ').length === KEPT);
    expect(bodies(two, 'kept ')).toEqual(numbered('kept ', KEPT));
  }, 400_000);

  it('gets all of it over the link when that is there first, and what the home had kept comes to nothing', async () => {
    await two.box.homes.pause(two.jid);
    const receipts = await say('linked ', TURNED_AWAY);
    await eventually(async () => await scene.server.offline('edge2') === 100, { tell: () => scene.server.offline('edge2') });
    await scene.lan.port(one.host, { up: true });
    await Promise.all(receipts.map(({ delivered }) => delivered));
    await eventually(async () => bodies(two, 'linked ').length >= TURNED_AWAY);
    expect((await two.box.status()).homes[0]?.state).toBe('paused');
    expect(bodies(two, 'linked ')).toEqual(numbered('linked ', TURNED_AWAY));
    // The hundred come now, before what is said after them through home.
    await scene.lan.port(one.host, { up: false });
    await eventually(async () => (await one.box.peers.list()).length === 0, { within: 60_000 });
    await two.box.homes.resume(two.jid);
    await (await one.box.send(`xmpp:${two.jid}`, 'linked last')).delivered;
    await eventually(async () => await scene.server.offline('edge2') === 0);
    await eventually(async () => bodies(two, 'linked last').length === 1);
    expect(bodies(two, 'linked ')).toEqual([...numbered('linked ', TURNED_AWAY), 'linked last']);
  }, 400_000);
});
