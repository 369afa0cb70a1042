// Two boxes on one link, each with an account at one home and a way there of its own.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Box, Message, TrustEntry } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { createLan, type Lan } from '../support/lan.ts';

const SERVER = 1;
const HOSTS = [2, 3] as const;
/** On the segment of the home, the device of a box. */
const UPLINK = 'eth1';

export interface Side {
  readonly host: number;
  process: BoxProcess;
  box: Box;
  /** Its account. */
  readonly jid: string;
  readonly got: Message[];
}

export class Scene {
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
    this.server = await createHomeServer(kind, { lan: this.lan, host: SERVER, env: { MODULES: '"offline";', MAM: 'never' } });
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

export async function claimOf(box: Box): Promise<NonNullable<TrustEntry['claims']>[number] | undefined> {
  return (await box.trust.list()).flatMap(({ claims }) => claims ?? [])[0];
}

/** What came that begins so, in order. */
export const bodies = (side: Side, prefix: string): string[] => side.got.map(({ body }) => body).filter((body) => body.startsWith(prefix));
export const numbered = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${prefix}${n}`);
