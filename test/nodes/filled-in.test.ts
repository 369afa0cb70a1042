import { describe, expect, it } from 'vitest';
import { useEmbeddingBox } from './embedding-box.ts';
import { useFlows } from './flow-kit.ts';
import { everyFieldOf, fieldsOf, LISTS, NODES, pageOf } from './node-fields.ts';

const { flows, load } = useFlows();
const openBox = useEmbeddingBox(flows);
describe.each(NODES)('%s', (name) => {
  const page = pageOf(name);
  const fields = fieldsOf(name);

  it('takes ${NAME} in every field, and says which of them is not set', async () => {
    expect(fields.length).toBeGreaterThan(0);
    const places = (field: string): unknown => (LISTS[field] ? [Object.fromEntries(LISTS[field].map((one) => [one, `\${${name}:${field}.${one}}`]))] : `\${${name}:${field}}`);
    const type = name.replaceAll('-', ' ');
    const node = { id: 'it', type, z: 'f', box: 'box', configVersion: 99, ...Object.fromEntries(fields.map((field) => [field, places(field)])), wires: [[], []] };
    const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: false };
    await load([{ id: 'f', type: 'tab', label: 'test' }, ...(name === 'lanpost-box' ? [] : [config]), node], { lanpost: { box: await openBox() } });
    // oxlint-disable-next-line no-underscore-dangle -- the helper's own name
    const warned = flows._NodePrototype.warn.args.map(([text]) => /\$\{([\w-]+):([\w.]+)\} is not set/.exec(String(text)) ?? []).flatMap(([, of, field]) => (of === name ? [field] : []));
    const wanted = everyFieldOf(name);
    expect(wanted.filter((field) => !warned.includes(field))).toEqual([]);
  });

  it('has for each in its dialog what takes text: no list and no switch that would have no place for it', () => {
    const isText = (field: string): boolean => ['<input type="text"', '<textarea'].some((tag) => page.includes(`${tag} id="node-${name === 'lanpost-box' ? 'config-' : ''}input-${field}"`));
    expect(fields.filter((field) => LISTS[field] === undefined && !isText(field))).toEqual([]);
  });
});
