import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BoxProcess, type Running, startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

/** Two boxes on a real link, paired by two people at their command lines. */
describe.runIf(needs('root'))('lanpost pair', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-pair-'));
  let lan: Lan;
  let boxes: readonly BoxProcess[] = [];

  beforeAll(async () => {
    lan = await createLan(2);
    boxes = await Promise.all([1, 2].map((host) => startBox({ dir: join(dir, `${host}`), name: 'box', lan, host })));
    for (const [i, box] of boxes.entries()) {
      const watching = box.run('peers', '--watch');
      await watching.line(({ type, peer }) => type === 'up' && (peer as { name?: string }).name === `box@h${2 - i}`);
      await watching.stop();
    }
  });

  afterAll(async () => {
    await Promise.all(boxes.map((box) => box.stop()));
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  /** Both people type their command, and look at the words. */
  async function words(): Promise<Running[]> {
    const pairs = boxes.map((box, i) => box.run('pair', `box@h${2 - i}`));
    const shown = await Promise.all(pairs.map((pair) => pair.line(({ type }) => type === 'words')));
    expect(shown[0]?.['words']).toEqual(shown[1]?.['words']);
    return pairs;
  }

  test('shows the same words on both, and pairs when both people say yes', async () => {
    const pairs = await words();
    for (const { child } of pairs) child.stdin.write('yes\n');
    await Promise.all(pairs.map((pair) => pair.line(({ type }) => type === 'paired')));
    expect(await Promise.all(pairs.map(({ ended }) => ended))).toEqual([0, 0]);
    for (const box of boxes) expect(await box.cli('trust', 'list')).toMatchObject([{ level: 'paired', grants: [] }]);
  });

  test('ends with exit code 1 on both when one says no, and leaves what was', async () => {
    const pairs = await words();
    pairs[0]?.child.stdin.write('perhaps\nno\n');
    expect(await Promise.all(pairs.map(({ ended }) => ended))).toEqual([1, 1]);
    for (const box of boxes) expect(await box.cli('trust', 'list')).toMatchObject([{ level: 'paired' }]);
  });
});
