// What is said of this box itself: its name, clock, homes and network.
import { describe, expect, it } from 'vitest';
import type { HomeStatus } from '../../../src/api.ts';
import { checkHomes, checkRoadTo } from '../../../src/link/doctor/homes.ts';
import { checkOwnClock } from '../../../src/link/doctor/own-clock.ts';
import { checkOwnName } from '../../../src/link/doctor/own-name.ts';
import { checkSubnet } from '../../../src/link/doctor/subnet.ts';
import { createTestClock } from '../../../src/clock.ts';
import type { LinkState } from '../../../src/mdns/state.ts';

describe('its name', () => {
  const holder = { name: 'A@twin', host: 'twin.local', addresses: [{ address: '10.0.0.2', family: 4, interface: 'eth0' }] } as const;
  const check = (name: string, given: object = {}) => checkOwnName({ name, wanted: 'A@twin', holder: undefined, fingerprint: undefined, ...given });

  it('is well when it is the one it should have', () => {
    expect(check('A@twin')).toMatchObject([{ level: 'ok' }]);
  });

  it('is a problem when another has it, and the advice says what to rename', () => {
    expect(check('A@twin-1', { holder, fingerprint: 'ab'.repeat(32) })).toMatchObject([{
      level: 'problem', cause: 'renamed', evidence: ['A@twin is at 10.0.0.2 (twin.local)', 'its key is abababababababab'], advice: expect.stringContaining('"twin"'),
    }]);
    expect(check('A-1@twin', { holder })).toMatchObject([{ level: 'problem', advice: expect.stringContaining('--name') }]);
  });

  it('is a note when the other is not there now', () => {
    expect(check('A@twin-1')).toMatchObject([{ level: 'note', cause: 'renamed' }]);
  });
});

it('its clock may never have been set', () => {
  expect(checkOwnClock(createTestClock())).toMatchObject([{ level: 'ok' }]);
  expect(checkOwnClock(createTestClock(Date.UTC(1970, 0, 1)))).toMatchObject([{ level: 'problem', cause: 'clock-unset', evidence: [expect.stringContaining('1970-01-01T00:00:00.000Z')] }]);
});

describe('its homes', () => {
  const home = (given: Partial<HomeStatus> = {}): HomeStatus => ({ jid: 'box@example.org', service: '', topics: [], state: 'online', since: 0, queued: 2, queuedBytes: 600, oldestAge: 0, rate: { items: 0, bytes: 0 }, ...given });
  const away = home({ state: 'waiting', reason: 'no route to host' });

  it('that are away are noted', () => {
    expect(checkHomes([home(), away])).toMatchObject([{ level: 'ok' }, { level: 'note', cause: 'home-offline', evidence: ['it is waiting', 'no route to host', '2 items wait'] }]);
    expect(checkHomes([home({ state: 'refused' })])).toMatchObject([{ advice: expect.stringContaining('--password-file') }]);
  });

  it('are the road to an account', () => {
    expect(checkRoadTo('a@b.c', [away, home()], false)).toMatchObject([{ level: 'ok', message: expect.stringContaining('box@example.org') }]);
    expect(checkRoadTo('a@b.c', [away], false)).toMatchObject([{ level: 'problem', cause: 'home-offline', peer: 'a@b.c' }]);
    expect(checkRoadTo('a@b.c', [], false)).toMatchObject([{ level: 'problem', cause: 'no-home' }]);
    expect(checkRoadTo('a@b.c', [], true)).toMatchObject([{ cause: 'no-home', advice: expect.stringContaining('link:a@b.c') }]);
  });
});

describe('its network', () => {
  const eth0 = { name: 'eth0', addresses: [{ address: '10.0.0.1', family: 4, prefix: 24 }] } as const;
  const sounded = (onLink: boolean) => ({ interface: eth0, family: 4, echo: true, known: [], alive: [], hosts: [{ address: '10.0.9.2', onLink, multicast: 1, answersAll: false, answersUs: false }] } as const);
  const state = (from?: string, packets = 3): LinkState => ({
    interface: 'eth0', family: 4, state: 'joined', heard: { packets: 0, responses: 0, senders: 0 }, sent: { packets: 0, echoed: 0, failed: 0 },
    strayed: { packets: from ? packets : 0, ...(from ? { from } : {}) }, unreadable: { packets: 0 }, conflicts: 0,
  });

  it('is another than that of somebody who is heard, now or before', () => {
    expect(checkSubnet({ interfaces: [eth0], sounded: [sounded(true)], states: [state()] })).toMatchObject([{ level: 'ok' }]);
    expect(checkSubnet({ interfaces: [eth0], sounded: [sounded(false)], states: [state('10.0.9.2')] })).toMatchObject([{
      level: 'problem', cause: 'other-subnet', evidence: ['heard: 10.0.9.2', 'this machine: 10.0.0.1/24 on eth0'], interface: 'eth0',
    }]);
    expect(checkSubnet({ interfaces: [eth0], sounded: [], states: [state('10.0.9.2', 2)] })).toMatchObject([{ level: 'ok' }]);
    expect(checkSubnet({ interfaces: [eth0], sounded: [], states: [state('10.0.9.2')] })).toMatchObject([{ cause: 'other-subnet', evidence: expect.arrayContaining([expect.stringContaining('start it again')]) }]);
    expect(checkSubnet({ interfaces: [], sounded: [], states: [] })).toEqual([]);
  });
});
