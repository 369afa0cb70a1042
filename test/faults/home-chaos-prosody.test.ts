import { describe, expect, it } from 'vitest';
import { FAULTS, runChaos } from '../chaos/chaos.ts';
import { needs } from '../support/needs.ts';

const ROUNDS = Object.keys(FAULTS).length;

describe.skipIf(!needs('root', 'prosody'))('every fault once, with a home on Prosody', () => {
  it('everything accepted is at home once, and once at the box that it comes down to', async () => {
    const report = await runChaos({ kind: 'prosody', rounds: ROUNDS, seed: 1 });
    expect(new Set(report.rounds.map(({ fault }) => fault)).size).toBe(ROUNDS);
    expect(report.upstream).toBeGreaterThanOrEqual(report.accepted);
    expect(report.packs).toBeGreaterThan(0);
  }, 600_000);
});
