// What a program that is attached asks of the box with files; what becomes of them is tested where they are sent.
import { chdir, cwd } from 'node:process';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listSource } from '../../src/control/service.ts';
import { attachBox, createBox, type Box } from '../../src/index.ts';
import { outcome } from '../link/files/file-events.ts';
import { newDir, sandbox } from './sandbox.ts';

describe('files, attached', () => {
  it('a path means what it means to whoever asks, and content travels along', async () => {
    const asked: unknown[] = [];
    await using served = await sandbox({
      call: async () => undefined,
      open: (method, args) => {
        asked.push([method, ...args]);
        return listSource(async () => []);
      },
    });
    const box = await attachBox({ dir: served.dir });
    const before = cwd();
    const here = await realpath(await mkdtemp(join(tmpdir(), 'lanpost-cwd-')));
    try {
      chdir(here);
      for await (const _ of box.files.send('b@h2', 'report.pdf', { description: 'x' })) expect(_).toBeUndefined();
      for await (const _ of box.files.send('b@h2', { name: 'n', data: Uint8Array.of(1, 2) })) expect(_).toBeUndefined();
    } finally {
      chdir(before);
      await rm(here, { recursive: true });
      await box.close();
    }
    expect(asked).toEqual([
      ['files.send', 'b@h2', join(here, 'report.pdf'), { description: 'x' }],
      ['files.send', 'b@h2', { name: 'n', data: Buffer.of(1, 2) }, {}],
    ]);
  });
});

describe.each(['in this process', 'attached'])('files of a box without a link, %s', (where) => {
  it('are none, and every question has its answer', async () => {
    const dir = await newDir();
    const owner = await createBox({ dir, link: false, name: 'test' });
    const box: Box = where === 'attached' ? await attachBox({ dir }) : owner;
    try {
      expect(await box.files.list()).toEqual([]);
      await expect(outcome(box.files.accept('00000000'))).rejects.toMatchObject({ name: 'LanpostError', code: 'not-found' });
      await expect(box.files.decline('00000000')).rejects.toMatchObject({ name: 'LanpostError', code: 'not-found' });
      await expect(outcome(box.files.send('b@h2', '/dev/null'))).rejects.toMatchObject({ name: 'LanpostError', code: 'unreachable' });
      await expect((async () => outcome(box.files.send('b@h2', { name: 5 } as never)))()).rejects.toThrow(TypeError);
      const large = { name: 'x', data: new Uint8Array(17 << 20) };
      await expect((async () => outcome(box.files.send('b@h2', large)))()).rejects.toMatchObject({ name: 'LanpostError', code: where === 'attached' ? 'too-large' : 'unreachable' });
      const stopper = new AbortController();
      const watching = box.files.watch({ signal: stopper.signal }).next();
      const waiting = box.files.offers({ signal: stopper.signal }).next();
      stopper.abort(new Error('enough'));
      await expect(watching).rejects.toThrow('enough');
      await expect(waiting).rejects.toThrow('enough');
    } finally {
      await box.close();
      await owner.close();
      await rm(dir, { recursive: true });
    }
  });
});
