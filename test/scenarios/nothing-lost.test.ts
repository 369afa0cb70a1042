import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Box, type Item, LanpostError } from '../../src/index.ts';
import { type BoxProcess, startBox, type StartBoxOptions } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

const TOTAL = Number(process.env['LANPOST_ITEMS'] ?? 200_000);
const TOPICS = 4;
const IN_FLIGHT = 512;
/** `ack` is durable within a second; a kill may take back what is younger. Twice that, for a busy machine. */
const ACK_SETTLES = 2000;
/** Alone it takes a quarter of a millisecond an item; beside other tests many times that, which is no fault as long as items arrive. */
const TIME = 30_000 + 3 * TOTAL;
/** Nothing arrives for so long: it never will, whatever is killed or started meanwhile. */
const STUCK = 60_000;
/** The end of what a box has told of itself: who came and went, and what troubled it. */
const LAST_WORDS = 2000;

const topicOf = (n: number): string => `load/${n % TOPICS}`;

/** A box that the test kills and starts again in the same place. */
class Phoenix {
  process!: BoxProcess;
  api!: Box;
  kills = 0;
  /** What it is about just now. */
  doing = 'starting';
  readonly #options: StartBoxOptions;
  constructor(options: StartBoxOptions) { this.#options = { ...options, args: ['--json'] }; }

  async start(): Promise<this> {
    this.doing = 'starting';
    this.process = await startBox(this.#options);
    this.doing = 'attaching';
    this.api = await this.process.attach();
    this.doing = 'running';
    return this;
  }

  async kill(): Promise<void> {
    this.kills++;
    this.doing = 'dying';
    await this.process.kill();
    this.doing = 'closing';
    await this.api.close();
  }

  /** All there is to see from outside of why it does not go on. */
  async account(): Promise<string> {
    const { api } = this;
    const asked = { status: api.status(), peers: api.peers.list(), subscriptions: api.subscriptions.list() };
    const told = await Promise.all(Object.entries<Promise<unknown>>(asked).map(async ([what, answer]) => {
      const given = await Promise.race([answer, pause(5000, 'no answer')]).catch(String);
      return `  ${what}: ${JSON.stringify(given)}`;
    }));
    // What a peer's software can do is long, and the same for both.
    const short = (text: string): string => text.replaceAll(/,"features":\[[^\]]*\]/g, '');
    return [`${this.#options.name}, killed ${this.kills} times, is ${this.doing}`, ...told.map(short), `  last words: ${short(this.process.output).slice(-LAST_WORDS)}`].join('\n');
  }
}

async function meets(box: Phoenix, ...names: string[]): Promise<void> {
  const missing = new Set(names);
  for await (const { type, peer } of box.api.peers.watch({ signal: AbortSignal.timeout(10_000) })) {
    if (type !== 'down') missing.delete(peer.name);
    if (missing.size === 0) return;
  }
}

/** Runs `work` against the box that is there; when that is killed under it, again against the next one. */
async function persistently(phoenix: Phoenix, work: (api: Box) => Promise<boolean>, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const { api } = phoenix;
    try {
      if (await work(api)) return;
    } catch (error) {
      if (!(error instanceof LanpostError) || !['disconnected', 'closed', 'not-found', 'timeout', 'unreachable'].includes(error.code)) throw error;
    }
    if (phoenix.api === api) await pause(10); // a kill is under way, or the peer is not there yet: a program tries again a little later
  }
  over.throwIfAborted();
}

/** Publishes 0 to TOTAL - 1, each topic's in order, many at once; what is not resolved is published again under its id. */
function produce(box: Phoenix, over: AbortSignal): Promise<void> {
  const progress = { first: 0 }; // all below are accepted
  const accepted = new Set<number>();
  return persistently(box, async (api) => {
    let next = progress.first;
    const trouble: unknown[] = [];
    const pending = new Set<Promise<void>>();
    const publish = async (n: number): Promise<void> => {
      try {
        await api.publish(topicOf(n), { n }, { id: `item-${n}` });
        accepted.add(n);
        while (accepted.delete(progress.first)) progress.first++;
      } catch (error) {
        trouble.push(error);
      }
    };
    while (progress.first < TOTAL && trouble.length === 0) {
      over.throwIfAborted();
      while (next < TOTAL && pending.size < IN_FLIGHT) {
        const n = next++;
        // Publishing again what was accepted is harmless, but not in order behind a newer one of its topic: it is skipped.
        if (accepted.has(n)) continue;
        const one: Promise<void> = publish(n).finally(() => pending.delete(one));
        pending.add(one);
      }
      await Promise.race(pending);
    }
    await Promise.all(pending);
    if (trouble.length > 0) throw trouble[0];
    return true;
  }, over);
}

