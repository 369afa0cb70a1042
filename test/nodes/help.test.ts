// What a message holds is what the help of the node says, in every language.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/root.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { collect, saidBy, useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly 'node-red': { readonly nodes: Readonly<Record<string, string>> } };
const files = Object.keys(manifest['node-red'].nodes);
const LOCALES = { 'en-US': { inputs: 'Inputs', outputs: 'Outputs' }, de: { inputs: 'Eingänge', outputs: 'Ausgänge' } } as const;
const read = (...path: readonly string[]): string => readFileSync(join(ROOT, 'nodes', ...path), 'utf8');
const helpOf = (locale: string, file: string): string => read('locales', locale, `${file}.html`);

/** What stands under a title. */
function section(help: string, title: string): string {
  return help.split('<h3>').find((part) => part.startsWith(`${title}</h3>`)) ?? '';
}

/** What stands in a `<code>`, word by word. */
function codesIn(text: string): Set<string> {
  return new Set([...text.matchAll(/<code>([^<]*)<\/code>/g)].flatMap(([, code = '']) => code.split(/\W+/)));
}

/** The properties that a list names, with what it says of them. */
function termsIn(text: string): { readonly terms: readonly string[]; readonly type: string | undefined; readonly says: string }[] {
  return [...text.matchAll(/<dt[^>]*>(.*?)<\/dt><dd>(.*?)<\/dd>/gs)].map(([, term = '', says = '']) => ({
    terms: term.replace(/<span.*/s, '').trim().split(', '), type: /<span class="property-type">([^<]+)</.exec(term)?.[1], says,
  }));
}

/** Properties of a message, and of its `lanpost`, of which the outputs of a node say nothing. */
function unsaid(type: string, msg: object): string[] {
  const { _msgid: _, ...properties } = msg as Record<string, unknown>;
  return Object.entries(LOCALES).flatMap(([locale, { outputs }]) => {
    const help = section(helpOf(locale, type.replaceAll(' ', '-')), outputs);
    const terms = termsIn(help);
    const known = new Set([...terms.flatMap((one) => one.terms), ...terms.flatMap(({ terms: [name], says }) => (name === 'topic' ? [...codesIn(says)] : []))]);
    const ofLanpost = codesIn(terms.find((one) => one.terms.includes('lanpost'))?.says ?? '');
    return [
      ...Object.keys(properties).filter((key) => properties[key] !== undefined && !known.has(key)),
      ...Object.keys(properties['lanpost'] ?? {}).filter((key) => !ofLanpost.has(key)).map((key) => `lanpost.${key}`),
    ].map((key) => `${locale}: ${key}`);
  });
}

describe.each(files)('%s', (file) => {
  it('has in its help all that it reads of a message, and a type for each property', () => {
    const source = read(`${file}.ts`);
    const wanted = new Set([...source.matchAll(/\bmsg\??\.(\w+)/g), ...source.matchAll(/setByFlow\(msg, '(\w+)'\)/g)].map(([, property = '']) => property));
    for (const [locale, { inputs, outputs }] of Object.entries(LOCALES)) {
      const help = helpOf(locale, file);
      const lists = [...termsIn(section(help, inputs)), ...termsIn(section(help, outputs))];
      const known = new Set([...lists.flatMap(({ terms }) => terms), ...codesIn(help)]);
      expect([...wanted].filter((property) => !known.has(property))).toEqual([]);
      expect(lists.filter(({ type }) => type === undefined).map(({ terms }) => terms)).toEqual([]);
    }
  });
});

it.each(['lanpost-subscribe', 'lanpost-ack'])('%s says what becomes of a flow that is slower than what comes', (file) => {
  expect(helpOf('en-US', file)).toMatch(/Node-RED's memory.*<b>In flight<\/b>/s);
  expect(helpOf('de', file)).toMatch(/Speicher von Node-RED.*<b>Unterwegs<\/b>/s);
});

const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };
const one = (id: string, type: string, fields: object): object[] => [{ id, type: `lanpost ${type}`, box: 'box', z: 'f', wires: [[`of ${id}`], [`of ${id}`]], ...fields }, { id: `of ${id}`, type: 'helper', z: 'f' }];
const HOME = { jid: 'me@home.invalid', password: 'secret', host: '127.0.0.1', port: 1, topics: ['up/#'] };

