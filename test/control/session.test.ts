import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { attachService } from '../../src/control/attachment.ts';
import { createCodec } from '../../src/control/codec.ts';
import { deferred } from '../../src/control/deferred.ts';
import { frame } from '../../src/control/frame.ts';
import type { Arrival } from '../../src/control/rpc-client.ts';
import type { Service, Source } from '../../src/control/service.ts';
import { directoryId } from '../../src/control/socket-path.ts';
import { PROTOCOL } from '../../src/control/wire.ts';
import { LanpostError } from '../../src/errors.ts';
import { quiet } from '../support/quiet.ts';
import { newDir, sandbox, type Sandbox } from './sandbox.ts';

/** Numbers from 0 on, that remember what became of them. */
function counter() {
  const log = { handed: 0, acked: [] as number[], nacked: [] as [number, number][], closed: 0 };
  const closed = deferred<void>();
  const source: Source = {
    ready: Promise.resolve(),
    async next() {
      const value = log.handed++;
      return {
        done: false,
        value: { value, ack: () => log.acked.push(value), nack: (delay: number) => log.nacked.push([value, delay]) },
      };
    },
    async close() {
      log.closed++;
      closed.resolve();
    },
  };
  return { log, source, closed: closed.promise };
}

/** A program that asks so often, and reads nothing of what it is told. */
async function askUnread({ server }: Sandbox, type: 'call' | 'open', times: number): Promise<Socket> {
  const socket = connect(server.path);
  await once(socket, 'connect');
  socket.pause();
  const codec = createCodec();
  for (let id = 1; id <= times; id++) socket.write(frame(codec.encode({ type, id, method: 'm'.repeat(500), args: [] }), 1_000_000));
  return socket;
}

const service = (parts: Partial<{ call: Service['call']; open: Service['open'] }>): Service => ({
  call: parts.call ?? (async (_, args) => args[0]),
  open: parts.open ?? (() => { throw new LanpostError('unsupported'); }),
});
const whole = (arrival: Arrival): Arrival => arrival;

