import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BoxStatus, HomeStatus } from '../../src/index.ts';
import { languageOf } from '../../src/web/language.ts';
import { ROOT } from '../support/root.ts';

const PAGE = join(ROOT, 'src/web/page');
const scripts = readdirSync(PAGE).filter((name) => name.endsWith('.js')).map((name) => readFileSync(join(PAGE, name), 'utf8'));
const html = readFileSync(join(PAGE, 'index.html'), 'utf8').replace(/<noscript>[^]*?<\/noscript>|<code>[^]*?<\/code>/g, '<>');
const german = JSON.parse(readFileSync(join(PAGE, 'locales/de.json'), 'utf8')) as Record<string, string>;

/** Of what the scripts say: the texts themselves, those that are chosen from, and those of the tables. */
function said(source: string): string[] {
  const literals = (code: string): string[] => [...code.matchAll(/'((?:[^'\\]|\\.)*)'/g)].map(([, text = '']) => text);
  return [
    ...[...source.matchAll(/\b(?:say|inWords)\(('[^']*')/g)].flatMap(([, text = '']) => literals(text)),
    ...[...source.matchAll(/\b(?:say|inWords)\([^')]*? \? ('[^']*' : '[^']*')/g)].flatMap(([, texts = '']) => literals(texts)),
    ...[...source.matchAll(/\bcounted\([\w.]+, ('[^']*', '[^']*')/g)].flatMap(([, texts = '']) => literals(texts)),
    ...[...source.matchAll(/const (?:WHY|WHOSE|CAUSES) = new Map\(\[([^;]*)\]\);/g)].flatMap(([, rows = '']) => [...rows.matchAll(/\['[^']*', '([^']*)'\]/g)].map(([, text = '']) => text)),
    ...[...source.matchAll(/const TONES = new Map\(\[([^;]*)\]\);/g)].flatMap(([, rows = '']) => [...rows.matchAll(/\['([^']*)'/g)].map(([, text = '']) => text)),
    ...[...source.matchAll(/const STATUS = \{([^}]*)\}/g)].flatMap(([, texts = '']) => literals(texts)),
  ];
}
const written = [...html.slice(html.indexOf('<body>')).matchAll(/>([^<>]*[^<>\s][^<>]*)</g), ...html.matchAll(/(?:placeholder|aria-label)="([^"]+)"/g)].map(([, text = '']) => text.trim()).filter((text) => /\p{L}/u.test(text));

describe('the words of the status page', () => {
  it('are all there in German, those of the page and those of its scripts', () => {
    const all = [...scripts.flatMap(said), ...written];
    expect(all.length).toBeGreaterThan(120);
    expect([...new Set(all)].filter((text) => german[text] === undefined)).toEqual([]);
  });

  it('are there for every state that the box has', () => {
    // One that is new does not compile until it is here.
    const homes = { connecting: 1, online: 1, waiting: 1, refused: 1, offline: 1, paused: 1 } satisfies Record<HomeStatus['state'], 1>;
    const links = { 'link off': 1, 'link starting': 1, 'link failed': 1 } satisfies Record<`link ${Exclude<BoxStatus['link']['state'], 'up'>}`, 1>;
    const logs = { refusing: 1, closed: 1 } satisfies Record<Exclude<BoxStatus['log']['state'], 'open'>, 1>;
    expect([homes, links, logs].flatMap((states) => Object.keys(states)).filter((state) => german[state] === undefined)).toEqual([]);
  });

  it('have the same places to be filled in, and none is left over', () => {
    const places = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).toSorted();
    const everything = [...scripts, html].join('\n');
    for (const [english, words] of Object.entries(german)) {
      expect({ english, places: places(words) }).toEqual({ english, places: places(english) });
    }
    expect(Object.keys(german).filter((english) => !everything.includes(english) && !/^(link (failed|off|starting)|refusing|closed|every reader)$/.test(english))).toEqual([]);
  });
});

describe('the numbers of the status page', () => {
  it.each([
    ['en', ['2.5/s', '12/s', '1,235/s', '3.0/min', '1.5 KiB', '1,000 B', '150 KiB', '1,234,567']],
    ['de', ['2,5/s', '12/s', '1.235/s', '3,0/min', '1,5 KiB', '1.000 B', '150 KiB', '1.234.567']],
    // There they are written otherwise than in the rest of that language.
    ['de-CH', ['2.5/s', '12/s', "1'235/s", '3.0/min', '1.5 KiB', "1'000 B", '150 KiB', "1'234'567"]],
  ])('are written as in %s', async (locale, all) => {
    const { count, perSecond, size, writeAsIn } = await import(new URL('../../src/web/page/words.js', import.meta.url).href) as {
      count: (value: number) => string; perSecond: (rate: number) => string; size: (bytes: number) => string; writeAsIn: (locale: string) => void;
    };
    writeAsIn(locale);
    expect([perSecond(2.5), perSecond(12.4), perSecond(1234.5), perSecond(0.05), size(1536), size(1000), size(150 * 1024), count(1_234_567)].map((text) => text.replaceAll('’', "'"))).toEqual(all);
  });

  it('are written in one place', () => {
    // A number as JavaScript writes it has a point, in every language; what a curve is drawn with is not read by people.
    const elsewhere = scripts.filter((script) => !script.includes('function writeAsIn')).join('\n').replace(/line\.setAttribute\('points'[^\n]*/, '');
    expect(elsewhere.match(/toFixed|toLocale|toPrecision|Intl\./g)).toBeNull();
  });
});

describe('the language of a page', () => {
  it.each([
    [undefined, 'en'], ['', 'en'], ['de', 'de'], ['de-AT,de;q=0.9,en;q=0.8', 'de'], ['en-US,en;q=0.9,de;q=0.8', 'en'], ['fr,de;q=0.5', 'de'], ['fr', 'en'], ['*', 'en'],
    ['de;q=0', 'en'], ['en;q=0.2, DE;q=0.7', 'de'], ['de;q=nonsense', 'en'], [`${'x,'.repeat(100_000)}de`, 'en'], ['deutsch', 'en'],
  ])('%.40s is %s', (header, language) => {
    expect(languageOf(header, ['en', 'de'])).toBe(language);
  });
});
