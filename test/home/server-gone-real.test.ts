// A box whose home is not there costs no more than one without a home: what its process used of the processor, by the kernel's account.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as lasts } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createHomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';

/** ms; of the first minute without a home, when it is tried most often. */
const WINDOW = 10_000;
const SHORT_WINDOW = 1_000;
/** Of one core. */
const [QUIET, ABOVE] = [0.03, 0.02];
const WAITING = 200;

const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Seconds that all threads of the process have had. */
function cpuOf({ child: { pid } }: BoxProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

async function shareOf(box: BoxProcess, window = WINDOW): Promise<number> {
  const [began, before] = [performance.now(), cpuOf(box)];
  await lasts(window);
  return (cpuOf(box) - before) / ((performance.now() - began) / 1000);
}

describe.skipIf(!needs('prosody'))('a box whose home is gone', () => {
  it('is as idle as without a home', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-gone-'));
    try {
      await using server = await createHomeServer('prosody');
      await server.start();
      await using box = await startBox({ dir: join(dir, 'box'), args: ['--interface', 'lo'] });
      await box.cli('publish', 'plant/boiler', '0');
      // It has only just begun.
      await eventually(async () => await shareOf(box, SHORT_WINDOW) < QUIET);
      const without = await shareOf(box);
      const { jid, password } = server.account('edge1');
      writeFileSync(join(dir, 'password'), `${password}\n`);
      await box.cli('home', 'add', jid, '--password-file', join(dir, 'password'), '--host', server.host, '--port', String(server.port), '--ca', server.ca, '--topics', '#');
      const state = (wanted: string) => async (): Promise<void> => {
        await using watching = box.run('home', 'watch');
        await watching.line((line) => (line['home'] as { state?: string }).state === wanted);
      };
      await state('online')();
      await server.kill();
      await state('waiting')();
      const publishing = box.run('publish', 'plant/boiler', '-');
      publishing.child.stdin.end(Array.from({ length: WAITING }, (_, n) => `${n}\n`).join(''));
      expect(await publishing.ended).toBe(0);
      const gone = await shareOf(box);
      console.info(`of one core: ${(without * 100).toFixed(2)} % without a home, ${(gone * 100).toFixed(2)} % with one that is gone`);
      expect(gone).toBeLessThan(QUIET);
      expect(gone - without).toBeLessThan(ABOVE);
      expect((await box.cli('home', 'list'))[0]).toMatchObject({ state: expect.stringMatching(/^(?:waiting|connecting)$/) as string, left: WAITING });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});
