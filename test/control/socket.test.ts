import { once } from 'node:events';
import { chmod, chown, cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attachBox } from '../../src/control/attach-box.ts';
import { attachService } from '../../src/control/attachment.ts';
import { createCodec } from '../../src/control/codec.ts';
import { deferred } from '../../src/control/deferred.ts';
import { frame } from '../../src/control/frame.ts';
import type { Service } from '../../src/control/service.ts';
import { PROTOCOL } from '../../src/control/wire.ts';
import { LanpostError } from '../../src/errors.ts';
import { sandbox as newSandbox, type Sandbox } from './sandbox.ts';

const echo: Service = {
  call: async (_, args) => args[0],
  open: () => { throw new TypeError('no streams here'); },
};
/** A directory whose socket path the system would cut short. */
const long = (root: string): string => join(root, 'a-rather-long-name-of-a-folder'.repeat(5));

describe('the control socket', () => {
  let root: string;
  const boxes: Sandbox[] = [];
  const sandbox = async (...args: Parameters<typeof newSandbox>): Promise<Sandbox> => {
    const box = await newSandbox(...args);
    boxes.push(box);
    return box;
  };
  beforeEach(async () => { root = await mkdtemp(join(tmpdir(), 'lanpost-socket-')); });
  afterEach(async () => {
    await Promise.all(boxes.splice(0).map((box) => box[Symbol.asyncDispose]()));
    await rm(root, { recursive: true, force: true });
  });

  it('is for its user alone, and goes when the box goes', async () => {
    const box = await sandbox(echo, { dir: root });
    expect(box.server.path).toBe(join(root, 'control.sock'));
    expect((await stat(box.server.path)).mode & 0o777).toBe(0o600);
    await box[Symbol.asyncDispose]();
    await expect(stat(box.server.path)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('replaces one that was left behind', async () => {
    await writeFile(join(root, 'control.sock'), 'not even a socket');
    const box = await sandbox(echo, { dir: root });
    const { rpc } = await box.attach();
    await expect(rpc.call('echo', [1])).resolves.toBe(1);
  });

  it('is never taken from a box that runs', async () => {
    const box = await sandbox(echo, { dir: root });
    await expect(sandbox(echo, { dir: root })).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining(root) });
    const { rpc } = await box.attach();
    await expect(rpc.call('echo', [1])).resolves.toBe(1);
  });

  it('keeps what a program says while what serves it is being loaded', async () => {
    const loading = deferred<Service>();
    const box = await sandbox(loading.promise, { dir: root });
    const socket = connect(box.server.path);
    const codec = createCodec();
    socket.write(frame(codec.encode({ type: 'call', id: 1, method: 'echo', args: ['early'] }), 1 << 20));
    await once(socket, 'connect');
    loading.resolve(echo);
    let said = Buffer.alloc(0);
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      said = Buffer.concat([said, chunk]);
      if (said.includes('early')) break;
    }
    expect(said.includes('hello')).toBe(true);
  });

  it('closes while a program waits for what would serve it, and lets a program go that does not wait', async () => {
    const loading = deferred<Service>();
    const box = await sandbox(loading.promise, { dir: root });
    const gone = connect(box.server.path);
    await once(gone, 'connect');
    gone.destroy();
    const waiting = connect(box.server.path);
    await once(waiting, 'connect');
    const ended = once(waiting.resume(), 'close');
    await box.server.close();
    await ended;
    loading.resolve(echo);
    expect(box.troubles).toEqual([]);
  });

  it('turns a program away when what would serve it cannot be loaded, and says so', async () => {
    const loading = deferred<Service>();
    loading.reject(new LanpostError('unsupported', 'it cannot be loaded'));
    const box = await sandbox(loading.promise, { dir: root });
    await expect(box.attach()).rejects.toMatchObject({ code: 'disconnected' });
    expect(box.troubles).toEqual([{ kind: 'control.server', message: 'it cannot be loaded', code: 'unsupported' }]);
  });

  it('moves to a runtime folder of mode 0700 when its path would be cut short, and is found there', async () => {
    const dir = long(root);
    await mkdir(dir, { recursive: true });
    const box = await sandbox(echo, { dir });
    expect(Buffer.byteLength(dir)).toBeGreaterThan(150);
    expect(Buffer.byteLength(box.server.path)).toBeLessThanOrEqual(100);
    expect((await stat(dirname(box.server.path))).mode & 0o777).toBe(0o700);
    expect(await readFile(join(dir, 'control.path'), 'utf8')).toBe(`${box.server.path}\n`);
    const { rpc } = await box.attach();
    await expect(rpc.call('echo', ['far'])).resolves.toBe('far');
  });

  it.runIf(process.getuid?.() === 0)('is not looked for in a folder that has become another user\'s, who would hear passwords', async () => {
    const dir = long(root);
    await mkdir(dir, { recursive: true });
    const theirs = await mkdtemp(join(tmpdir(), 'theirs-'));
    await writeFile(join(dir, 'control.path'), `${join(theirs, 'x.sock')}\n`);
    let heard = 0;
    const server = createServer(() => { heard += 1; });
    server.listen(join(theirs, 'x.sock'));
    await once(server, 'listening');
    for (const [mode, uid] of [[0o700, 65_534], [0o777, 0]] as const) {
      await chmod(theirs, mode);
      await chown(theirs, uid, uid);
      await expect(attachBox({ dir })).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('start the box again') });
    }
    expect(heard).toBe(0);
    server.close();
    await rm(theirs, { recursive: true });
  });

  it('of a directory that was copied does not lead to the original', async () => {
    const [dir, copy] = [join(long(root), 'original'), join(long(root), 'copy')];
    await mkdir(dir, { recursive: true });
    const box = await sandbox(echo, { dir });
    await cp(dir, copy, { recursive: true });
    await expect(attachBox({ dir: copy })).rejects.toMatchObject({ code: 'not-found' });
    const other = await sandbox(echo, { dir: copy });
    expect(other.server.path).not.toBe(box.server.path);
    const { rpc } = await other.attach();
    await expect(rpc.call('echo', ['copy'])).resolves.toBe('copy');
  });

  it('that is not there is told with what to do', async () => {
    const message = `no box is running in ${root}: start one with \`lanpost start --dir ${root}\``;
    await expect(attachBox({ dir: root })).rejects.toMatchObject({ code: 'not-found', message });
    await expect(attachBox({ dir: join(root, 'nowhere') })).rejects.toMatchObject({ code: 'not-found' });
    await writeFile(join(root, 'control.sock'), '');
    await expect(attachBox({ dir: root })).rejects.toMatchObject({ code: 'not-found', message });
    await expect(attachBox({ dir: '' })).rejects.toThrow(TypeError);
  });

  it.each([
    ['of another version', 'unsupported', createCodec().encode({ type: 'hello', protocol: PROTOCOL + 1, version: '9.9.9', name: 'x', dirId: '' })],
    ['that speaks something else', 'unsupported', createCodec().encode({ type: 'good day' })],
  ])('%s is not spoken to', async (_, code, greeting) => {
    const server = createServer((socket) => { socket.on('error', () => undefined).write(frame(greeting, 1000)); });
    server.listen(join(root, 'control.sock'));
    await once(server, 'listening');
    await expect(attachBox({ dir: root })).rejects.toMatchObject({ code });
    server.close();
  });

  it('that says nothing is given up after a while, or at the caller’s word', async () => {
    const server = createServer((socket) => { socket.on('error', () => undefined); });
    server.listen(join(root, 'control.sock'));
    await once(server, 'listening');
    await expect(attachService({ dir: root, limits: { greeting: 20 } })).rejects.toMatchObject({ code: 'timeout' });
    const stop = new AbortController();
    const attaching = attachBox({ dir: root, signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(attaching).rejects.toThrow('enough');
    server.close();
  });

  it('cuts off whoever sends what is no request, and serves the others on', async () => {
    const box = await sandbox(echo, { dir: root });
    const { rpc } = await box.attach();
    const junk = [Buffer.from('GET / HTTP/1.1\r\n\r\n'), frame(Buffer.from([0x9f]), 100), frame(createCodec().encode({ type: 'shout', id: 1 }), 100),
      frame(createCodec().encode({ type: 'call', id: -1, method: 'echo', args: [] }), 100), frame(createCodec().encode({ type: 's'.repeat(100_000), id: 1 }), 200_000)];
    await Promise.all(junk.map(async (bytes) => {
      const socket = connect(box.server.path);
      socket.resume().write(bytes);
      await once(socket, 'close');
    }));
    expect(box.troubles.map((trouble) => trouble.kind)).toEqual(Array.from(junk, () => 'control.protocol'));
    for (const { message } of box.troubles) expect(message.length).toBeLessThan(200);
    await expect(rpc.call('echo', ['still here'])).resolves.toBe('still here');
  });

  it('turns programs away over its limit', async () => {
    const box = await sandbox(echo, { dir: root, limits: { connections: 1 } });
    await box.attach();
    await expect(box.attach()).rejects.toMatchObject({ code: 'disconnected' });
    expect(box.troubles).toMatchObject([{ kind: 'control.connections' }]);
  });
});
