import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/root.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { useFlows } from './flow-kit.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly 'node-red': { readonly nodes: Readonly<Record<string, string>> } };
const nodes = Object.keys(manifest['node-red'].nodes);
/** What is no field of the dialog: which box, what the dialog itself saves of its version, and the input that the editor draws before anything runs. */
const NO_FIELD = new Set(['name', 'box', 'configVersion', 'inputs']);
/** Rows of text. */
const LISTS: Readonly<Record<string, readonly string[]>> = { homes: ['jid', 'topics', 'host', 'ca', 'pin'], fields: ['name', 'label', 'kind', 'options', 'required'] };

const pageOf = (name: string): string => readFileSync(join(ROOT, 'nodes', `${name}.html`), 'utf8');
const fieldsOf = (page: string): string[] => {
  const [, defaults = ''] = /\n {4}defaults: \{\n([^]*?)\n {4}\},/.exec(page) ?? [];
  return [...defaults.matchAll(/^ {6}(\w+): \{ value:/gm)].map(([, field = '']) => field).filter((field) => !NO_FIELD.has(field));
};

describe.each(nodes)('%s', (name) => {
  const page = pageOf(name);
  const fields = fieldsOf(page);

  it('takes ${NAME} in every field, and says which of them is not set', async () => {
    expect(fields.length).toBeGreaterThan(0);
    const places = (field: string): unknown => (LISTS[field] ? [Object.fromEntries(LISTS[field].map((one) => [one, `\${${name}:${field}.${one}}`]))] : `\${${name}:${field}}`);
    const type = name.replaceAll('-', ' ');
    const node = { id: 'it', type, z: 'f', box: 'box', configVersion: 99, ...Object.fromEntries(fields.map((field) => [field, places(field)])), wires: [[], []] };
    const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: false };
    await load([{ id: 'f', type: 'tab', label: 'test' }, ...(name === 'lanpost-box' ? [] : [config]), node], { lanpost: { box: await openBox() } });
    // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
    const warned = flows._NodePrototype.warn.args.map(([text]) => /\$\{([\w-]+):([\w.]+)\} is not set/.exec(String(text)) ?? []).flatMap(([, of, field]) => (of === name ? [field] : []));
    const wanted = fields.flatMap((field) => LISTS[field]?.map((one) => `${field}.${one}`) ?? [field]);
    expect(wanted.filter((field) => !warned.includes(field))).toEqual([]);
  });

  it('has for each in its dialog what takes text: no list and no switch that would have no place for it', () => {
    const isText = (field: string): boolean => ['<input type="text"', '<textarea'].some((tag) => page.includes(`${tag} id="node-${name === 'lanpost-box' ? 'config-' : ''}input-${field}"`));
    expect(fields.filter((field) => LISTS[field] === undefined && !isText(field))).toEqual([]);
  });
});
