import { describe, expect, it } from 'vitest';
import type { HomeEvent, HomeStatus } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import { HomeEvents, PROGRESS } from '../../src/home/home-events.ts';
import { WINDOW } from '../../src/home/window.ts';
import { openEdge } from './recorded/edge.ts';
import { scripted } from './recorded/upstream.ts';
import { createRig } from './rig.ts';

const HOME = 'box@home.test';
const numbers = (count: number): string[] => Array.from({ length: count }, (_, n) => String(n));

describe('what becomes of homes', () => {
  it('is told from how they are on: states, as they change', async () => {
    await using rig = await createRig();
    await rig.add();
    await rig.state('online');
    const events = rig.homes.watch();
    const next = async (): Promise<HomeEvent> => (await events.next()).value as HomeEvent;
    expect(await next()).toMatchObject({ type: 'state', home: { jid: HOME, state: 'online' } });
    await rig.homes.pause(HOME);
    expect(await next()).toMatchObject({ type: 'state', home: { state: 'paused' } });
    await rig.homes.resume(HOME);
    const states: string[] = [];
    while (states.at(-1) !== 'online') states.push((await next()).home.state);
    expect(new Set(states).size).toBe(states.length);
    await events.return?.();
  });

  it('ends for who does not want to hear more of it, and when the box closes', async () => {
    await using rig = await createRig();
    const ending = new AbortController();
    const aborted = rig.homes.watch(ending.signal).next();
    const open = rig.homes.watch();
    const waiting = open.next();
    ending.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await rig.homes.close();
    expect((await waiting).done).toBe(true);
  });
});

describe('a backlog that goes up', () => {
  it('is told of again when how far it is could not be seen once', async () => {
    const clock = createTestClock();
    const events = new HomeEvents(clock);
    const status: HomeStatus = { jid: HOME, service: 's', topics: [], state: 'online', since: 0, queued: 150, queuedBytes: 1, oldestAge: 0, rate: { items: 0, bytes: 0 }, draining: { since: 1, done: 50, left: 150, rate: 1 } };
    let fails = 1;
    const home = { jid: HOME, drained: undefined, status: () => (fails-- > 0 ? Promise.reject(new LanpostError('corrupt')) : Promise.resolve(status)) };
    const told = events.watch(() => Promise.resolve([]));
    events.moved(home);
    clock.advance(PROGRESS);
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    events.moved(home);
    clock.advance(PROGRESS);
    expect((await told.next()).value).toMatchObject({ type: 'draining', home: { draining: { left: 150 } } });
    events.close();
  });

  it('is told of once a second at most: what has gone, what is left, how fast and how long; then that all is up', async () => {
    await using upstream = await scripted();
    await using edge = await openEdge({ upstream });
    await edge.add({ topics: ['t'] });
    edge.road.cut();
    const COUNT = 4_000;
    await edge.publish('t', numbers(COUNT));
    const told: { readonly at: number; readonly event: HomeEvent }[] = [];
    const events = edge.homes.watch();
    edge.road.restore();
    for await (const event of events) {
      told.push({ at: edge.clock.mono(), event });
      if (event.type === 'drained') break;
    }
    const draining = told.filter(({ event }) => event.type === 'draining');
    expect(draining.length).toBeGreaterThan(0);
    for (const [i, { at, event: { home: { draining: now } } }] of draining.entries()) {
      expect(now).toMatchObject({ rate: expect.any(Number) as number, estimate: expect.any(Number) as number, since: draining[0]?.event.home.draining?.since });
      // As many as are answered while it is counted.
      expect(Math.abs((now?.done ?? 0) + (now?.left ?? 0) - COUNT)).toBeLessThanOrEqual(WINDOW.most);
      expect(now?.done).toBeGreaterThan(draining[i - 1]?.event.home.draining?.done ?? 0);
      expect(at - (draining[i - 1]?.at ?? 0)).toBeGreaterThanOrEqual(1_000);
    }
    expect(told.at(-1)?.event.drained).toMatchObject({ done: COUNT, left: 0, since: draining[0]?.event.home.draining?.since });
    expect((await edge.status()).draining).toBeUndefined();
  });

  it('is not spoken of while what comes goes up as it comes', async () => {
    await using rig = await createRig();
    await rig.add();
    await rig.state('online');
    for (let n = 0; n < 150; n++) {
      await rig.publish('t', n);
      await rig.acknowledged('t', n + 1);
    }
    expect((await rig.status())?.draining).toBeUndefined();
  });

  it('counts anew after the home was away', async () => {
    await using rig = await createRig();
    await rig.add();
    await rig.publish('t', ...numbers(300));
    await rig.drained();
    await rig.homes.pause(HOME);
    await rig.publish('t', ...numbers(200));
    rig.home.set.answer = (iq, what) => (what === 'publish' && rig.count('t') >= 350 ? 'silence' : undefined);
    await rig.homes.resume(HOME);
    await rig.until(async () => (await rig.status())?.draining?.done === 50);
    expect((await rig.status())?.draining).toMatchObject({ done: 50, left: 150 });
  });
});