interface Sighting { ackedAt?: number; times: number }

/** B's program: a durable reader of A's topics by way of B, which acknowledges everything it gets. */
function consume(box: Phoenix, from: string, seen: Map<string, Sighting>, faults: string[], over: AbortSignal): Promise<void> {
  return persistently(box, async (api) => {
    const subscription = api.subscribe('load/#', { durable: 'program', at: from, from: 'start', ack: 'manual', inFlight: 1000, signal: over });
    for await (const delivery of subscription) {
      if (delivery.kind !== 'item') {
        if (delivery.kind === 'gap') faults.push(`a gap ${delivery.from} to ${delivery.to}: ${delivery.reason}`);
        delivery.ack();
        continue;
      }
      const now = performance.now();
      const sighting = seen.get(delivery.recordId);
      if (sighting) {
        if (!delivery.redelivered) faults.push(`${delivery.id} again without a mark`);
        if (sighting.ackedAt !== undefined && killedAt - sighting.ackedAt > ACK_SETTLES) faults.push(`${delivery.id} again, acknowledged ${Math.round(killedAt - sighting.ackedAt)} ms before the kill`);
        sighting.times++;
        sighting.ackedAt = now;
      } else seen.set(delivery.recordId, { times: 1, ackedAt: now });
      delivery.ack();
      if (seen.size === TOTAL) {
        await subscription.close();
        return true;
      }
    }
    return seen.size === TOTAL;
  }, over);
}

/** When B, and its reader's acknowledgements with it, was last killed. */
let killedAt = 0;

/** Everything that a durable reader set up beforehand holds back, oldest first, which must be so many. */
async function audit(api: Box, filter: string, count: number): Promise<Item[]> {
  const items: Item[] = [];
  const reader = api.subscribe(filter, { durable: 'auditor', inFlight: 1000, signal: AbortSignal.timeout(120_000) });
  for await (const delivery of reader) {
    if (delivery.kind === 'item') items.push(delivery);
    else if (delivery.kind === 'gap') throw new Error(`gap ${delivery.from} to ${delivery.to}`);
    if (items.length === count) break;
  }
  await reader.close();
  // Whoever leaves has not confirmed the last: but for that one, nothing more is there.
  const [left] = (await api.subscriptions.list()).filter(({ name }) => name === 'auditor').map(({ pending }) => pending);
  if (left !== 1) throw new Error(`of ${filter} there are ${left} left after ${count}`);
  return items;
}

