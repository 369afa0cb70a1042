import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type BoxProcess, startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { Sight } from './link-flow.ts';

const SECOND = 1_000;

async function withBoxes(work: (lan: Lan, start: (host: number) => Promise<BoxProcess>, over: AbortSignal) => Promise<void>): Promise<void> {
  const lan = await createLan(3);
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-sleep-'));
  const over = new AbortController();
  const started: BoxProcess[] = [];
  try {
    await work(lan, async (host) => {
      const process = await startBox({ dir: join(dir, String(host)), name: 'box', lan, host });
      started.push(process);
      return process;
    }, over.signal);
  } finally {
    over.abort();
    await Promise.all(started.map((process) => process.kill()));
    await lan.down();
    rmSync(dir, { recursive: true, force: true });
  }
}

describe.skipIf(!needs('root')).concurrent('a box on a real link', () => {
  it('that slept for 20 s, and heard nothing meanwhile, sees within 10 s who came and what was said, and is seen', () => withBoxes(async (lan, start, over) => {
    const [sleeper, other] = await Promise.all([start(1), start(2)]);
    await using asleep = await sleeper.attach();
    await using awake = await other.attach();
    const [seesOther, isSeen] = [new Sight(asleep, 'box@h2', over), new Sight(awake, 'box@h1', over)];
    await Promise.all([seesOther, isSeen].map((sight) => sight.becomes(true, 20 * SECOND)));
    process.kill(sleeper.child.pid ?? 0, 'SIGSTOP');
    // What comes is not kept for it, as by a machine that sleeps.
    await lan.silentCut(1);
    await pause(5 * SECOND);
    await awake.setStatus('away', 'said to one that sleeps');
    await start(3);
    await pause(15 * SECOND);
    await lan.restore(1);
    const newcomer = new Sight(asleep, 'box@h3', over);
    process.kill(sleeper.child.pid ?? 0, 'SIGCONT');
    const after = await Promise.all([
      seesOther.until(() => seesOther.present && seesOther.text === 'said to one that sleeps', 10 * SECOND), newcomer.becomes(true, 10 * SECOND), isSeen.becomes(true, 10 * SECOND),
    ]);
    console.info(`awake: what was said is known after ${after[0]} ms, the newcomer after ${after[1]} ms, it is seen after ${after[2]} ms`);
    expect(after.every((ms) => ms <= 10 * SECOND)).toBe(true);
  }), 90 * SECOND);

  it('that somebody watches and that has no stream is noticed within 30 s when it dies without a sound', () => withBoxes(async (lan, start, over) => {
    const [watcher, dying] = await Promise.all([start(1), start(2)]);
    await using api = await watcher.attach();
    const sight = new Sight(api, 'box@h2', over);
    await sight.becomes(true, 20 * SECOND);
    const peer = (await api.peers.list()).find(({ name }) => name === 'box@h2');
    expect(peer?.connected).toBe(false);
    await lan.silentCut(2);
    await dying.kill();
    const noticed = await sight.becomes(false, 60 * SECOND);
    console.info(`a silent death without a stream was noticed after ${noticed} ms`);
    expect(noticed).toBeLessThanOrEqual(30 * SECOND);
  }), 120 * SECOND);
});
