import { assert, property, string } from 'fast-check';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { folderName, numbered, safeFileName } from '../../../src/link/files/file-name.ts';

describe('the name of a file', () => {
  test.each([
    ['report.pdf', 'report.pdf'], ['grüße 👋.txt', 'grüße 👋.txt'], ['../../etc/passwd', 'passwd'], ['..\\..\\boot.ini', 'boot.ini'], ['/etc/shadow', 'shadow'],
    ['C:\\autoexec.bat', 'autoexec.bat'], ['.bashrc', 'bashrc'], ['...', 'file'], ['..', 'file'], ['.', 'file'], ['', 'file'], ['///', 'file'], ['a/', 'a'], ['  x  ', 'x'],
    ['a\u0000b', 'a_b'], ['a\nb\u001b[31m', 'a_b_[31m'], ['exe\u202egpj.txt', 'exe_gpj.txt'], ['CON', '_CON'], ['nul.txt', '_nul.txt'], ['com1', '_com1'], ['console', 'console'],
    ['a:b', 'a_b'], ['x.', 'x'], ['x. . ', 'x'], ['a|b?c*d"e<f>', 'a_b_c_d_e_f_'], ['\ud800', '_'], ['e\u0301', 'é'],
  ])('%j becomes %j', (given, safe) => {
    expect(safeFileName(given)).toBe(safe);
  });

  test('that is too long keeps its kind, and no half character', () => {
    const name = safeFileName(`${'ü'.repeat(300)}.tar`);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
    expect(name).toMatch(/^ü+\.tar$/);
    expect(Buffer.byteLength(safeFileName(`x.${'y'.repeat(300)}`))).toBe(200);
    expect(Buffer.byteLength(numbered(name, 1_000))).toBeLessThanOrEqual(255);
  });

  test('whatever was given is one name in the folder, and stays what it is', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'lanpost-names-'));
    try {
      const names = new Set<string>();
      assert(property(string({ unit: 'binary', maxLength: 400 }), (given) => {
        const safe = safeFileName(given);
        expect(basename(safe)).toBe(safe);
        expect(safe).toMatch(/^[^./\\\p{Cc}]/u);
        expect(Buffer.byteLength(safe)).toBeLessThanOrEqual(200);
        expect(safeFileName(safe)).toBe(safe);
        names.add(safe);
      }), { numRuns: 2_000 });
      for (const name of names) await writeFile(join(dir, name), '');
      expect(new Set(await readdir(dir))).toEqual(names);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  test('that is taken gets a number before its kind', () => {
    expect([1, 2, 10].map((n) => numbered('report.pdf', n))).toEqual(['report.pdf', 'report (2).pdf', 'report (10).pdf']);
    expect(numbered('archive', 2)).toBe('archive (2)');
  });
});

describe('the folder of a peer', () => {
  const KEY = '0a1b2c3d'.repeat(8);
  const odd = ['../up@h1', '..\\up@h1', 'up@h1', '.up@h1', ' up@h1', 'up@h1.', 'a/b', 'a_b', '.incoming', '..', '.', 'CON', 'a_b~c14cddc0', `a_b=${KEY.slice(0, 16)}`];

  test('has its name, and is never another peer\'s', () => {
    expect(folderName('alice@h1')).toBe('alice@h1');
    expect(folderName('wjt@bael (2)')).toBe('wjt@bael (2)');
    const folders = odd.map((peer) => folderName(peer));
    expect(new Set(folders).size).toBe(odd.length);
    for (const folder of folders) expect(folder).toMatch(/^[^./\\]+[^/\\]*$/);
    expect(folders).not.toContain('.incoming');
  });

  test('is its key\'s, if it has shown one: no name leads there without it', () => {
    expect(folderName('alice@h1', KEY)).toBe('alice@h1=0a1b2c3d0a1b2c3d');
    const names = [...odd, ...odd.map((peer) => folderName(peer)), ...odd.map((peer) => folderName(peer, KEY)), ...odd.map((peer) => folderName(peer, KEY).toUpperCase())];
    expect(names.map((peer) => folderName(peer)).filter((folder) => /=[0-9a-f]{16}$/i.test(folder))).toEqual([]);
    expect(new Set(names.map((peer) => folderName(peer))).size).toBe(new Set(names).size);
    expect(Buffer.byteLength(folderName('ü'.repeat(300), KEY))).toBeLessThanOrEqual(200);
  });
});
