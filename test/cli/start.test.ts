import { once } from 'node:events';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBox } from '../../src/index.ts';
import { lanpost, launch, objects, type Running } from './lanpost.ts';

/** Nothing but what the box itself tells of on standard error: on a machine without a network it has something to tell. */
const TROUBLES = expect.stringMatching(/^(lanpost: .+ \([a-z.-]+\)\n)*$/) as string;

function* lines(): Generator<string> {
  for (let n = 0; ; n++) yield `${n}\n`;
}

describe('lanpost start', () => {
  let dir: string;
  const running: Running[] = [];
  const start = (...args: string[]): Running => {
    const one = launch(['start', '--dir', dir, ...args]);
    running.push(one);
    return one;
  };
  /** What no program of ours says: the box tells of it. */
  const makeTrouble = async (): Promise<void> => {
    const socket = connect(join(dir, 'control.sock'));
    socket.end('nonsense\n').resume();
    await once(socket, 'close');
  };
  beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-start-')); });
  afterEach(async () => {
    await Promise.all(running.splice(0).map(async (one) => {
      one.child.kill('SIGKILL');
      await one.ended;
    }));
    await rm(dir, { recursive: true, force: true });
  });

  it('says how things are, and ends cleanly at Ctrl-C', async () => {
    const box = start('--no-editor', '--name', 'hall');
    const said = await box.until('ready');
    expect(said).toMatch(/^editor {2}off\nname {4}hall.*\npeers {3}.*\nhome {4}none configured: purely local\ndata {4}.*\nready\n$/);
    expect(said).toContain(dir);
    const [status] = objects((await lanpost(['status', '--json', '--dir', dir])).out);
    expect(String(status?.['name'])).toMatch(/^hall/);
    box.child.kill('SIGINT');
    expect(await box.ended).toEqual({ code: 0, out: said, err: TROUBLES });
    await expect(access(join(dir, 'control.sock'))).rejects.toThrow('ENOENT');
    await (await createBox({ dir, link: false })).close(); // unlocked, and whole
  });

  it('ends cleanly at SIGTERM, and when Ctrl-C comes twice at once, as npm sends it', async () => {
    const one = start('--no-editor');
    await one.until('ready');
    one.child.kill('SIGTERM');
    expect((await one.ended).code).toBe(0);
    const two = start('--no-editor');
    await two.until('ready');
    two.child.kill('SIGINT');
    two.child.kill('SIGINT');
    expect((await two.ended).code).toBe(0);
  });

  it('says on standard error what goes wrong, where its output is neither a terminal nor JSON', async () => {
    const box = start('--no-editor');
    const said = await box.until('ready');
    const err = once(box.child.stderr, 'data');
    await makeTrouble();
    expect(String((await err)[0])).toMatch(/^lanpost: .+ \([a-z.]+\)\n$/);
    box.child.kill('SIGTERM');
    expect(await box.ended).toEqual({ code: 0, out: said, err: TROUBLES });
  });

  it('goes on when nobody reads standard error any more, whatever its flows have to complain of', async () => {
    const flows = [
      { id: 'f1', type: 'tab', label: 'careless' },
      { id: 'n1', type: 'inject', z: 'f1', props: [], repeat: '', once: true, onceDelay: 0.1, wires: [['n2']] },
      { id: 'n2', type: 'function', z: 'f1', func: 'setInterval(() => Promise.reject(new Error("nobody awaits this")), 20);', outputs: 0, wires: [] },
    ];
    await mkdir(join(dir, 'node-red'), { recursive: true });
    await writeFile(join(dir, 'node-red/flows.json'), JSON.stringify(flows));
    const box = start('--editor-port', '0');
    await box.until('ready');
    box.child.stderr?.destroy();
    for (const round of [1, 2, 3]) {
      const [status] = objects((await lanpost(['status', '--json', '--dir', dir])).out);
      expect([round, status?.['log']]).toEqual([round, expect.objectContaining({ state: 'open' })]);
    }
    box.child.kill('SIGTERM');
    expect((await box.ended).code).toBe(0);
  });

  it('is ended by one SIGTERM although whoever reads its JSON has stalled', async () => {
    const box = start('--no-editor', '--json');
    await box.until('"event":"ready"');
    box.child.stdout.pause();
    // More than a pipe holds, several times.
    for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 40 }, () => makeTrouble()));
    const exit = once(box.child, 'exit');
    box.child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  });

  it('fails when nobody reads its JSON any more', async () => {
    const box = start('--no-editor', '--json');
    await box.until('"event":"ready"');
    box.child.stdout.destroy();
    const exit = once(box.child, 'exit');
    await makeTrouble();
    expect(await exit).toEqual([1, null]);
    expect((await box.ended).err).toBe('lanpost: nobody reads the output any more, so the box was stopped\n');
  });

  it('keeps every item whose id was printed when it is killed while they come in', async () => {
    const box = start('--no-editor');
    await box.until('ready');
    const publisher = launch(['publish', 'kill', '-', '--dir', dir]);
    Readable.from(lines()).pipe(publisher.child.stdin);
    await publisher.until('-100\n');
    box.child.kill('SIGKILL');
    const { code, out, err } = await publisher.ended;
    expect({ code, err }).toEqual({ code: 1, err: expect.stringMatching(/^lanpost: line \d+: The connection to the box was lost.*\n$/) });
    const ids = out.trim().split('\n');
    expect(ids.length).toBeGreaterThan(10);
    const again = await createBox({ dir, link: false });
    const found = new Set<string>();
    for (let after = 0; ;) {
      const items = await again.items('kill', { after, limit: 1000 });
      for (const item of items) if (item.kind === 'item') found.add(item.id);
      if (items.length === 0) break;
      after = items.at(-1)?.seq ?? Infinity;
    }
    await again.close();
    // The view keeps the newest 1000; those printed are the oldest of what came in.
    const kept = ids.slice(-Math.min(ids.length, 500));
    expect(kept.filter((id) => !found.has(id))).toEqual([]);
  });

  it('works in a directory whose path is longer than a socket may have', async () => {
    dir = join(dir, 'a-rather-long-name-of-a-folder'.repeat(5));
    const box = start('--no-editor');
    await box.until('ready');
    expect(await lanpost(['publish', 't', '1', '--dir', dir])).toMatchObject({ code: 0, err: '' });
    box.child.kill('SIGINT');
    expect(await box.ended).toMatchObject({ code: 0, err: TROUBLES });
  });

  it('is one line when a box runs there already', async () => {
    const box = await createBox({ dir, link: false });
    const { code, out, err } = await lanpost(['start', '--no-editor', '--dir', dir]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toBe(`lanpost: a box is running in ${dir} already: see \`lanpost status --dir ${dir}\`, or give this one another --dir\n`);
    await box.close();
  });

  it('is one line when the port of the editor is in use, and leaves nothing running', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, out, err } = await lanpost(['start', '--editor-port', String(port), '--dir', dir]);
    server.close();
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toBe(`lanpost: port ${port} is in use: choose another with --editor-port N, or 0 for any free one\n`);
  });

  it('serves the status page without the editor where it is told to, and Node-RED is not loaded', async () => {
    const box = start('--no-editor', '--status-port', '0', '--json');
    const [ready] = objects(await box.until('\n'));
    expect(ready).toMatchObject({ editor: null, statusPage: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/status\/\?token=/) });
    const { origin, searchParams } = new URL(String(ready?.['statusPage']));
    const authorization = `Bearer ${searchParams.get('token')}`;
    expect((await fetch(`${origin}/status/`, { headers: { authorization } })).status).toBe(200);
    expect((await fetch(`${origin}/flows`, { headers: { authorization } })).status).toBe(404);
    await expect(access(join(dir, 'node-red'))).rejects.toThrow('ENOENT');
    const second = await lanpost(['start', '--no-editor', '--dir', `${dir}/two`, '--status-port', new URL(origin).port]);
    expect(second).toMatchObject({ code: 1, out: '', err: `lanpost: port ${new URL(origin).port} is in use: choose another with --status-port N, or 0 for any free one\n` });
    expect(await lanpost(['start', '--no-editor', '--dir', `${dir}/two`, '--status-host', '0.0.0.0'])).toMatchObject({ code: 2, out: '' });
    box.child.kill('SIGINT');
    expect((await box.ended).code).toBe(0);
  });

  it('opens the editor beyond this machine only with a password, and says what to do', async () => {
    const { code, out, err } = await lanpost(['start', '--editor-port', '0', '--editor-host', '0.0.0.0', '--dir', dir]);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toBe(`lanpost: --editor-host opens this box to others, so it needs a password first: see \`lanpost editor passwd --dir ${dir}\`\n`);
  });

  it('tells where the editor is, as JSON too', async () => {
    const box = start('--editor-port', '0', '--json');
    const said = await box.until('\n');
    const [ready] = objects(said);
    expect(ready).toMatchObject({ event: 'ready', dir, editor: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/\?token=/), peers: expect.any(Array), homes: [] });
    expect((await fetch(String(ready?.['editor']), { redirect: 'manual' })).status).toBeLessThan(400);
    const { origin, searchParams } = new URL(String(ready?.['statusPage']));
    expect(origin).toBe(new URL(String(ready?.['editor'])).origin);
    const authorization = `Bearer ${searchParams.get('token')}`;
    expect(await (await fetch(`${origin}/status/`, { headers: { authorization } })).text()).toContain('Ledger of losses');
    expect(await (await fetch(`${origin}/metrics`, { headers: { authorization } })).text()).toContain('lanpost_log_open 1');
    box.child.kill('SIGINT');
    expect((await box.ended).code).toBe(0);
  });

  it('tells how homes are, as JSON', async () => {
    const box = start('--no-editor', '--json');
    await box.until('"event":"ready"');
    const password = join(dir, 'password');
    await writeFile(password, 'secret\n');
    expect((await lanpost(['home', 'add', 'box@home.invalid', '--password-file', password, '--host', '127.0.0.1', '--port', '9', '--dir', dir])).code).toBe(0);
    expect(await box.until('"state":"waiting"')).toMatch(/^\{"event":"home","type":"state","home":\{"jid":"box@home\.invalid",.*"state":"waiting"/m);
    box.child.kill('SIGINT');
    expect((await box.ended).code).toBe(0);
  });

  it.each([[['--name', 'a@b']], [['--link-port', '70000']]])('refuses %j in one line', async (args) => {
    const { code, out, err } = await lanpost(['start', '--no-editor', '--dir', dir, ...args]);
    expect(code).toBeGreaterThan(0);
    expect(out).toBe('');
    expect(err).toMatch(/^lanpost: .+\n$/);
  });

  it('says which of its interfaces is not up, and waits for it', async () => {
    const box = start('--no-editor', '--interface', 'nosuch0');
    const said = await box.until('ready');
    expect(said).toMatch(/^name .*\nwaits {3}for nosuch0, which is not up: it is used as soon as it is\n/m);
    expect(said).not.toContain('not up)');
    box.child.kill('SIGINT');
    await box.ended;
    const asJson = start('--no-editor', '--interface', 'nosuch0', '--json');
    expect(objects(await asJson.until('\n'))[0]).toMatchObject({ event: 'ready', waitsFor: ['nosuch0'] });
  });

  it('needs Node 20.19, and says so in one line on an older one', async () => {
    const preload = `data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'18.20.8'}});Object.defineProperty(process,'version',{value:'v18.20.8'})`;
    const one = launch(['status'], ['--import', preload]);
    expect(await one.ended).toEqual({ code: 1, out: '', err: 'lanpost needs Node.js 20.19 or newer (22 or 24 recommended); this is v18.20.8.\n' });
  });
});
