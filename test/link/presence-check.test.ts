import { afterEach, describe, expect, test } from 'vitest';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { PresenceCheck, type Pinged, type PresenceCheckParts } from '../../src/link/presence-check.ts';
import { createMdns, type Browsing, type Mdns } from '../../src/mdns/mdns.ts';
import { settled, SimulatedLan } from '../support/simulated-network.ts';
import { seeded } from '../support/seeded.ts';
import { Crowd } from './crowd.ts';

const SECOND = 1_000;
/** A silent death of a peer that matters is noticed within this time; of any other within the second. */
const SOON = 30 * SECOND;
const EXPIRED = 121 * SECOND;

async function advance(clock: TestClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 250) {
    clock.advance(Math.min(250, left));
    await settled();
  }
}

interface Scene {
  readonly clock: TestClock;
  readonly lan: SimulatedLan;
  readonly crowd: Crowd;
  readonly present: Set<string>;
  readonly checks: PresenceCheck[];
  /** Asked for, by whichever box. */
  readonly asked: { readonly name: string; readonly at: number }[];
}

const open: Mdns[] = [];
afterEach(() => Promise.all(open.splice(0).map((mdns) => mdns.close())));

/** `boxes` that look at a link with a crowd of peers, as many of them watching as `watching` says. */
async function scene({ peers, watching = 0, boxes = 1, streams = () => [] }: {
  peers: number; watching?: number; boxes?: number; streams?: (clock: TestClock) => Iterable<readonly [string, Pinged]>;
}): Promise<Scene> {
  const clock = createTestClock();
  const lan = new SimulatedLan(clock);
  const crowd = new Crowd(peers);
  const present = new Set<string>();
  const asked: Scene['asked'] = [];
  const checks: PresenceCheck[] = [];
  for (let n = 0; n < boxes; n += 1) {
    const mdns = createMdns({ network: lan.host(`box${n}`, 'lan', [4]).network(), clock, host: `box${n}`, random: seeded(n + 1), trouble: () => undefined });
    open.push(mdns);
    // eslint-disable-next-line no-await-in-loop -- one after another, so that they do not tick at once
    await settled();
    clock.advance(37);
    const browsing: Browsing = mdns.browse('_presence._tcp', ({ type, service }) => {
      if (n > 0) return;
      if (type === 'down') present.delete(service.instance);
      else present.add(service.instance);
    });
    checks.push(new PresenceCheck({
      clock, peers: () => present, watched: () => n < watching, streams: () => (n === 0 ? streams(clock) : []),
      heard: (name) => browsing.heard(name),
      reconfirm: (name) => {
        asked.push({ name, at: clock.mono() });
        browsing.reconfirm(name);
      },
    }));
  }
  await crowd.join(lan);
  await advance(clock, 5 * SECOND);
  expect(present.size).toBe(peers);
  return { clock, lan, crowd, present, checks, asked };
}

/** Milliseconds until the peer is seen to be gone. */
async function death({ clock, crowd, present }: Scene, name: string): Promise<number> {
  const begin = clock.mono();
  crowd.dies(name);
  while (present.has(name) && clock.mono() - begin < 200 * SECOND) await advance(clock, 250);
  return clock.mono() - begin;
}

/** Packets in a minute at rest. */
async function perMinute({ clock, lan }: Scene): Promise<number> {
  await advance(clock, 120 * SECOND);
  const before = lan.packets.length;
  await advance(clock, 240 * SECOND);
  return Math.round((lan.packets.length - before) / 4);
}

function busiest(asked: Scene['asked'], ms: number): number {
  return Math.max(0, ...asked.map(({ at }) => asked.filter((other) => other.at >= at && other.at < at + ms).length));
}

describe('the last sign of life', () => {
  test('is kept of who had a stream, also when it is gone', async () => {
    let alive = true;
    let heardAt = 0;
    const stream: Pinged = { get heardAt() { return heardAt; }, held: false, managed: true, probe: () => Promise.resolve(true) };
    const { checks: [check], clock } = await scene({ peers: 2, streams: () => (alive ? [['p0@c0', stream]] : []) });
    await advance(clock, 5 * SECOND);
    heardAt = clock.mono();
    await advance(clock, 2 * SECOND);
    alive = false;
    await advance(clock, 100 * SECOND);
    expect(check?.lastSign('p0@c0')).toBe(heardAt);
    expect(check?.lastSign('p1@c1')).toBeUndefined();
  });
});

describe('a silent death is noticed', () => {
  test('within 30 s while somebody watches, whichever of 64 peers it is', async () => {
    const here = await scene({ peers: 64, watching: 1 });
    const took = [];
    for (const n of [0, 31, 63]) {
      took.push(await death(here, `p${n}@c${n}`));
      await advance(here.clock, 7 * SECOND);
    }
    expect(Math.max(...took)).toBeLessThanOrEqual(SOON);
    expect(here.present.size).toBe(61);
  });

  test('within 30 s of a peer that a message was exchanged with, and only while that is not long ago', async () => {
    const here = await scene({ peers: 20 });
    here.checks[0]?.talked('p3@c3');
    await advance(here.clock, 60 * SECOND);
    expect(new Set(here.asked.map(({ name }) => name))).toEqual(new Set(['p3@c3']));
    expect(await death(here, 'p3@c3')).toBeLessThanOrEqual(SOON);
    here.checks[0]?.talked('p4@c4');
    await advance(here.clock, 310 * SECOND);
    const before = here.asked.length;
    await advance(here.clock, 120 * SECOND);
    expect(here.asked.length).toBe(before);
  });

  test('by the end of its records at the latest, also when nobody asks', async () => {
    const here = await scene({ peers: 10 });
    await advance(here.clock, 100 * SECOND);
    const took = await death(here, 'p5@c5');
    expect(took).toBeGreaterThan(SOON);
    expect(took).toBeLessThanOrEqual(EXPIRED);
    expect(here.asked).toEqual([]);
  });

  test('of a thousand watched peers by the end of its records, and of one with a conversation within 30 s', async () => {
    const here = await scene({ peers: 1000, watching: 1 });
    here.checks[0]?.talked('p999@c999');
    expect(await death(here, 'p999@c999')).toBeLessThanOrEqual(SOON);
    expect(await death(here, 'p500@c500')).toBeLessThanOrEqual(EXPIRED);
  });
});