describe('a control connection', () => {
  let box: Sandbox;
  afterEach(() => box[Symbol.asyncDispose]());

  it('answers calls, each with its own answer', async () => {
    box = await sandbox(service({}));
    const { rpc } = await box.attach();
    const values = [1, 'zwei', { three: [3, null, true] }, [Number.MAX_SAFE_INTEGER, 0.1], 'ünï😀', null, undefined];
    const answers = await Promise.all(values.map((value) => rpc.call('echo', [value])));
    expect(answers).toEqual([...values.slice(0, -1), null]);
    const bytes = await rpc.call('echo', [Uint8Array.from([0, 255, 10, 13])]);
    expect([...bytes as Uint8Array]).toEqual([0, 255, 10, 13]);
  });

  it('is not read while too much waits for the disk; what it asked meanwhile is answered afterwards', async () => {
    const room = deferred<void>();
    let crowded = true;
    let called = 0;
    const call = async (method: string): Promise<unknown> => {
      if (method === 'publish') called++;
      return null;
    };
    box = await sandbox(service({ call }), { roomy: () => (crowded && called > 0 ? room.promise : undefined) });
    const [writer, other] = [await box.attach(), await box.attach()];
    const answers = Array.from({ length: 60 }, () => writer.rpc.call('publish', ['x'.repeat(60_000)]));
    await answers[0];
    // Time enough for the rest, if it were read; another connection is paused only when it asks as well.
    await other.rpc.call('look', []);
    await quiet();
    expect(called).toBeLessThan(10);
    crowded = false;
    room.resolve();
    await Promise.all(answers);
    expect(called).toBe(60);
  });

  it('has bounds on its streams, and tells the one over it', async () => {
    const { source } = counter();
    box = await sandbox(service({ open: () => source }), { limits: { streams: 2 } });
    const { rpc } = await box.attach();
    const streams = [1, 2, 3].map(() => rpc.open('count', [], { decode: whole, ahead: 0 }));
    await streams[0]?.ready;
    await expect(streams[2]?.next()).rejects.toMatchObject({ code: 'busy' });
    await streams[0]?.close();
    await rpc.open('count', [], { decode: whole, ahead: 0 }).ready;
  });

  it('is answered what it asked before the box goes', async () => {
    const slow = deferred<void>();
    const asked = deferred<void>();
    box = await sandbox(service({ async call() { asked.resolve(); await slow.promise; return 'done'; } }));
    const { rpc } = await box.attach();
    const call = rpc.call('slow', []);
    await asked.promise;
    const closing = box.server.close();
    slow.resolve();
    await expect(call).resolves.toBe('done');
    await closing;
  });

  it('is not read while it does not read its answers', async () => {
    let calls = 0;
    box = await sandbox(service({ async call() { calls++; return 'x'.repeat(100_000); } }), { limits: { backlogBytes: 200_000 } });
    const socket = await askUnread(box, 'call', 5000);
    const { rpc } = await box.attach();
    let before = -1;
    // Once the system's buffers are full nothing moves any more, whatever else is asked.
    for (let still = 0; still < 20; still = calls - before > 1 ? 0 : still + 1) {
      before = calls;
      await rpc.call('other', []);
    }
    expect(calls).toBeLessThan(2000);
    socket.destroy();
  });

  it('nor while it does not read that its streams are refused', async () => {
    let opened = 0;
    box = await sandbox(service({ open() { opened++; throw new LanpostError('unsupported', 'x'.repeat(1000)); } }), { limits: { backlogBytes: 200_000 } });
    const socket = await askUnread(box, 'open', 20_000);
    const { rpc } = await box.attach();
    let before = -1;
    for (let still = 0; still < 20; still = opened > before ? 0 : still + 1) {
      before = opened;
      await rpc.call('other', []);
    }
    expect(opened).toBeLessThan(2000);
    socket.resume();
    await expect.poll(() => opened, { timeout: 20_000 }).toBe(20_000);
    socket.destroy();
  });

  it('brings errors over with their code and message', async () => {
    box = await sandbox(service({
      async call(method) {
        throw method === 'type' ? new TypeError('topic must be a string') : new LanpostError('invalid-topic', 'no # in the middle');
      },
    }));
    const { rpc } = await box.attach();
    await expect(rpc.call('own', [])).rejects.toMatchObject({ name: 'LanpostError', code: 'invalid-topic', message: 'no # in the middle' });
    await expect(rpc.call('type', [])).rejects.toThrow(new TypeError('topic must be a string'));
  });

  it('is told what is wrong in bounded words, however much of what was asked they quote', async () => {
    box = await sandbox(service({
      async call(_, args) { throw new LanpostError('not-found', `no reader is called ${String(args[0])}`); },
      open: (method) => { throw new LanpostError('unsupported', `The box knows no "${method}".`); },
    }), { limits: { frameBytes: 100_000 } });
    const { rpc } = await box.attach();
    await expect(rpc.call('drop', ['n'.repeat(99_940)])).rejects.toMatchObject({ code: 'not-found', message: /^no reader is called n{8000,9000}…$/ });
    await expect(rpc.open('m'.repeat(99_940), [], { decode: whole, ahead: 0 }).next()).rejects.toMatchObject({ code: 'unsupported' });
    await expect(rpc.call('drop', ['x'])).rejects.toThrow('no reader is called x');
  });

  it('calls in the order in which they were made, many at once', async () => {
    const order: unknown[] = [];
    box = await sandbox(service({ async call(_, args) { order.push(args[0]); } }));
    const { rpc } = await box.attach();
    await Promise.all(Array.from({ length: 5000 }, (_, index) => rpc.call('note', [index])));
    expect(order).toEqual(Array.from({ length: 5000 }, (_, index) => index));
  });

  it('holds no more calls at once than its limit', async () => {
    let now = 0;
    let most = 0;
    box = await sandbox(service({
      async call() {
        most = Math.max(most, ++now);
        await new Promise((resolve) => { setImmediate(resolve); });
        now--;
      },
    }), { limits: { calls: 8 } });
    const { rpc } = await box.attach();
    // Each call is larger than what one read of the socket brings, so the pause can bite.
    const padding = 'x'.repeat(70_000);
    await Promise.all(Array.from({ length: 100 }, () => rpc.call('wait', [padding])));
    expect(most).toBeLessThanOrEqual(9);
  });

  it('stops waiting for a call that is aborted, with the reason', async () => {
    const hang = deferred<void>();
    box = await sandbox(service({ call: () => hang.promise }));
    const { rpc } = await box.attach();
    const stop = new AbortController();
    const call = rpc.call('hang', [], stop.signal);
    stop.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await expect(rpc.call('hang', [], stop.signal)).rejects.toThrow('enough');
    hang.resolve();
  });

  it('refuses a call that is larger than a frame, and goes on', async () => {
    box = await sandbox(service({}), { limits: { frameBytes: 1000 } });
    const { rpc } = await box.attach();
    await expect(rpc.call('echo', ['x'.repeat(2000)])).rejects.toMatchObject({ code: 'too-large' });
    await expect(rpc.call('echo', ['small'])).resolves.toBe('small');
  });

  it('says so when an answer is larger than a frame, and goes on', async () => {
    box = await sandbox(service({ call: async (_, args) => 'x'.repeat(args[0] as number) }), { limits: { frameBytes: 1000 } });
    const { rpc } = await box.attach();
    await expect(rpc.call('long', [2000])).rejects.toMatchObject({ code: 'too-large' });
    await expect(rpc.call('long', [2])).resolves.toBe('xx');
  });

  it('hands out of a stream what is pulled, and nothing before', async () => {
    const { log, source } = counter();
    box = await sandbox(service({ open: () => source }));
    const { rpc } = await box.attach();
    const stream = rpc.open('count', [], { decode: whole, ahead: 0 });
    await stream.ready;
    await rpc.call('echo', []);
    expect(log.handed).toBe(0);
    for (let index = 0; index < 3; index++) {
      expect((await stream.next()).value?.value).toBe(index);
    }
    expect(log.handed).toBe(3);
    await stream.close();
    expect(log.closed).toBe(1);
  });

  it('carries what is confirmed and what is given back, each once', async () => {
    const { log, source } = counter();
    box = await sandbox(service({ open: () => source }));
    const { rpc } = await box.attach();
    const stream = rpc.open('count', [], { decode: whole, ahead: 0 });
    const next = async (): Promise<Arrival> => {
      const step = await stream.next();
      if (step.done) throw new Error('no more');
      return step.value;
    };
    const [a, b, c] = [await next(), await next(), await next()];
    b.ack();
    b.ack();
    a.nack(250);
    a.ack();
    await rpc.call('echo', []);
    expect(log).toMatchObject({ acked: [1], nacked: [[0, 250]] });
    await stream.close();
    c.ack();
    await rpc.call('echo', []);
    expect(log.acked).toEqual([1]);
  });

  it('gives a stream up when its client vanishes', async () => {
    const { log, source, closed } = counter();
    box = await sandbox(service({ open: () => source }));
    const first = await box.attach();
    const stream = first.rpc.open('count', [], { decode: whole, ahead: 4 });
    await stream.next();
    first.cut();
    await closed;
    expect(log).toMatchObject({ acked: [], closed: 1 });
    await expect(stream.next().then(() => stream.next()).then(() => stream.next())).rejects.toMatchObject({ code: 'disconnected' });
  });

  it('is left in time when the box hangs: streams, and then the connection', async () => {
    const never = new Promise<never>(() => undefined);
    box = await sandbox(service({ call: () => never, open: () => ({ ready: Promise.resolve(), next: () => never, close: () => never }) }), { limits: { parting: 20, farewell: 20 } });
    const client = await box.attach();
    const left = client.rpc.open('hang', [], { decode: whole, ahead: 0 });
    await left.ready;
    await left.close();
    const stop = new AbortController();
    const waiting = client.rpc.open('hang', [], { decode: whole, ahead: 0, signal: stop.signal });
    await waiting.ready;
    const step = waiting.next();
    stop.abort(new Error('enough'));
    await expect(step).rejects.toThrow('enough');
    await waiting.ended;
    await client.rpc.open('hang', [], { decode: whole, ahead: 0 }).ready;
    const call = client.rpc.call('hang', []);
    await Promise.all([client.close(), expect(call).rejects.toMatchObject({ code: 'closed' })]);
  });

  it('ends also with a box that does not even hang up', async () => {
    box = await sandbox(service({}));
    const dir = await newDir();
    const server = createServer((socket) => {
      socket.pause();
      void directoryId(dir).then((dirId) => socket.write(frame(createCodec().encode({ type: 'hello', protocol: PROTOCOL, version: '0', name: 'mute', dirId }), 1000)));
    }).listen(join(dir, 'control.sock'));
    await once(server, 'listening');
    const client = await attachService({ dir, limits: { parting: 20, farewell: 20 } });
    await expect(client.close()).resolves.toBeUndefined();
    server.close();
    await rm(dir, { recursive: true });
  });

  it('rejects everything that is waited for when the box goes', async () => {
    const never = new Promise<never>(() => undefined);
    const wake = deferred<IteratorResult<never, undefined>>();
    const source: Source = { ready: never, next: () => wake.promise, async close() { wake.resolve({ done: true, value: undefined }); } };
    box = await sandbox(service({ call: () => never, open: () => source }));
    const { rpc } = await box.attach();
    const call = rpc.call('hang', []);
    const stream = rpc.open('hang', [], { decode: whole, ahead: 0 });
    const step = stream.next();
    await Promise.all([
      expect(call).rejects.toMatchObject({ code: 'disconnected' }),
      expect(step).rejects.toMatchObject({ code: 'disconnected' }),
      expect(stream.ready).rejects.toMatchObject({ code: 'disconnected' }),
      box.server.close(),
    ]);
    await expect(rpc.call('later', [])).rejects.toMatchObject({ code: 'disconnected' });
    await expect(rpc.open('later', [], { decode: whole, ahead: 0 }).next()).rejects.toMatchObject({ code: 'disconnected' });
  });

  it('ends its streams when it is closed here, and refuses what comes after', async () => {
    const { log, source } = counter();
    box = await sandbox(service({ open: () => source }));
    const client = await box.attach();
    const stream = client.rpc.open('count', [], { decode: whole, ahead: 4 });
    (await stream.next()).value?.ack();
    await client.close();
    await client.close();
    expect(log).toMatchObject({ acked: [0], closed: 1 });
    await expect(client.rpc.call('echo', [])).rejects.toMatchObject({ code: 'closed' });
  });

  it('tells a failure of a stream to its reader, once it is open or when it cannot be', async () => {
    const source: Source = {
      ready: Promise.reject(new LanpostError('in-use', 'another reads it')),
      next: () => Promise.reject(new LanpostError('in-use', 'another reads it')),
      async close() { await Promise.resolve(); },
    };
    source.ready.catch(() => undefined);
    box = await sandbox(service({ open: (method) => { if (method === 'busy') return source; throw new TypeError('filter must be a string'); } }));
    const { rpc } = await box.attach();
    const busy = rpc.open('busy', [], { decode: whole, ahead: 0 });
    await expect(busy.ready).rejects.toMatchObject({ code: 'in-use' });
    await expect(busy.next()).rejects.toMatchObject({ code: 'in-use' });
    await busy.close();
    const wrong = rpc.open('wrong', [], { decode: whole, ahead: 0 });
    await expect(wrong.next()).rejects.toThrow(new TypeError('filter must be a string'));
  });

  it('of many streams to which one item comes does not write all at once for who reads nothing', async () => {
    const STREAMS = 200;
    const [asked, go] = [deferred<void>(), deferred<void>()];
    let [waiting, written] = [0, 0];
    const open = (): Source => ({
      ready: Promise.resolve(),
      async next() {
        if (++waiting === STREAMS) asked.resolve();
        await go.promise;
        return { done: false, value: { get value() { written += 1; return new Uint8Array(50_000); } } };
      },
      close: () => Promise.resolve(),
    });
    box = await sandbox(service({ open }), { limits: { backlogBytes: 100_000, streams: STREAMS } });
    const socket = connect(box.server.path);
    await once(socket, 'connect');
    socket.pause();
    const codec = createCodec();
    for (let id = 1; id <= STREAMS; id++) {
      socket.write(frame(codec.encode({ type: 'open', id, method: 'm', args: [] }), 1_000_000));
      socket.write(frame(codec.encode({ type: 'pull', id, count: 1 }), 1_000_000));
    }
    await asked.promise;
    go.resolve();
    await quiet();
    expect(written).toBeLessThan(50); // what the system takes, and two
    socket.resume();
    await expect.poll(() => written).toBe(STREAMS);
    socket.destroy();
  });

  it('does not hand a slow reader more than it pulled, however large', async () => {
    let handed = 0;
    const source: Source = {
      ready: Promise.resolve(),
      async next() {
        handed++;
        return { done: false, value: { value: Buffer.alloc(100_000) } };
      },
      async close() { await Promise.resolve(); },
    };
    box = await sandbox(service({ open: () => source }), { limits: { backlogBytes: 300_000 } });
    const { rpc } = await box.attach();
    const stream = rpc.open('large', [], { decode: ({ value }) => (value as Uint8Array).length, ahead: 64 });
    for (let index = 0; index < 200; index++) {
      expect((await stream.next()).value).toBe(100_000);
    }
    expect(handed).toBeLessThanOrEqual(200 + 65);
    await stream.close();
  });
});
