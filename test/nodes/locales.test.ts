import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/root.ts';

const LOCALES = ['en-US', 'de'];
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly 'node-red': { readonly nodes: Readonly<Record<string, string>> } };
const nodes = Object.keys(manifest['node-red'].nodes);
const read = (...path: readonly string[]): string => readFileSync(join(ROOT, 'nodes', ...path), 'utf8');

/** `a.b.c` of every text in a catalogue. */
function keysOf(words: unknown, prefix = ''): string[] {
  if (typeof words !== 'object' || words === null) return [prefix];
  return Object.entries(words).flatMap(([key, value]) => keysOf(value, prefix === '' ? key : `${prefix}.${key}`));
}

const catalogue = (locale: string, name: string): unknown => JSON.parse(read('locales', locale, `${name}.json`));

/** What a page asks for, as its catalogue names it. */
function usedBy(name: string, page: string): Set<string> {
  const used = new Set([...page.matchAll(/data-i18n="(?:\[\w+\])?([\w.-]+)"/g), ...page.matchAll(/this\._\('([\w.-]+)'\)/g)].map(([, key = '']) => key));
  for (const [, field = '', values = ''] of page.matchAll(/lanpost\.choice\(this, '(\w+)', \[([^\]]*)\]\)/g)) {
    for (const [, value = ''] of values.matchAll(/'([^']*)'/g)) used.add(`${name}.${field}s.${value || 'none'}`);
  }
  return used;
}

describe.each(nodes)('%s', (name) => {
  it('has words and help in every language, with the same keys and the same terms', () => {
    const [first, ...others] = LOCALES.map((locale) => ({ keys: keysOf(catalogue(locale, name)).toSorted(), help: read('locales', locale, `${name}.html`) }));
    const shape = (help: string): unknown => [help.match(/data-help-name="[^"]+"/)?.[0], help.match(/<(dt|h3|dl|li)\b/g), help.match(/<span class="property-type">[^<]*/g)];
    for (const other of others) {
      expect(other.keys).toEqual(first?.keys);
      expect(shape(other.help)).toEqual(shape(first?.help ?? ''));
    }
  });

  it('asks for no word that is not there', () => {
    const known = new Set(keysOf(catalogue('en-US', name)));
    expect([...usedBy(name, read(`${name}.html`))].filter((key) => !known.has(key) && !key.endsWith('.'))).toEqual([]);
  });

  it('has an example in its help, and an icon of its own kind', () => {
    const page = read(`${name}.html`);
    const icons = [...page.matchAll(/icon: '([^']+)'/g)].map(([, icon = '']) => icon);
    expect(icons.filter((icon) => !existsSync(join(ROOT, 'nodes', 'icons', icon)))).toEqual([]);
    for (const [locale, title] of [['en-US', 'Example'], ['de', 'Beispiel']] as const) expect(read('locales', locale, `${name}.html`)).toContain(`<h3>${title}</h3>`);
  });
});

it('the scripts of the dialogs ask for no word that is not there', () => {
  const known = new Set(keysOf(catalogue('en-US', 'lanpost-box')).map((key) => key.replace('lanpost-box.', '')));
  const script = (name: string): string => readFileSync(join(ROOT, 'resources', name), 'utf8');
  const keys = (text: string): string[] => [...text.matchAll(/\bwords\((?:[^()']*\? )?'([\w.]+)'(?: : '([\w.]+)')?(?! \+)/g)].flatMap(([, ...found]) => found.filter(Boolean));
  // Those of the picker are asked for by their last part alone.
  const asked = [...keys(script('lanpost-box.js')), ...keys(script('lanpost-editor.js')).map((key) => `picker.${key}`)].filter((key) => !key.endsWith('.'));
  expect(asked.length).toBeGreaterThan(20);
  expect(asked.filter((key) => !known.has(key))).toEqual([]);
  // What a script says in the box's own words is there for every language.
  const said = [...script('lanpost-editor.js').matchAll(/said\.text\('([^']+)'\)/g)].flatMap(([, text = '']) => text.split(': '));
  expect(said.filter((phrase) => !known.has(`said.${phrase}`))).toEqual([]);
});
