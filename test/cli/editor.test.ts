import { spawn } from 'node:child_process';
import { access, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Password } from '../../src/front/password.ts';
import { needs } from '../support/needs.ts';
import { lanpost } from './lanpost.ts';

let dir: string;
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'lanpost-passwd-')); });
afterEach(async () => { await rm(dir, { recursive: true, force: true }); });

describe('lanpost editor passwd', () => {
  it('takes the first line of what is piped in, says nothing of it, and takes it back', async () => {
    const set = await lanpost(['editor', 'passwd', '--dir', dir], 'correct horse\nbattery\n');
    expect(set).toEqual({ code: 0, out: `set; \`lanpost start --dir ${dir} --editor-host 0.0.0.0\` opens the editor to those who have it\n`, err: '' });
    expect(await new Password(dir).check('correct horse')).toBeDefined();
    expect((await stat(join(dir, 'web', 'password'))).mode & 0o777).toBe(0o600);
    expect(await lanpost(['editor', 'passwd', '--remove', '--dir', dir])).toMatchObject({ code: 0, err: '' });
    expect(new Password(dir).version).toBeUndefined();
  });

  it.each(['', '\n', 'secret\n', `${'x'.repeat(2000)}\n`])('refuses %j in one line, and changes nothing', async (given) => {
    const { code, out, err } = await lanpost(['editor', 'passwd', '--dir', dir], given);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^lanpost: the password is too (short|long): .+\n$/);
    await expect(access(join(dir, 'web', 'password'))).rejects.toThrow('ENOENT');
  });

  it.skipIf(!needs('pty'))('asks twice on a terminal, and shows nothing of it', async () => {
    const typed = async (...lines: string[]): Promise<string> => {
      const main = fileURLToPath(new URL('../../dist/src/cli/main.js', import.meta.url));
      const child = spawn('script', ['-qec', `'${process.execPath}' '${main}' editor passwd --dir '${dir}'`, '/dev/null']);
      let shown = '';
      for await (const chunk of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
        shown += chunk;
        if (/(?:Password|Again): $/.test(chunk)) child.stdin.write(`${lines.shift() ?? ''}\r`);
      }
      return shown;
    };
    expect(await typed('correct horse', 'correct hors')).toMatch(/the two were not alike: nothing was changed/);
    expect(new Password(dir).version).toBeUndefined();
    const shown = await typed('correct horse', 'correct horse');
    expect(shown).toMatch(/Password: \s+Again: \s+set;/);
    expect(shown).not.toContain('correct');
    expect(await new Password(dir).check('correct horse')).toBeDefined();
  });
});
