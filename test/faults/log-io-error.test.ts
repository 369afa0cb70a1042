// One write or sync of the database's files fails: a disk that is full for a moment, or that has a bad block.
import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { shimmed } from '../support/disk-shim.ts';
import { auditLog } from '../support/log-audit.ts';
import { checkRound, kept, withLog } from '../support/log-check.ts';
import { LogWriter } from '../support/log-child.ts';
import { needs } from '../support/needs.ts';

const { EIO, ENOSPC } = constants.errno;
/** Acknowledged after it. */
const MORE = 10_000;
/** `LANPOST_EVERY_CALL=200` tries every one up to that. */
const every = Number(process.env['LANPOST_EVERY_CALL'] ?? 0);
const CALLS = every > 0 ? Array.from({ length: every }, (_, i) => i + 1) : [3, 7, 12, 19, 20, 50, 101, 150];

const dirs: string[] = [];
afterEach(() => { for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true }); });

describe.skipIf(!needs('gcc'))('a write that fails', () => {
  it.each(CALLS.map((nth, i) => ({ nth, errno: i % 2 === 0 ? EIO : ENOSPC, half: i % 3 === 0 })))('call $nth (errno $errno) takes nothing with it', { timeout: 60_000 }, async (fail) => {
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-eio-'));
    dirs.push(dir);
    const log = join(dir, 'log');
    const options = { dir: log, run: 1, inFlight: 100, bytes: fail.nth % 2 === 0 ? 100 : 1200, churn: true, limits: { diskFloor: 0, maxItems: 1_000_000, windowBytes: 64 << 10 } };
    const writer = new LogWriter(options, [], await shimmed({ dir: log, fail }));
    await writer.until(() => writer.failed !== undefined || writer.acked.size - (writer.ackedAtRefusal ?? 0) >= MORE);
    await writer.kill();
    expect(new Set(writer.refused)).toEqual(new Set(writer.refused.length > 0 ? ['disk-full'] : []));
    expect(writer.troubles.filter((kind) => !['log.refusing', 'log.resumed'].includes(kind))).toEqual([]);
    const { result, troubles } = await withLog(log, (opened) => kept(opened, 1));
    expect(troubles).toEqual([]);
    checkRound(result, 1, writer.acked);
    expect(await auditLog(log)).toEqual([]);
  });
});
