// A service made for these tests, on a real socket: what the box's own service is held against later.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Trouble } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { attachService, type Attached } from '../../src/control/attachment.ts';
import type { ControlLimits } from '../../src/control/limits.ts';
import { serveService, type ControlServer } from '../../src/control/serve-control.ts';
import type { Service } from '../../src/control/service.ts';

export interface Sandbox extends AsyncDisposable {
  readonly dir: string;
  readonly server: ControlServer;
  readonly troubles: Trouble[];
  attach(): Promise<Attached>;
}

export async function newDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'lanpost-control-'));
}

export async function sandbox(service: Service | Promise<Service>, options: { dir?: string; limits?: Partial<ControlLimits>; roomy?: () => Promise<void> | undefined } = {}): Promise<Sandbox> {
  const dir = options.dir ?? await newDir();
  const { limits = {} } = options;
  const troubles: Trouble[] = [];
  const server = await serveService(async () => service, { name: () => 'box@test', version: '0.0.0' }, {
    dir, limits, clock: createSystemClock(), trouble: (trouble) => { troubles.push(trouble); }, ...(options.roomy ? { roomy: options.roomy } : {}),
  });
  const attached: Attached[] = [];
  return {
    dir, server, troubles,
    async attach() {
      const client = await attachService({ dir, limits });
      attached.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(attached.map((client) => client.close()));
      await server.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
