import { describe, expect, test } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { LanpostError } from '../../src/errors.ts';
import { Doors } from '../../src/link/doors.ts';

function fixture(port?: number) {
  const open = new Map<string, number>();
  const taken = new Set<string>();
  const unusable = new Set<string>();
  const troubles: Trouble[] = [];
  const state = { addresses: ['10.0.0.1', 'fe80::1'], free: 40_000 };
  const doors = new Doors({
    port, accept: () => undefined, trouble: t => void troubles.push(t),
    interfaces: () => [{ name: 'eth0', addresses: state.addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4, prefix: 24 })) }],
    tcp: {
      connect: () => Promise.reject(new Error('not here')),
      listen: (address, wanted) => {
        const use = wanted === 0 ? state.free++ : wanted;
        if (unusable.has(address)) return Promise.reject(new LanpostError('unreachable', 'not yet'));
        if (taken.has(`${address} ${use}`)) return Promise.reject(new LanpostError('in-use', 'taken'));
        open.set(address, use);
        return Promise.resolve({ address, port: use, close: () => { open.delete(address); return Promise.resolve(); } });
      },
    },
  });
  return { doors, open, taken, unusable, troubles, state };
}

describe('doors', () => {
  test('are on every address of the link, one port for all, IPv6 ones with their interface', async () => {
    const { doors, open } = fixture();
    await doors.adapt();
    expect([...open]).toEqual([['10.0.0.1', 5298], ['fe80::1%eth0', 5298]]);
    expect(doors.port).toBe(5298);
  });

  test('the usual port taken on one address: a free one on all', async () => {
    const { doors, open, taken } = fixture();
    taken.add('fe80::1%eth0 5298').add('fe80::1%eth0 40000');
    await doors.adapt();
    expect(new Set(open.values())).toEqual(new Set([40_001]));
  });

  test('a port that was asked for and is taken is an error', async () => {
    const { doors, taken } = fixture(6000);
    taken.add('10.0.0.1 6000');
    await expect(doors.adapt()).rejects.toMatchObject({ code: 'in-use' });
  });

  test('addresses that come and go are followed, with the same port', async () => {
    const { doors, open, state } = fixture(0);
    await doors.adapt();
    const { port } = doors;
    state.addresses = ['10.0.0.9'];
    await doors.adapt();
    expect([...open]).toEqual([['10.0.0.9', port]]);
    state.addresses = [];
    await doors.adapt();
    expect(open.size).toBe(0);
  });

  test('an address that cannot be used yet holds up no other, and is tried again', async () => {
    const { doors, open, unusable, troubles } = fixture();
    unusable.add('fe80::1%eth0');
    await doors.adapt();
    await doors.adapt();
    expect([...open.keys()]).toEqual(['10.0.0.1']);
    expect(troubles).toHaveLength(1);
    unusable.clear();
    await doors.adapt();
    expect([...open]).toEqual([['10.0.0.1', 5298], ['fe80::1%eth0', 5298]]);
  });

  test('are closed at the end, also those that were being opened', async () => {
    const { doors, open } = fixture();
    const opening = doors.adapt();
    await doors.close();
    await opening;
    expect(open.size).toBe(0);
  });
});
