import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/root.ts';

const run = promisify(execFile);
interface Manifest {
  readonly bin: Record<string, string>;
  readonly files: readonly string[];
  readonly exports: { '.': { types: string; default: string } };
  readonly 'node-red': { nodes: Record<string, string> };
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
const sourceOf = (built: string): string => built.replace(/^(\.\/)?dist\//, '').replace(/\.(d\.ts|js)$/, '.ts');

describe('the package', () => {
  it('names only files that a build makes', () => {
    const named = [...Object.values(manifest.bin), ...Object.values(manifest.exports['.']), ...Object.values(manifest['node-red'].nodes)];
    expect(named.map(sourceOf).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  it('has an editor file for every node', () => {
    const pages = Object.values(manifest['node-red'].nodes).map((built) => sourceOf(built).replace(/\.ts$/, '.html'));
    expect(pages.filter((page) => !existsSync(join(ROOT, page)))).toEqual([]);
  });

  it('packs what is needed and nothing else', async () => {
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT, maxBuffer: 16 << 20 });
    const answer = JSON.parse(stdout) as unknown;
    const [pack] = (Array.isArray(answer) ? answer : Object.values(answer as object)) as { files: { path: string }[] }[];
    const paths = (pack?.files ?? []).map((file) => file.path);
    const allowed = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|docs\/[^/]+\.md|dist\/(src|nodes)\/.*\.(js|html|css|json|svg)|dist\/src\/.*\.d\.ts|examples\/.*|resources\/[^/]+\.js)$/;
    expect(paths.filter((path) => !allowed.test(path))).toEqual([]);
    expect(paths).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'docs/ERRORS.md', 'docs/LIMITS.md']));
    expect(manifest.files.filter((entry) => !entry.startsWith('!') && !paths.some((path) => path.startsWith(entry.split(/[*{]/, 1)[0] ?? '')))).toEqual([]);
  }, 60_000);
});
