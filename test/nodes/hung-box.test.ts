import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import { boxService } from '../../src/control/box-service.ts';
import { serveService, type ControlServer } from '../../src/control/serve-control.ts';
import type { Service } from '../../src/control/service.ts';
import { createBox, type Box } from '../../src/index.ts';
import { saidBy, useFlows } from './flow-kit.ts';

const { flows, dir, load } = useFlows();
const opened: (Box | ControlServer)[] = [];
let hangs = false;
afterEach(async () => {
  hangs = false;
  await flows.unload();
  for (const one of opened.splice(0)) await one.close();
});

/** A box whose process is stopped while `hangs`: what it is asked it takes, and answers nothing. */
async function stoppable(): Promise<void> {
  await load([{ id: 'f', type: 'tab', label: 'test' }]);
  const running = join(dir(), 'running');
  await mkdir(running);
  const box = await createBox({ dir: join(dir(), 'box'), link: false, control: false });
  await flows.unload();
  const real = boxService(box);
  const never = new Promise<never>(() => undefined);
  const stopped = async <T>(work: () => Promise<T>): Promise<T> => {
    if (hangs) return never;
    const value = await work();
    return hangs ? never : value;
  };
  const service: Service = {
    call: (method, args) => stopped(() => real.call(method, args)),
    open(method, args) {
      const source = real.open(method, args);
      return { ...source, next: () => stopped(() => source.next()), close: () => stopped(() => source.close()) };
    },
  };
  opened.push(await serveService(async () => service, { name: () => 'me', version: '0' }, { dir: running, clock: createSystemClock(), trouble: () => undefined }), box);
}

const one = (id: string, type: string, fields: object = {}): object => ({ id, type, box: 'box', z: 'f', wires: [[], []], ...fields });
const FLOW = [
  { id: 'f', type: 'tab', label: 'test' }, { id: 'box', type: 'lanpost box', mode: 'attach', dir: 'running' },
  one('sub', 'lanpost subscribe', { configVersion: 2, filter: 'a', from: 'start', durable: true, reader: '', changes: false }),
  one('pub', 'lanpost publish', { configVersion: 3, topic: 'a' }), one('request', 'lanpost request', { kind: 'command', command: 'c', to: '' }),
  one('in', 'lanpost message in', { from: '', reader: '' }), one('gap', 'lanpost gap', { filter: '', reader: '', from: 'new' }),
  one('peers', 'lanpost peers'), one('home', 'lanpost home', { home: '' }), one('command', 'lanpost command in', { command: 'c' }),
];

describe('at a box that hangs', () => {
  it('nodes are closed all the same, those that just begin and those that work', async () => {
    await stoppable();
    await load(FLOW);
    await saidBy(flows, 'sub', /^received 0/);
    hangs = true;
    for (const id of ['pub', 'request', 'peers']) flows.getNode(id).receive({ payload: 1 });
    const [box, ...users] = FLOW.slice(1).map((node) => flows.getNode((node as { id: string }).id));
    // Without a bound this would never be. A deployment of nodes alone leaves the box as it is.
    await expect(Promise.all(users.map((node) => node.close(true)))).resolves.toBeDefined();
    await expect(box?.close(false)).resolves.toBeUndefined();
  });
});
