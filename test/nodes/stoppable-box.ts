import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createSystemClock } from '../../src/clock.ts';
import { boxService } from '../../src/control/box-service.ts';
import { serveService } from '../../src/control/serve-control.ts';
import type { Service } from '../../src/control/service.ts';
import { createBox, type Box } from '../../src/index.ts';

export interface StoppableBox {
  readonly box: Box;
  /** From now on it takes what it is asked and answers nothing, as a process that is stopped. */
  hang(): void;
  /** It does, and answers, all that it was asked meanwhile. */
  resume(): void;
  close(): Promise<void>;
}

/** A box that runs, for those who attach to it in the directory `running` of `dir`. */
export async function stoppableBox(dir: string): Promise<StoppableBox> {
  const running = join(dir, 'running');
  await mkdir(running);
  const box = await createBox({ dir: join(dir, 'box'), name: 'me', link: false, control: false });
  const real = boxService(box);
  let resumed: Promise<void> | undefined;
  let resume = (): void => undefined;
  const stopped = async <T>(work: () => Promise<T>): Promise<T> => {
    await resumed;
    const value = await work();
    await resumed;
    return value;
  };
  const service: Service = {
    call: (method, args) => stopped(() => real.call(method, args)),
    open(method, args) {
      const source = real.open(method, args);
      return { ...source, ready: stopped(() => source.ready), next: () => stopped(() => source.next()), close: () => stopped(() => source.close()) };
    },
  };
  const server = await serveService(async () => service, { name: () => 'me', version: '0' }, { dir: running, clock: createSystemClock(), trouble: () => undefined });
  return {
    box,
    hang() {
      resumed = new Promise((resolve) => {
        resume = () => {
          resumed = undefined;
          resolve();
        };
      });
    },
    resume: () => resume(),
    async close() {
      resume();
      await server.close();
      await box.close();
    },
  };
}
