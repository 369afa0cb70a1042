import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createLan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

const SECOND = 1_000;
/** The end of the records that were heard last (RFC 6762 §10), and two seconds for who looks once in a while. */
const EXPIRED = 122 * SECOND;
/** So soon it would be noticed if somebody watched. */
const WATCHED = 30 * SECOND;

it.skipIf(!needs('root'))('a peer that nobody watches, and that dies without a sound, is gone within 120 s', async () => {
  const lan = await createLan(2);
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-unwatched-'));
  const started: BoxProcess[] = [];
  try {
    const start = async (host: number): Promise<BoxProcess> => {
      const process = await startBox({ dir: join(dir, String(host)), name: 'box', lan, host });
      started.push(process);
      return process;
    };
    const [here, dying] = await Promise.all([start(1), start(2)]);
    await using box = await here.attach();
    // To list is not to watch: the box asks nobody for it.
    const there = async (): Promise<boolean> => (await box.peers.list()).some(({ name }) => name === 'box@h2');
    await eventually(there);
    await lan.silentCut(2);
    await dying.kill();
    const died = performance.now();
    await eventually(async () => !await there(), { within: 180 * SECOND, every: 250 });
    const noticed = performance.now() - died;
    console.info(`a silent death that nobody watched for was noticed after ${Math.round(noticed)} ms`);
    expect(noticed).toBeGreaterThan(WATCHED);
    expect(noticed).toBeLessThanOrEqual(EXPIRED);
  } finally {
    await Promise.all(started.map((process) => process.kill()));
    await lan.down();
    rmSync(dir, { recursive: true, force: true });
  }
}, 240 * SECOND);
