// Devices on real servers: one with an address of its own, one over the box's account; while the box is killed and connections break.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attachBox, type Box, createBox, type Message, type MessageStream } from '../../src/index.ts';
import { xml } from '../../src/xmpp/element.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { openReader } from './reader.ts';

const PROGRAM = fileURLToPath(new URL('../support/device-box.mjs', import.meta.url));
const WITHIN = { within: 60_000 };
/** For each of three lives of the box. */
const COUNT = 120;

describe.each(['prosody', 'ejabberd'] as const)('devices on %s', (kind) => {
  describe.skipIf(!needs(kind))('of one box', () => {
    let server: HomeServer;
    let base: string;
    let person: Box;
    let edge: { readonly child: ChildProcess; readonly box: Box; accepted: number } | undefined;
    let way: Server;
    const ends = new Set<Socket>();
    const got: Message[] = [];
    let inbox: MessageStream;
    let reading: Promise<void>;
    const domain = (): string => `edge.${server.domain}`;
    const account = async (name: 'edge1' | 'viewer') => ({ ...server.account(name), host: server.host, port: server.port, ca: await readFile(server.ca, 'utf8'), topics: [] });
    const cut = (): void => { for (const end of ends) end.destroy(); };
    const said = (): string[] => got.map(({ body }) => body).filter((body) => body.startsWith('no '));
    /** A life of it: what it writes, and through its socket what else is asked. */
    const live = async (from: number, count: number): Promise<NonNullable<typeof edge>> => {
      const child = spawn(process.execPath, [PROGRAM, JSON.stringify({ dir: join(base, 'edge'), to: `xmpp:${server.account('viewer').jid}`, from, count })], { stdio: ['ignore', 'pipe', 'inherit'] });
      const life = { child, accepted: 0 };
      let output = '';
      child.stdout?.on('data', (bytes: Buffer) => { output += bytes.toString(); life.accepted = output.split('\n').length - 2; });
      await eventually(async () => output.includes('open'), WITHIN);
      const box = await attachBox({ dir: join(base, 'edge') });
      edge = Object.assign(life, { box });
      return edge;
    };
    const kill = async (): Promise<void> => {
      const { child, box } = edge!;
      const over = once(child, 'exit');
      child.kill('SIGKILL');
      await over;
      await box.close();
      edge = undefined;
    };

    beforeAll(async () => {
      server = await createHomeServer(kind);
      await server.start();
      base = await mkdtemp(join(tmpdir(), 'lanpost-devices-'));
      way = createServer((socket) => {
        const on = connect(server.port + 125, '127.0.0.1');
        for (const end of [socket, on]) ends.add(end.on('error', () => undefined).on('close', () => { ends.delete(end); socket.destroy(); on.destroy(); }));
        socket.pipe(on).pipe(socket);
      }).listen(0, '127.0.0.1');
      await once(way, 'listening');
      person = await createBox({ dir: join(base, 'person'), link: false, control: false });
      await person.homes.add(await account('viewer'));
      await eventually(async () => (await person.homes.list())[0]?.state === 'online', WITHIN);
      inbox = person.messages({ name: 'all' });
      reading = (async () => { for await (const message of inbox) got.push(message); })();
      const box = await createBox({ dir: join(base, 'edge'), link: false, control: false });
      const bound = way.address();
      for (const name of ['boiler', 'pump']) await box.devices.add(name);
      await box.trust.allow(`xmpp:${server.domain}`, 'device', '+');
      await box.homes.add(await account('edge1'));
      await box.components.add({ domain: domain(), port: typeof bound === 'object' ? bound?.port ?? 0 : 0, secret: 'component-secret', devices: ['boiler'] });
      await box.close();
    });
    afterAll(async () => {
      if (edge) await kill();
      await inbox?.close();
      await reading;
      await person?.close();
      way?.close();
      cut();
      await server?.down();
      await rm(base, { recursive: true, force: true });
    });

    it('write from their own address: nothing is lost, over kills of theirs and cuts, and what comes again has the same id', async () => {
      let from = 0;
      for (const end of ['kill', 'cut', 'stay'] as const) {
        const life = await live(from, COUNT);
        await eventually(async () => life.accepted >= COUNT / 2 && said().length > from, WITHIN);
        if (end === 'cut') cut();
        if (end !== 'kill') await eventually(async () => life.accepted === COUNT, WITHIN);
        if (end === 'kill') await kill();
        from += life.accepted;
        if (end === 'cut') {
          cut();
          await kill();
        }
      }
      await eventually(async () => new Set(said()).size >= from, { within: 120_000 });
      // One whose ping had not come back when the connection broke goes again: an archive gives it another id, so that it is there twice, under its own.
      const byId = new Map(got.filter(({ body }) => body.startsWith('no ')).map(({ id, body }) => [id, body]));
      expect([...byId.values()].toSorted()).toEqual(Array.from({ length: from }, (_, n) => `no ${n}`).toSorted());
      expect(new Set(got.map((message) => message.from))).toEqual(new Set([`xmpp:boiler@${domain()}`]));
    }, 240_000);

    it('have what is written to them, once it was on disk, after the box was killed', async () => {
      const to = `xmpp:boiler@${domain()}`;
      await eventually(async () => (await edge?.box.components.list())?.[0]?.state === 'online', WITHIN);
      for (const body of ['how hot?', 'and now?']) await person.send(to, body);
      await eventually(async () => (await edge?.box.devices.list())?.[0]?.unread === 2, WITHIN);
      await kill();
      const { box } = await live(0, 0);
      const messages = box.messages({ device: 'boiler' });
      for (const body of ['how hot?', 'and now?']) {
        const { value } = await messages.next() as { value: Message };
        expect(value).toMatchObject({ body, to, from: expect.stringContaining(`xmpp:${server.account('viewer').jid}`) });
      }
      await messages.close();
    });

    it('without one are told apart over the account of the box, and answered there', async () => {
      const { box } = edge ?? await live(0, 0);
      await box.send(`xmpp:${server.account('viewer').jid}`, 'pumping', { device: 'pump' });
      await eventually(async () => got.some(({ body }) => body === 'pumping'), WITHIN);
      const { from, thread } = got.find(({ body }) => body === 'pumping')!;
      expect([from, thread]).toEqual([expect.stringMatching(new RegExp(`^device:pump@xmpp:${server.account('edge1').jid}/`)), 'device:pump']);
      const pump = box.messages({ device: 'pump' });
      await person.send(from, 'stop');
      expect((await pump.next()).value).toMatchObject({ body: 'stop', to: 'device:pump' });
      // What any client can do: the answer's thread, and, where the server does as RFC 6121 §8.5.3.2.1 has it, a resource that there is not.
      const stranger = await openReader(server, 'edge2');
      stranger.send(xml('message', { type: 'chat', to: server.account('edge1').jid, id: 'x1' }, xml('body', {}, 'by thread'), xml('thread', {}, 'device:pump')));
      expect((await pump.next()).value).toMatchObject({ body: 'by thread' });
      // COMPAT(ejabberd 23.01): what is sent to a resource that there is not does not come to the device.
      const resource = kind === 'prosody' ? '/pump' : '';
      stranger.send(xml('message', { type: 'chat', to: `${server.account('edge1').jid}${resource}`, id: 'x2' }, xml('body', {}, 'again'), ...(resource === '' ? [xml('thread', {}, 'device:pump')] : [])));
      expect((await pump.next()).value).toMatchObject({ body: 'again' });
      await stranger[Symbol.asyncDispose]();
      await pump.close();
    });
  });
});
