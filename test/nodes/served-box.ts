import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import { boxService } from '../../src/control/box-service.ts';
import { serveService } from '../../src/control/serve-control.ts';
import type { Source } from '../../src/control/service.ts';
import { createBox, type Box } from '../../src/index.ts';
import type { useFlows } from './flow-kit.ts';

/** What happens on the way to a stream of that method, or to its being in place. */
export interface OnTheWay {
  readonly before?: (method: string, box: Box) => Promise<void>;
  /** Before it is asked for the next one. */
  readonly next?: (method: string) => Promise<void>;
}

/** A box that runs already, in the directory `running`, with something between it and whoever attaches. */
export function useServedBox({ flows, dir, load }: ReturnType<typeof useFlows>): (way: OnTheWay) => Promise<Box> {
  const opened: { close(): Promise<void> }[] = [];
  afterEach(async () => {
    await flows.unload();
    for (const one of opened.splice(0)) await one.close();
  });
  return async ({ before = async () => undefined, next = async () => undefined }) => {
    await load([{ id: 'f', type: 'tab', label: 'test' }]);
    await flows.unload();
    const running = join(dir(), 'running');
    await mkdir(running);
    const box = await createBox({ dir: join(dir(), 'box'), name: 'me', link: false, control: false });
    const real = boxService(box);
    const late = (method: string, args: readonly unknown[]): Source => {
      const opening = before(method, box).then(() => real.open(method, args));
      opening.catch(() => undefined); // told by `ready`
      return { ready: opening.then(({ ready }) => ready), next: async () => next(method).then(async () => (await opening).next()), close: async () => (await opening).close() };
    };
    opened.push(await serveService(async () => ({ call: (method, args) => real.call(method, args), open: late }), { name: () => 'me', version: '0' }, { dir: running, clock: createSystemClock(), trouble: () => undefined }), box);
    return box;
  };
}
