import { describe, expect, it } from 'vitest';
import type { Finding } from '../../../src/api.ts';
import { createTestClock } from '../../../src/clock.ts';
import { type Check, examine } from '../../../src/link/doctor/examination.ts';
import { ok } from '../../../src/link/doctor/finding.ts';
import { settled } from '../../support/simulated-network.ts';

const never: Check = () => new Promise<void>(() => undefined);
const says = (word: string): Check => async (emit) => emit([ok(word, `${word}.`)]);

async function all(findings: AsyncIterable<Finding>): Promise<Finding[]> {
  const found: Finding[] = [];
  for await (const finding of findings) found.push(finding);
  return found;
}

describe('an examination', () => {
  it('tells each finding as soon as it is known, and ends when all checks have', async () => {
    let go: () => void = () => undefined;
    const slow: Check = async (emit) => {
      await new Promise<void>((resolve) => { go = resolve; });
      emit([ok('slow', 'slow.')]);
    };
    const findings = examine(createTestClock(), { slow, quick: says('quick') });
    expect((await findings.next()).value).toMatchObject({ check: 'quick' });
    go();
    expect(await all(findings)).toMatchObject([{ check: 'slow' }]);
  });

  it('ends in time, and says what did not come to an end', async () => {
    const clock = createTestClock();
    const found = all(examine(clock, { never, quick: says('quick') }));
    await settled();
    clock.advance(12_000);
    expect(await found).toMatchObject([{ check: 'quick' }, { level: 'note', cause: 'not-finished', message: expect.stringContaining('never') }]);
  });

  it('a check that fails takes nothing from the others', async () => {
    const broken: Check = () => Promise.reject(new Error('broken'));
    expect(await all(examine(createTestClock(), { broken, quick: says('quick') }))).toMatchObject([{ check: 'quick' }, { cause: 'not-finished', evidence: ['broken'] }]);
  });

  it('tells the checks when it is left, and throws the reason when it is aborted', async () => {
    let ended: AbortSignal | undefined;
    const waiting: Check = async (emit, signal) => {
      ended = signal;
      emit([ok('waiting', 'waiting.')]);
      await never(emit, signal);
    };
    for await (const _ of examine(createTestClock(), { waiting })) break;
    expect(ended?.aborted).toBe(true);
    const stopper = new AbortController();
    const aborted = all(examine(createTestClock(), { waiting }, stopper.signal));
    await settled();
    stopper.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
  });
});
