// The home of a box has only TLS at once, or only STARTTLS, and a neighbour looks in DNS for what it is asked for.
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import type { Detour } from '../../src/home/detour.ts';
import { DOMAIN } from './fake-home.ts';
import { createRig, type Rig } from './rig.ts';

/** Nothing leads there but by way of a neighbour. */
const resolver = { resolveSrv: async () => [{ name: '.', port: 0, priority: 0, weight: 0 }] };

describe('by way of a neighbour', () => {
  test.each([
    ['TLS at once', ['starttls', 'tls'], (rig: Rig) => ({ tls: rig.home.tlsPort })],
    ['STARTTLS', ['starttls'], (rig: Rig) => ({ starttls: rig.home.account.port })],
  ] as const)('a home that has only %s is reached', async (_, kinds, ports) => {
    const asked: string[] = [];
    const neighbour: Detour = {
      via: 'desk@pc',
      dial: async (to, _signal, kind) => {
        asked.push(`${to} ${kind}`);
        const port = ({ ...ports(rig) } as Partial<Record<string, number>>)[kind];
        if (port === undefined) throw new LanpostError('unreachable', 'DNS names no such service');
        const socket = connect(port, '127.0.0.1');
        await once(socket, 'connect');
        return socket;
      },
    };
    await using rig = await createRig({ resolver, detours: () => [neighbour] });
    await rig.add({ host: undefined, port: undefined });
    await rig.publish('t', 'x');
    await rig.acknowledged('t', 1);
    expect(await rig.status()).toMatchObject({ state: 'online', via: 'desk@pc' });
    expect(asked).toEqual(kinds.map((kind) => `xmpp:${DOMAIN} ${kind}`));
  });
});
