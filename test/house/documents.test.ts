import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/errors.ts';
import { TOPIC_FIELDS } from '../../src/topic-fields.ts';
import { ROOT } from '../support/root.ts';
import { roomOf } from './rooms.ts';
import { filesBelow } from './sources.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manifest = JSON.parse(read('package.json')) as { version: string; dependencies: Record<string, string> };

/** First cells of a Markdown table's rows, where they are code: | `name` | … */
const rows = (text: string): Map<string, string> =>
  new Map([...text.matchAll(/^\| `([^`]+)` \| (.*) \|$/gm)].map(([, name = '', rest = '']) => [name, rest]));

/** The text under a heading, to the next one of its level. */
const section = (text: string, heading: string): string =>
  text.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';

describe('the papers say what the code does', () => {
  it('docs/ERRORS.md has every code with its meaning, and no other', () => {
    const documented = [...rows(read('docs/ERRORS.md').split(/^## /m)[0] ?? '')].map(([code, rest]) => [code, rest.split(' | ')[0]]);
    expect(Object.fromEntries(documented)).toEqual(ERROR_CODES);
  });

  it('docs/ERRORS.md has every kind of trouble that the source tells, and no other', () => {
    // Those of the editor go to standard error, without their kind.
    const sources = filesBelow('src').filter((path) => path.endsWith('.ts') && !path.startsWith('src/editor/')).map((path): [string, string] => [path, read(path)]);
    const all = (text: string, form: RegExp): string[] => [...text.matchAll(form)].map(([, found = '']) => found);
    const told = sources.flatMap(([, text]) => all(text, /\bkind: '([a-z]+\.[a-z-]+)'/g));
    // Made of a room's name and of what happened there.
    const ofStreams = sources.filter(([path]) => path.startsWith('src/link/streams/')).flatMap(([, text]) => all(text, /\btell\('([a-z-]+)'/g));
    const refusals = all(/kind: ([^;]*);/.exec(read('src/link/streams/refusal.ts'))?.[1] ?? '', /'([a-z]+)'/g).filter((kind) => kind !== 'peer' && kind !== 'refused');
    const losses = all(/type LossKind = ([^;]*);/.exec(read('src/home/backoff.ts'))?.[1] ?? '', /'([a-z]+)'/g).filter((kind) => kind !== 'link');
    const made = [...[...ofStreams, ...refusals].map((kind) => `link.${kind}`), ...losses.flatMap((kind) => [`home.${kind}`, `component.${kind}`])];
    // Another place that makes one up has to be looked through here, too.
    const places = sources.filter(([, text]) => /\bkind: `[a-z]+\.\$\{/.test(text)).map(([path]) => path);
    expect(places.toSorted()).toEqual(['src/home/component/component.ts', 'src/home/home.ts', 'src/link/streams/streams.ts']);
    expect(Math.min(ofStreams.length, refusals.length, losses.length)).toBeGreaterThan(0);
    expect([...rows(section(read('docs/ERRORS.md'), 'Troubles')).keys()].toSorted()).toEqual([...new Set([...told, ...made])].toSorted());
  });

  it('docs/API.md names all that src/index.ts exports', () => {
    const exported = [...read('src/index.ts').matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names = '']) => names.split(',').map((name) => name.trim()).filter(Boolean));
    expect(exported.length).toBeGreaterThan(0);
    const paper = read('docs/API.md');
    expect(exported.filter((name) => !new RegExp(`^\\|(?: [^|]*,)? \`(?:new )?${name}[\`(.]`, 'm').test(paper))).toEqual([]);
  });

  it('docs/API.md has every member of a box, and no other', () => {
    const members: string[] = [];
    let group = '';
    for (const line of (read('src/api/box.ts').split('export interface Box ')[1] ?? '').split('\n')) {
      const [, outer, opens] = /^ {2}(?:readonly )?(\w+)(?:\(|: (\{)?)/.exec(line) ?? [];
      const [, inner] = /^ {4}(\w+)\(/.exec(line) ?? [];
      if (opens !== undefined) group = `${outer}.`;
      else if (outer !== undefined) members.push(outer);
      else if (inner !== undefined) members.push(group + inner);
    }
    const documented = [...rows(section(read('docs/API.md'), 'Box\n')).keys()].map((call) => call.replace(/\(.*/, ''));
    expect(members.length).toBeGreaterThan(0);
    expect(documented.toSorted()).toEqual(members.toSorted());
  });

  it('docs/LIMITS.md has every limit that can be set', () => {
    const settable = [...read('src/api/options.ts').split('export interface Limits {')[1]?.split('\n}')[0]?.matchAll(/readonly (\w+):/g) ?? []].map(([, name]) => name);
    expect(settable.length).toBeGreaterThan(0);
    expect([...rows(section(read('docs/LIMITS.md'), 'Limits that can be set')).keys()].toSorted()).toEqual(settable.toSorted());
  });

  it('docs/TOPICS.md has every setting of a topic, and no other', () => {
    expect([...rows(section(read('docs/TOPICS.md'), 'Settings')).keys()].toSorted()).toEqual(Object.keys(TOPIC_FIELDS).toSorted());
  });

  it('docs/TROUBLESHOOTING.md has a section for every cause that the doctor names, and no other', () => {
    const causes = [...read('src/api/finding.ts').split('export type FindingCause =')[1]?.split(';')[0]?.matchAll(/'([\w-]+)'/g) ?? []].map(([, cause]) => cause);
    const sections = [...read('docs/TROUBLESHOOTING.md').matchAll(/^### (.+)$/gm)].map(([, heading]) => heading);
    expect(sections.toSorted()).toEqual(causes.toSorted());
  });

  it('README.md names every dependency, and no other, with a reason', () => {
    const named = [...section(read('README.md'), 'Dependencies').matchAll(/^- `([^`]+)`: .{20,}/gm)].map(([, name]) => name);
    expect(named.toSorted()).toEqual(Object.keys(manifest.dependencies).toSorted());
  });

  it('CHANGELOG.md has a section for this version or for what is not released', () => {
    expect(read('CHANGELOG.md')).toMatch(new RegExp(`^## \\[(Unreleased|${manifest.version.replaceAll('.', '\\.')})\\]`, 'm'));
  });

  it('docs/ARCHITECTURE.md names every room', () => {
    const paper = read('docs/ARCHITECTURE.md');
    const rooms = new Set([...filesBelow('src'), ...filesBelow('nodes')].map(roomOf));
    expect([...rooms].filter((room) => !new RegExp(`\\b${room}\\b`).test(paper))).toEqual([]);
  });

  it('a link from one paper to another leads somewhere', () => {
    const broken: string[] = [];
    for (const paper of ['README.md', 'CHANGELOG.md', ...readdirSync(join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]) {
      for (const [, target = ''] of read(paper).matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)) {
        if (!existsSync(join(ROOT, dirname(paper), target))) broken.push(`${paper} → ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });
});
