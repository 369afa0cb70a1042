import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { ROOT } from './root.ts';

/** What npm and the tests set for this process, and a user's shell would not. */
export const PLAIN_ENV: NodeJS.ProcessEnv = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|LANPOST_|VITEST|NODE_(?!EXTRA_CA_CERTS))/.test(name)));

export interface Packed extends Disposable {
  /** Of a Node-RED that has nothing else. */
  readonly userDir: string;
  /** The package in it. */
  readonly installed: string;
}

/** Where there is Node with npm, a shell, and nothing else: no compiler. */
function bareTools(dir: string): string {
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  symlinkSync(process.execPath, join(bin, 'node'));
  for (const name of ['npm', 'sh', 'env']) symlinkSync(execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim(), join(bin, name));
  return bin;
}

/** As the palette manager installs it: with npm alone, from the file that is published. */
export function installPacked(): Packed {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-packed-'));
  const userDir = join(dir, 'user');
  // What packs builds: not beside whoever reads what is built here.
  const source = join(dir, 'source');
  cpSync(ROOT, source, { recursive: true, filter: (path) => !/^(node_modules|dist|\.git)$/.test(relative(ROOT, path)) });
  symlinkSync(join(ROOT, 'node_modules'), join(source, 'node_modules'));
  execFileSync('npm', ['pack', '--silent', '--pack-destination', dir], { cwd: source, env: PLAIN_ENV });
  const [tarball = ''] = readdirSync(dir).filter((name) => name.endsWith('.tgz'));
  mkdirSync(userDir);
  writeFileSync(join(userDir, 'package.json'), '{ "name": "node-red-project", "version": "0.0.1", "private": true }');
  execFileSync('npm', ['install', '--silent', '--prefer-offline', '--no-audit', '--no-fund', join(dir, tarball)], { cwd: userDir, env: { ...PLAIN_ENV, PATH: bareTools(dir) }, timeout: 200_000 });
  return { userDir, installed: join(userDir, 'node_modules/lanpost'), [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}
