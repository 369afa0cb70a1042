import { once } from 'node:events';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import { createRig } from './rig.ts';

test('a neighbour that comes to let the box is asked again soon: when it was refused this very time, or just before', async () => {
  const dials: ((to: string) => Promise<Duplex>)[] = [
    // While it is being tried.
    () => {
      rig.homes.detoursChanged();
      return Promise.reject(new LanpostError('forbidden'));
    },
    () => Promise.reject(new LanpostError('forbidden')),
  ];
  const through = async (_to: string): Promise<Duplex> => {
    const socket = connect(rig.home.account.port, '127.0.0.1');
    await once(socket, 'connect');
    return socket;
  };
  let asked = 0;
  // Else it would be minutes until it is tried again.
  await using rig = await createRig({ random: () => 300, detours: () => [{ via: 'desk@pc', dial: (to) => (dials[asked++] ?? through)(to) }] });
  await rig.add({ port: 1 });
  await rig.until(async () => asked === 2 && (await rig.status())?.state === 'waiting');
  expect((await rig.status())?.nextAttempt).toBeGreaterThan(Date.now() + 60_000);
  rig.homes.detoursChanged();
  rig.homes.detoursChanged();
  await rig.state('online');
  expect((await rig.status())?.via).toBe('desk@pc');
});
