import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readJsonLines } from '../support/json-lines.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { ROOT } from '../support/root.ts';
import { Agent } from './mdns-agent.ts';

interface Line { readonly event: string; readonly instance?: string; readonly host?: string; readonly port?: number; readonly addresses?: string[]; readonly txt?: Readonly<Record<string, string | null>> }

describe.skipIf(!needs('root', 'python3-zeroconf'))('mDNS with python-zeroconf', () => {
  let lan: Lan;
  const stops: (() => Promise<void>)[] = [];
  beforeAll(async () => { lan = await createLan(3, { names: ['kitchen', 'snake', 'cellar'] }); });
  afterEach(async () => { await Promise.all(stops.splice(0).map((stop) => stop())); });
  afterAll(() => lan.down());

  const zeroconf = (host: number, name: string): { child: ChildProcessWithoutNullStreams; wait: ReturnType<typeof readJsonLines<Line>>['wait']; stop: () => Promise<void> } => {
    const child = lan.exec(host, '/usr/bin/python3', [join(ROOT, 'test/interop/zeroconf-peer.py'), name, lan.address(host), '5555']);
    const output = readJsonLines<Line>(child, 'python-zeroconf');
    const stop = async (): Promise<void> => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = once(child, 'close');
      child.stdin.write('{"op":"close"}\n');
      await closed;
    };
    stops.push(stop);
    return { child, wait: (fits, options) => output.wait(fits, options), stop };
  };
  const agent = (host: number, options?: ConstructorParameters<typeof Agent>[2]): Agent => {
    const started = new Agent(lan, host, options);
    stops.push(() => started.close());
    return started;
  };

  it('sees a box, its change and its goodbye', async () => {
    const peer = zeroconf(2, 'ann@snake');
    await peer.wait(({ event }) => event === 'published');
    const box = agent(1, { user: 'jörg.b', txt: [['txtvers', '1'], ['status', 'avail'], ['msg', 'grüß dich']] });
    const up = await peer.wait(({ event, instance }) => event === 'up' && instance === 'jörg.b@kitchen');
    expect(up).toMatchObject({ host: 'kitchen.local.', port: 5298, txt: { status: 'avail', msg: 'grüß dich' } });
    expect(up.addresses).toContain('10.77.0.1');
    box.tell({ op: 'update', txt: [['status', 'dnd']] });
    await peer.wait(({ event, txt }) => event === 'changed' && txt?.['status'] === 'dnd');
    await box.close();
    await peer.wait(({ event, instance }) => event === 'down' && instance === 'jörg.b@kitchen');
  });

  it('is seen by a box, with its change and its goodbye; and by one that comes late', async () => {
    const box = agent(1);
    await box.wait(({ event }) => event === 'published');
    const peer = zeroconf(2, 'bob (2) & co@snake');
    expect(await box.event('up', 'bob (2) & co@snake')).toMatchObject({
      host: 'snake.local', port: 5555, txt: { txtvers: '1', status: 'avail' }, addresses: [{ address: '10.77.0.2', family: 4, interface: 'eth0' }],
    });
    const late = agent(3);
    await late.event('up', 'bob (2) & co@snake');
    peer.child.stdin.write(`${JSON.stringify({ op: 'update', txt: { status: 'away' } })}\n`);
    await Promise.all([box, late].map((one) => one.wait(({ event, txt }) => event === 'changed' && txt?.['status'] === 'away')));
    await peer.stop();
    await Promise.all([box, late].map((one) => one.event('down', 'bob (2) & co@snake')));
  });

  it('keeps a name that it holds', async () => {
    const peer = zeroconf(2, 'box@kitchen');
    await peer.wait(({ event }) => event === 'published');
    const box = agent(1);
    expect((await box.event('renamed', 'box-1@kitchen')).instance).toBe('box-1@kitchen');
    await peer.wait(({ event, instance }) => event === 'up' && instance === 'box-1@kitchen');
  });
});