describe('what the checks cost', () => {
  test('32 in 10 s are the most, however many peers there are', async () => {
    const here = await scene({ peers: 250, watching: 1 });
    await advance(here.clock, 300 * SECOND);
    expect(here.asked.length).toBeGreaterThan(100);
    expect(busiest(here.asked, 10 * SECOND)).toBeLessThanOrEqual(32);
    // In turn: nobody is asked again before all the others were, or were heard.
    const times = new Map<string, number[]>();
    for (const { name, at } of here.asked) times.set(name, [...times.get(name) ?? [], at]);
    expect(Math.max(...[...times.values()].map((all) => all.length)) - Math.min(...here.crowd.names.map((name) => times.get(name)?.length ?? 0))).toBeLessThanOrEqual(2);
  });

  test('packets in a minute at rest, watched and not', async () => {
    const figures: Record<number, [unwatched: number, watched: number]> = {};
    for (const peers of [10, 64, 200, 1000]) figures[peers] = [await perMinute(await scene({ peers })), await perMinute(await scene({ peers, watching: 1 }))];
    console.info(`packets per minute on the link, with one box that looks, unwatched and watched: ${JSON.stringify(figures)}`);
    for (const [unwatched, watched] of Object.values(figures)) expect(watched - unwatched).toBeLessThanOrEqual(2 * 192);
    // What is known anyhow is not asked for.
    expect((figures[1000]?.[1] ?? 0) / (figures[1000]?.[0] ?? 1)).toBeLessThan(1.1);
  });

  test('twenty boxes that watch ask hardly more than one: each hears what another was told', async () => {
    const one = await scene({ peers: 30, watching: 1 });
    await advance(one.clock, 240 * SECOND);
    const many = await scene({ peers: 30, watching: 20, boxes: 20 });
    await advance(many.clock, 240 * SECOND);
    console.info(`checks in 4 minutes: ${one.asked.length} by one box, ${many.asked.length} by twenty`);
    expect(many.asked.length).toBeLessThan(one.asked.length * 2);
  });
});

describe('a peer with a stream', () => {
  const stream = (clock: TestClock, answers: () => boolean, more: Partial<Pinged> = {}): Pinged & { pings: number[] } => {
    const pings: number[] = [];
    let heardAt = 0;
    return {
      get heardAt() { return heardAt; }, held: false, managed: true, pings,
      probe(ms) {
        pings.push(clock.mono());
        if (answers()) heardAt = clock.mono();
        return answers() ? Promise.resolve(true) : new Promise((resolve) => { clock.after(ms, () => resolve(false)); });
      },
      ...more,
    };
  };

  test('is asked over it, and when it does not answer its records are doubted: gone within 30 s', async () => {
    let answers = true;
    let pinged: ReturnType<typeof stream> | undefined;
    const here = await scene({ peers: 3, streams: (clock) => [['p1@c1', pinged ??= stream(clock, () => answers)]] });
    await advance(here.clock, 120 * SECOND);
    expect(here.asked).toEqual([]);
    expect(pinged?.pings.length).toBeGreaterThanOrEqual(5);
    answers = false;
    expect(await death(here, 'p1@c1')).toBeLessThanOrEqual(SOON);
  });

  test('is not asked while it says something, nor while nothing is read from it', async () => {
    const talking = createTestClock();
    const seen: string[] = [];
    const chatty: Pinged = { get heardAt() { return talking.mono() - 1; }, held: false, managed: true, probe: () => { seen.push('chatty'); return Promise.resolve(true); } };
    const held: Pinged = { heardAt: 0, held: true, managed: true, probe: () => { seen.push('held'); return Promise.resolve(false); } };
    const parts: PresenceCheckParts = { clock: talking, peers: () => [], watched: () => true, streams: () => [['chatty', chatty], ['held', held]], heard: () => 0, reconfirm: (name) => seen.push(name) };
    const check = new PresenceCheck(parts);
    await advance(talking, 120 * SECOND);
    check.stop();
    expect(seen).toEqual([]);
  });

  test('128 of them are asked in turn, each within a minute, and no more than 32 in 10 s', async () => {
    const clock = createTestClock();
    const streams = new Map(Array.from({ length: 128 }, (_, n) => [`s${n}`, stream(clock, () => true)]));
    const check = new PresenceCheck({ clock, peers: () => [], watched: () => false, streams: () => streams, heard: () => undefined, reconfirm: () => undefined });
    await advance(clock, 300 * SECOND);
    check.stop();
    const all = [...streams.values()].flatMap(({ pings }) => pings.map((at) => ({ name: '', at })));
    expect(busiest(all, 10 * SECOND)).toBeLessThanOrEqual(32);
    for (const { pings } of streams.values()) expect(pings.length).toBeGreaterThanOrEqual(5);
  });
});
