// .setup.mjs in a project of its own, with an npm and a compiler that only note that they were called.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const SETUP = fileURLToPath(new URL('../../.setup.mjs', import.meta.url));
const COMPILER = `require('fs').appendFileSync('calls', 'build ');
if (require('fs').existsSync('broken')) { console.log('src/a.ts: error'); process.exit(2); }`;
const NPM = `const fs = require('fs');
fs.appendFileSync('calls', 'install ');
if (fs.existsSync('offline')) { console.error('npm error network'); process.exit(1); }
fs.rmSync('node_modules', { recursive: true, force: true });
fs.mkdirSync('node_modules/typescript/bin', { recursive: true });
fs.writeFileSync('node_modules/typescript/bin/tsc', ${JSON.stringify(COMPILER)});
fs.copyFileSync('package-lock.json', 'node_modules/.package-lock.json');`;

describe('.setup.mjs', () => {
  let root: string;
  const file = (name: string): string => join(root, name);
  const lock = (version: string): Promise<void> => writeFile(file('package-lock.json'), JSON.stringify({
    packages: { '': {}, 'node_modules/a': { version }, 'node_modules/b': { version: '1.0.0', optional: true } },
  }));
  const calls = async (): Promise<string[]> => {
    const text = await readFile(file('calls'), 'utf8').catch(() => '');
    await rm(file('calls'), { force: true });
    return text.split(' ').filter(Boolean);
  };
  const setup = async (...flags: string[]): Promise<{ code: number; said: string }> => {
    const child = spawn(process.execPath, [...flags, file('.setup.mjs')], { env: { ...process.env, npm_execpath: file('npm.cjs') } });
    let said = '';
    child.stdout.on('data', (data: Buffer) => { said += `stdout: ${data.toString()}`; });
    child.stderr.on('data', (data: Buffer) => { said += data.toString(); });
    await once(child, 'close');
    return { code: child.exitCode ?? -1, said };
  };

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'lanpost-setup-'));
    await copyFile(SETUP, file('.setup.mjs'));
    await Promise.all([mkdir(file('src/web/page'), { recursive: true }), mkdir(file('nodes'))]);
    await Promise.all([lock('1.0.0'), writeFile(file('npm.cjs'), NPM), writeFile(file('package.json'), '{}'), writeFile(file('tsconfig.json'), '{}'),
      writeFile(file('src/a.ts'), ''), writeFile(file('src/b.ts'), ''), writeFile(file('nodes/x.html'), '<p>'), writeFile(file('nodes/x.ts'), '')]);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  it('installs and builds what is missing, then does nothing and says nothing', async () => {
    expect(await setup()).toEqual({ code: 0, said: 'lanpost: installing packages (once, about half a minute)\nlanpost: building\n' });
    expect(await calls()).toEqual(['install', 'build']);
    expect(await readFile(file('dist/nodes/x.html'), 'utf8')).toBe('<p>');
    await expect(readFile(file('dist/nodes/x.ts'))).rejects.toThrow('ENOENT');
    expect(await setup()).toEqual({ code: 0, said: '' });
    expect(await calls()).toEqual([]);
  });

  it('builds again when a source is changed, added or removed', async () => {
    await setup();
    await calls();
    for (const change of [() => writeFile(file('src/a.ts'), 'changed'), () => writeFile(file('nodes/y.html'), ''), () => rm(file('src/b.ts'))]) {
      await change();
      await setup();
      expect(await calls()).toEqual(['build']);
    }
  });

  it('installs again when the lockfile asks for something else', async () => {
    await setup();
    await calls();
    await lock('2.0.0');
    await setup();
    expect(await calls()).toEqual(['install']);
  });

  it('takes what somebody else has installed', async () => {
    await setup();
    await calls();
    await rm(file('node_modules/.lanpost-setup'));
    await setup();
    expect(await calls()).toEqual([]);
  });

  it('does it once when two run at the same time', async () => {
    const both = await Promise.all([setup(), setup()]);
    expect(both.map(({ code }) => code)).toEqual([0, 0]);
    expect(await calls()).toEqual(['install', 'build']);
  });

  it('does not wait for one that was killed', async () => {
    await mkdir(file('dist'));
    await writeFile(file('dist/.lanpost-lock'), '999999999');
    expect((await setup()).code).toBe(0);
  });

  it('shows what went wrong, and tries again the next time', async () => {
    await writeFile(file('offline'), '');
    expect(await setup()).toMatchObject({ code: 1, said: expect.stringMatching(/npm error network\nlanpost: npm ci failed\.\n$/) });
    await rm(file('offline'));
    await writeFile(file('broken'), '');
    expect(await setup()).toMatchObject({ code: 1, said: expect.stringMatching(/src\/a\.ts: error\nlanpost: the build failed\.\n$/) });
    await rm(file('broken'));
    expect((await setup()).code).toBe(0);
    expect(await calls()).toEqual(['install', 'install', 'build', 'build']);
  });

  it('says which Node is needed, in one line, in words that an old Node can read', async () => {
    await writeFile(file('old.cjs'), `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.18.1' } });
      Object.defineProperty(process, 'version', { value: 'v20.18.1' });`);
    expect(await setup('--require', file('old.cjs'))).toEqual({
      code: 1, said: 'lanpost needs Node.js 20.19 or newer (22 or 24 recommended); this is v20.18.1.\n',
    });
    expect(await calls()).toEqual([]);
    const source = (await readFile(SETUP, 'utf8')).replace(/^\s*\/\/.*$/gm, '');
    expect(source).not.toMatch(/\?\.|\?\?|'node:|^await |^for await|\|\|=|&&=|#[a-z]+\(/m);
  });
});
