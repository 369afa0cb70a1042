import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type JsonLines, readJsonLines } from '../support/json-lines.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

const PROGRAM = fileURLToPath(new URL('../support/calling-box.mjs', import.meta.url));
const ROUNDS = 50;
const EACH = 3;

interface Line { readonly open?: true; readonly say?: readonly string[]; readonly close?: true; readonly heard?: string }
interface Box { readonly said: JsonLines<Line>; order(what: object): Promise<void> }

/** Two processes on a real link that have no stream and call each other in the same millisecond. */
describe.runIf(needs('root'))('two boxes that call each other at once, fifty times', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-crossing-'));
  let lan: Lan;
  let boxes: readonly Box[] = [];

  beforeAll(async () => {
    lan = await createLan(2);
    boxes = [1, 2].map((host) => {
      const child = lan.exec(host, process.execPath, [PROGRAM, JSON.stringify({ dir: join(dir, `${host}`), name: 'box', peer: `box@h${3 - host}` })]);
      const said = readJsonLines<Line>(child, `the box on h${host}`);
      return {
        said,
        order: async (what) => {
          const after = said.lines.length;
          child.stdin.write(`${JSON.stringify(what)}\n`);
          const [key = ''] = Object.keys(what);
          await said.wait((line) => key in line, { after, timeout: 20_000 });
        },
      };
    });
  });
  afterAll(async () => {
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  test('lose, double and reorder nothing', async () => {
    const all = (what: (host: number) => object): Promise<unknown> => Promise.all(boxes.map((box, i) => box.order(what(i + 1))));
    const texts = (host: number, round: number): string[] => Array.from({ length: EACH }, (_, i) => `${host}/${round}/${i}`);
    for (let round = 0; round < ROUNDS; round += 1) {
      await all(() => ({ open: true }));
      const at = Date.now() + 50;
      await all((host) => ({ say: texts(host, round), at }));
      await Promise.all(boxes.map(({ said }, i) => said.wait(({ heard }) => heard === texts(2 - i, round).at(-1))));
      await all(() => ({ close: true }));
    }
    const heard = boxes.map(({ said }) => said.lines.flatMap((line) => line.heard ?? []));
    expect(heard).toEqual([2, 1].map((host) => Array.from({ length: ROUNDS }, (_, round) => texts(host, round)).flat()));
  }, 300_000);
});