it('what is sent has nothing that the help does not name', async () => {
  const box = await openBox({ homes: [HOME] });
  await box.publish('a', '<a/>', { contentType: 'application/xml' });
  await load([
    tab, config,
    ...one('sub', 'subscribe', { configVersion: 2, filter: 'a', from: 'new', last: 'all', durable: false, reader: '', changes: true, inputs: 1 }),
    ...one('gap', 'gap', { filter: '', reader: '', from: 'new' }),
    ...one('topic', 'topic', { topic: 'a', action: 'get', lane: '', key: '', maxItems: '', accessModel: '', settings: '' }),
    ...one('listed', 'items', { topic: 'a', from: 'start', count: '1', output: 'array', form: 'auto' }),
    ...one('each', 'items', { topic: 'a', from: 'start', count: '1', output: 'split', form: 'auto' }),
    ...one('in', 'message in', { configVersion: 2, from: '', reader: '', begin: 'new' }),
    ...one('home', 'home', { home: '' }),
    ...one('offer', 'command in', { command: 'c', fields: [] }),
    ...one('request', 'request', { kind: 'command', command: 'c', to: '' }),
    { id: 'out', type: 'lanpost command out', z: 'f' },
  ], { lanpost: { box } });
  const came = (id: string): ReturnType<typeof collect> => collect(flows.getNode(`of ${id}`));
  const ask = (id: string, msg: object): Promise<object> => { const answer = came(id); flows.getNode(id).receive(msg); return answer.next(); };
  const told: [type: string, msg: object][] = [];

  const events = came('home');
  const [items, gaps, letters, runs] = [came('sub'), came('gap'), came('in'), came('offer')];
  for (const [id, words] of [['sub', /^received/], ['gap', /^nothing/], ['in', /^received/], ['offer', /^offered/]] as const) await saidBy(flows, id, words);
  told.push(['lanpost subscribe', await items.next()]);
  const { id } = await box.publish('a', 2);
  told.push(['lanpost subscribe', await items.next()]);
  for (const [node, type] of [['topic', 'topic'], ['listed', 'items'], ['each', 'items']] as const) told.push([`lanpost ${type}`, await ask(node, {})]);
  // What it was asked with it keeps.
  const question = { topic: 'a', lanpost: { subscription: 'sub', node: 'sub', epoch: 'e', seq: 1, recordId: 'r', redelivered: false } };
  const { lanpost, ...rest } = await ask('each', question) as { lanpost: object };
  told.push(['lanpost items', { ...rest, lanpost: Object.fromEntries(Object.entries(lanpost).filter(([key]) => !(key in question.lanpost))) }]);
  await box.retract('a', id);
  told.push(['lanpost subscribe', await items.next()]);
  flows.getNode('sub').receive({ action: 'getSubscriptions' });
  const { action: _, ...list } = await items.next();
  told.push(['lanpost subscribe', list]);

  const reader = box.subscribe('b', { durable: 'slow', from: 'start', maxBacklog: { records: 1 } });
  await reader.ready;
  await reader.close();
  for (const value of [1, 2, 3]) await box.publish('b', value);
  told.push(['lanpost gap', await gaps.next()]);
  await box.send('link:me', 'hi', { subject: 's', thread: 't' });
  told.push(['lanpost message in', await letters.next()]);
  told.push(['lanpost home', await events.next()]);
  const answered = ask('request', {});
  const run = await runs.next();
  told.push(['lanpost command in', run]);
  flows.getNode('out').receive({ ...run, payload: 1 });
  told.push(['lanpost request', await answered]);

  expect(told.map(([type, msg]) => [type, unsaid(type, msg)])).toEqual(told.map(([type]) => [type, []]));
});
