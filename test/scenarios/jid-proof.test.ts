// Two paired boxes with accounts at one home: each proves its account to the other, and what they say to each other's
// accounts takes the nearest road, whatever becomes of the roads meanwhile.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as lasts } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Message, Receipt, TrustEntry } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

const SERVER = 1;
const HOSTS = [2, 3] as const;
/** On the segment of the home, the device of a box. */
const UPLINK = 'eth1';
const FLAPPING = 200;

interface Side {
  readonly host: number;
  process: BoxProcess;
  box: Box;
  /** Its account. */
  readonly jid: string;
  readonly got: Message[];
}

class Scene {
  readonly dir = mkdtempSync(join(tmpdir(), 'lanpost-jid-'));
  readonly sides: Side[] = [];
  readonly over = new AbortController();
  lan!: Lan;
  server!: HomeServer;

  /** The boxes are on one link, and each has a device of its own on the way home. */
  async open(kind: HomeServer['kind']): Promise<void> {
    this.lan = await createLan(3);
    await this.lan.partition([SERVER], [...HOSTS]);
    for (const host of HOSTS) {
      await this.lan.attach(host, UPLINK, 1);
      // Off the link's own subnet, as a modem is; the server is in none of it.
      await this.lan.run(host, 'ip', ['addr', 'add', `10.78.0.${host}/24`, 'dev', UPLINK]);
      await this.lan.run(host, 'ip', ['route', 'add', this.lan.address(SERVER), 'dev', UPLINK, 'src', `10.78.0.${host}`]);
      await this.lan.run(SERVER, 'ip', ['route', 'add', `10.78.0.${host}`, 'dev', 'eth0']);
    }
    this.server = await createHomeServer(kind, { lan: this.lan, host: SERVER, env: { MODULES: '"offline";' } });
    await this.server.start();
    for (const [i, host] of HOSTS.entries()) this.sides.push(await this.#side(host, i === 0 ? 'edge1' : 'edge2'));
  }

  async #side(host: number, user: 'edge1' | 'edge2'): Promise<Side> {
    const { process, box } = await this.#start(host, user);
    const { jid, password } = this.server.account(user);
    await box.homes.add({ jid, password, host: this.server.host, port: this.server.port, ca: readFileSync(this.server.ca, 'utf8') });
    const got: Message[] = [];
    this.#listen({ box, got });
    return { host, process, box, jid, got };
  }

  async #start(host: number, user: string): Promise<Pick<Side, 'process' | 'box'>> {
    const process = await startBox({ dir: join(this.dir, user), name: 'box', lan: this.lan, host, args: ['--interface', 'eth0'] });
    return { process, box: await process.attach() };
  }

  /** It leaves its home properly, and while `away` lasts it is not running. */
  async without(side: Side, away: () => Promise<void>): Promise<void> {
    await side.box.close();
    await side.process.stop();
    await away();
    Object.assign(side, await this.#start(side.host, side.jid.split('@')[0] ?? ''));
    this.#listen(side);
  }

  #listen({ box, got }: Pick<Side, 'box' | 'got'>): void {
    void (async () => {
      for await (const message of box.messages({ name: 'all', signal: this.over.signal })) got.push(message);
    })().catch(() => undefined); // the box was closed
  }

  /** Each vouches for the other, as their owners would. */
  async pair(): Promise<void> {
    await Promise.all(this.sides.map(async ({ box }, i) => {
      const name = `box@h${this.sides[1 - i]?.host}`;
      await eventually(async () => (await box.peers.list()).some((peer) => peer.name === name));
      await box.trust.allow(name, 'chat');
    }));
  }

  async cutHome(host: number, cut: boolean): Promise<void> {
    const server = this.lan.address(SERVER);
    await this.lan.run(host, 'ip', ['route', 'replace', ...(cut ? ['blackhole', server] : [server, 'dev', UPLINK, 'src', `10.78.0.${host}`])]);
  }

  async close(): Promise<void> {
    this.over.abort();
    await Promise.all(this.sides.map(async ({ box, process }) => {
      await box.close();
      await process.kill();
    }));
    await this.server?.down();
    await this.lan?.down();
    rmSync(this.dir, { recursive: true, force: true });
  }
}

async function claimOf(box: Box): Promise<NonNullable<TrustEntry['claims']>[number] | undefined> {
  return (await box.trust.list()).flatMap(({ claims }) => claims ?? [])[0];
}

/** Prosody's archive as it lies on disk. */
function archived({ dir }: HomeServer): string {
  const data = join(dir, 'data');
  return readdirSync(data).filter((name) => name.startsWith('prosody.sqlite')).map((name) => readFileSync(join(data, name), 'latin1')).join('');
}

const bodies = (side: Side, prefix: string): string[] => side.got.map(({ body }) => body).filter((body) => body.startsWith(prefix));
const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

describe.skipIf(!needs('root', 'prosody'))('two paired boxes with accounts at one home', () => {
  const scene = new Scene();
  let one: Side, two: Side;
  beforeAll(async () => {
    await scene.open('prosody');
    await scene.pair();
    [one, two] = scene.sides as [Side, Side];
  }, 120_000);
  afterAll(() => scene.close(), 60_000);

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
  }, 60_000);

  it('what is sent to the account takes the link, also while the home is cut off', async () => {
    for (const { host } of scene.sides) await scene.cutHome(host, true);
    await (await one.box.send(`xmpp:${two.jid}`, 'over the link')).delivered;
    await eventually(async () => bodies(two, 'over the link').length === 1);
    expect(two.got.at(-1)).toMatchObject({ from: `xmpp:${one.jid}`, to: `xmpp:${two.jid}`, trust: 'paired' });
    for (const { host } of scene.sides) await scene.cutHome(host, false);
  }, 60_000);

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
  beforeAll(async () => {
    await scene.open('ejabberd');
    await scene.pair();
  }, 120_000);
  afterAll(() => scene.close(), 60_000);

  it('gets all of it through home alone, each once and in order', async () => {
    const [one, two] = scene.sides as [Side, Side];
    await one.box.trust.claim(`box@h${two.host}`, `xmpp:${two.jid}`);
    await eventually(async () => (await claimOf(one.box))?.state === 'proven', { within: 20_000 });
    await scene.lan.port(one.host, { up: false });
    await eventually(async () => (await one.box.peers.list()).length === 0, { within: 60_000 });
    const receipts: Receipt[] = [];
    await scene.without(two, async () => {
      for (let n = 0; n < 2 * FLAPPING; n++) receipts.push(await one.box.send(`xmpp:${two.jid}`, `kept ${n}`));
      await Promise.all(receipts.slice(0, 150).map(({ handed }) => handed));
    });
    await Promise.all(receipts.map(({ delivered }) => delivered));
    await eventually(async () => bodies(two, 'kept ').length >= 2 * FLAPPING);
    expect(bodies(two, 'kept ')).toEqual(numbered('kept ', 2 * FLAPPING));
  }, 400_000);
});
