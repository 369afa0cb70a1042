import { describe, expect, it } from 'vitest';
import { runChaos } from '../chaos/chaos.ts';
import { NAMES } from '../chaos/faults.ts';
import { needs } from '../support/needs.ts';

describe.skipIf(!needs('root', 'ejabberd'))('every fault once, with a home on ejabberd', () => {
  it('everything accepted and not counted as lost is at home once, and once, in order, at the box that it comes down to', async () => {
    const report = await runChaos({ kind: 'ejabberd', rounds: NAMES.length, seed: 1 });
    expect(new Set(report.rounds.map(({ fault }) => fault))).toEqual(new Set(NAMES));
    const least = report.accepted - report.gaps;
    for (const road of ['upstream', 'down'] as const) {
      const there = report[road] + report.deleted[road];
      expect(there).toBeGreaterThanOrEqual(least);
      expect(there).toBeLessThanOrEqual(least + report.unanswered);
    }
    expect(report.packs).toBeGreaterThan(0);
    expect(report.gaps).toBeGreaterThan(0);
    expect(report.lost.some((count) => count >= 100)).toBe(true);
    expect(report.refused['disk-full']).toBeGreaterThan(0);
    // Four minutes are what it may take.
  }, 240_000);
});
