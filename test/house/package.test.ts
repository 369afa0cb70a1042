import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/root.ts';

const run = promisify(execFile);
interface Manifest {
  readonly license: string;
  readonly keywords: readonly string[];
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
  readonly bin: Record<string, string>;
  readonly files: readonly string[];
  readonly exports: { '.': { types: string; default: string } };
  readonly 'node-red': { version: string; nodes: Record<string, string> };
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
const sourceOf = (built: string): string => built.replace(/^(\.\/)?dist\//, '').replace(/\.(d\.ts|js)$/, '.ts');

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // which it is asked
  }
}

/** Saved in people's flows: they are never another. */
const TYPES = ['lanpost ack', 'lanpost box', 'lanpost command in', 'lanpost command out', 'lanpost gap', 'lanpost home', 'lanpost items', 'lanpost message in', 'lanpost message out', 'lanpost peers', 'lanpost publish', 'lanpost request', 'lanpost subscribe', 'lanpost topic'];

describe('the package', () => {
  it('has what the flow library asks for: keyword, versions, licence, readme, examples, and nothing of Node-RED that it brings along', () => {
    expect(manifest.keywords).toContain('node-red');
    expect([manifest['node-red'].version, manifest.engines.node, manifest.license]).toEqual([expect.stringMatching(/^>=\d/), expect.stringMatching(/^>=\d/), 'MIT']);
    expect(['README.md', 'LICENSE'].filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
    expect(readdirSync(join(ROOT, 'examples/node-red')).filter((name) => name.endsWith('.json')).length).toBeGreaterThan(5);
    expect(Object.keys(manifest.dependencies).filter((name) => /node-red/.test(name))).toEqual([]);
  });

  it('has an example flow for every node, and definitions that can be read without running them', () => {
    const flows = readdirSync(join(ROOT, 'examples/node-red')).filter((name) => name.endsWith('.json')).flatMap((name) => JSON.parse(readFileSync(join(ROOT, 'examples/node-red', name), 'utf8')) as { readonly type: string }[]);
    const used = new Set(flows.map(({ type }) => type));
    expect(TYPES.filter((type) => !used.has(type))).toEqual([]);
    // As the library reads the definitions: type, category, colour, ports and icon are written out, not computed.
    for (const built of Object.values(manifest['node-red'].nodes)) {
      const page = readFileSync(join(ROOT, sourceOf(built).replace(/\.ts$/, '.html')), 'utf8');
      expect(page).toMatch(/registerType\('lanpost [a-z ]+', \{\n {4}category: '(lanpost|config)',\n {4}color: '#[0-9A-F]{6}',\n {4}defaults: \{\n/);
      expect(page).toMatch(/category: 'config'|\n {4}inputs: [01],\n {4}outputs: [012],[^]*\n {4}icon: '[a-z-]+\.svg',\n/);
    }
  });

  it('has the node types that flows are saved with, in the runtime and in the editor', () => {
    const sources = Object.values(manifest['node-red'].nodes).map((built) => join(ROOT, sourceOf(built)));
    const types = (files: readonly string[]): string[] => files.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/RED\.nodes\.registerType\('([^']+)'/g)].map(([, type = '']) => type)).toSorted();
    expect(types(sources)).toEqual(TYPES);
    expect(types(sources.map((file) => file.replace(/\.ts$/, '.html')))).toEqual(TYPES);
  });

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
    const allowed = /^(package\.json|README\.md|LICENSE|CHANGELOG\.md|docs\/[^/]+\.md|dist\/(src|nodes)\/.*\.(js|html|css|json|svg)|dist\/src\/.*\.d\.ts|examples\/node-red\/[^/]+\.json|resources\/[^/]+\.js)$/;
    expect(paths.filter((path) => !allowed.test(path))).toEqual([]);
    expect(paths).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'docs/ERRORS.md', 'docs/LIMITS.md']));
    // The flow library takes whatever is packed below examples/ for a flow.
    const flows = paths.filter((path) => path.startsWith('examples/'));
    expect(flows).toContain('examples/node-red/hello-lan.json');
    expect(flows.filter((path) => !isJson(readFileSync(join(ROOT, path), 'utf8')))).toEqual([]);
    expect(manifest.files.filter((entry) => !entry.startsWith('!') && !paths.some((path) => path.startsWith(entry.split(/[*{]/, 1)[0] ?? '')))).toEqual([]);
  });
});