describe.skipIf(!needs('root'))('nothing lost, nothing twice', () => {
  const base = mkdtempSync(join(tmpdir(), 'lanpost-lossless-'));
  let lan: Lan;
  let a: Phoenix, b: Phoenix;
  beforeAll(async () => {
    lan = await createLan(3);
    a = new Phoenix({ dir: join(base, 'a'), name: 'A', lan, host: 1 });
    b = new Phoenix({ dir: join(base, 'b'), name: 'B', lan, host: 2 });
    await Promise.all([a.start(), b.start()]);
    await a.api.trust.allow((await b.api.status()).fingerprint, 'read', '#');
  });
  afterAll(async () => {
    await Promise.all([a?.api?.close(), b?.api?.close()]);
    await lan?.down();
    rmSync(base, { recursive: true, force: true });
  });

  it(`${TOTAL} items reach B and its program over four kills`, async () => {
    const over = new AbortController();
    const aBox = (await a.api.status()).box;
    const mirror = `$at/${aBox}/load/#`;
    // Readers that wait keep every record there to be counted at the end.
    for (const [api, filter] of [[a.api, 'load/#'], [b.api, mirror]] as const) {
      const reader = api.subscribe(filter, { durable: 'auditor', from: 'start' });
      await reader.ready;
      await reader.close();
    }
    const seen = new Map<string, Sighting>();
    const faults: string[] = [];
    const begin = performance.now();
    // Whoever finds it stuck can't ask it any more: it tells by itself all that it knows.
    let [before, since] = [0, begin];
    const watched = setInterval(() => {
      const now = performance.now();
      if (seen.size > before) [before, since] = [seen.size, now];
      if (now - since < STUCK && now - begin < TIME) return;
      clearInterval(watched);
      void Promise.all([a.account(), b.account()]).then((accounts) => over.abort(new Error([
        `after ${Math.round(now - begin)} ms B's program has ${seen.size} of ${TOTAL}, none for ${Math.round(now - since)} ms; ${faults.slice(0, 5).join('; ')}`, ...accounts,
      ].join('\n'))));
    }, 1000);
    const guard = async (work: Promise<void>): Promise<void> => work.catch((error: unknown) => {
      over.abort(error);
      throw error;
    });
    const quietly = <T>(promise: Promise<T>): Promise<T> => {
      promise.catch(() => { /* whoever awaits it is told */ });
      return promise;
    };
    over.signal.addEventListener('abort', () => clearInterval(watched));
    const failed = quietly(new Promise<never>((_, reject) => over.signal.addEventListener('abort', () => reject(over.signal.reason as Error))));
    await meets(b, 'A@h1');
    const producing = quietly(guard(produce(a, over.signal)));
    const consuming = quietly(guard(consume(b, 'link:A@h1', seen, faults, over.signal)));

    /** Share of all items in the box's log: one record is one item, but for a handful. */
    const held = async (box: Phoenix): Promise<number> => (await box.api.status()).log.head / TOTAL;
    const killAt = async (box: Phoenix, share: number): Promise<number> => {
      await eventually(async () => {
        over.signal.throwIfAborted();
        return await held(box) >= share;
      }, { within: TIME, every: 20 });
      const at = await held(box);
      if (box === b) killedAt = performance.now();
      await box.kill();
      await box.start();
      return at;
    };
    const kills = quietly(Promise.all([
      (async () => {
        const at: number[] = [];
        for (const share of [0.1, 0.4, 0.7]) at.push(await killAt(b, share));
        return at;
      })(),
      killAt(a, 0.5),
    ]));
    const [[b10, b40, b70], a50] = await Promise.race([kills, failed]);
    await producing;
    const produced = performance.now();
    await consuming;
    const done = performance.now();
    clearInterval(watched);
    console.info(`${TOTAL} items: published in ${Math.round(produced - begin)} ms, all at B's program after ${Math.round(done - begin)} ms; kills of B at ${[b10, b40, b70].map((share) => share?.toFixed(3)).join(', ')}, of A at ${a50.toFixed(3)}; seen again ${[...seen.values()].filter((one) => one.times > 1).length}`);

    // Where a kill fell is part of the test.
    for (const [share, wanted] of [[b10, 0.1], [b40, 0.4], [b70, 0.7], [a50, 0.5]] as const) {
      expect(share).toBeGreaterThanOrEqual(wanted);
      expect(share).toBeLessThan(wanted + 0.1);
    }
    expect(faults).toEqual([]);
    expect(seen.size).toBe(TOTAL);

    const [published, kept] = await Promise.all([audit(a.api, 'load/#', TOTAL), audit(b.api, mirror, TOTAL)]);
    expect(new Set(published.map((item) => item.id)).size).toBe(TOTAL);
    for (let t = 0; t < TOPICS; t++) {
      const ofA = published.filter((item) => item.topic === `load/${t}`).map((item) => item.recordId);
      const ofB = kept.filter((item) => item.topic === `load/${t}`).map((item) => item.recordId);
      expect(ofB.length).toBe(TOTAL / TOPICS);
      expect(ofB.every((id, i) => id === ofA[i]), `topic ${t}: B has A's records in A's order`).toBe(true);
    }
    expect(kept.every((item) => (item.value as { n: number }).n === Number(item.id.slice(5)))).toBe(true);
  }, TIME + 60_000);

  it('of a data directory that was copied, the items of both copies arrive', async () => {
    await a.api.close();
    expect(await a.process.stop()).toBe(0);
    cpSync(join(base, 'a'), join(base, 'copy'), { recursive: true });
    const copy = await new Phoenix({ dir: join(base, 'copy'), name: 'Copy', lan, host: 3 }).start();
    await a.start();
    await meets(b, 'A@h1', 'Copy@h3');

    const ids = new Set<string>();
    const stop = new AbortController();
    // A has just been away: its goodbye may still be on its way to B.
    const follow = (at: string): Promise<void> => persistently(b, async (api) => {
      const reader = api.subscribe('both/#', { durable: `both-${at}`, at, from: 'start', signal: stop.signal });
      for await (const delivery of reader) {
        if (delivery.kind === 'item') ids.add(JSON.stringify(delivery.value));
        if (ids.size === 200) stop.abort(new Error('all there'));
      }
      return true;
    }, stop.signal).catch((error: unknown) => { if (!stop.signal.aborted) throw error; });
    const done = Promise.all([follow('link:A@h1'), follow('link:Copy@h3')]);
    done.catch(() => { /* awaited below */ });
    for (let n = 0; n < 100; n++) {
      await Promise.all([a.api.publish('both/topic', `original ${n}`), copy.api.publish('both/topic', `copy ${n}`)]);
    }
    const timer = setTimeout(() => stop.abort(new Error('too late')), 30_000);
    await done;
    clearTimeout(timer);
    expect(ids.size).toBe(200);
    await copy.api.close();
  });
});
