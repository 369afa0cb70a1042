import { describe, expect, it } from 'vitest';
import { toAccount } from '../../src/home/account.ts';
import { nodeOf, toRule } from '../../src/home/up-rule.ts';
import { createRig } from './rig.ts';

const account = { jid: 'box@home.test', password: 'x' };

describe('rules of what goes up', () => {
  it('a list of topics is rules with defaults, after those that say more', () => {
    const { rules } = toAccount({ ...account, topics: ['b/#', 'a'], up: [{ filter: 'b/c', priority: 3 }, { filter: 'a', pack: true }] });
    expect(rules.map(({ filter, priority, pack }) => [filter, priority, pack])).toEqual([['b/c', 3, undefined], ['a', 0, { records: 500, bytes: 65_536 }], ['b/#', 0, undefined]]);
  });
  it('a node has the topic\'s name, or what the rule says', () => {
    expect(nodeOf(toRule({ filter: '#' }), 'hall/temp', 'abcd')).toBe('hall/temp');
    expect(nodeOf(toRule({ filter: '#', node: '{box}/site-7/{topic}' }), 'a$&b', 'abcd')).toBe('abcd/site-7/a$&b');
  });
  it.each<[object]>([[{ filter: 'a//b' }], [{ filter: 'a', node: '{name}' }], [{ filter: 'a', node: 'a\u0001' }], [{ filter: 'a', node: 'a\uffff' }], [{ filter: 'a', node: 'a\ud800' }]])('%j is refused at the door', (rule) => {
    expect(() => toAccount({ ...account, up: [rule as { filter: string }] })).toThrow(expect.objectContaining({ name: 'LanpostError' }));
  });
  it.each<[object]>([[{}], [{ filter: 'a', order: 'all' }], [{ filter: 'a', priority: 10 }], [{ filter: 'a', pack: 7 }], [{ filter: 'a', pack: { bytes: 300_000 } }], [{ filter: 'a', expire: 5 }], [{ filter: 'a', x: 1 }], [{ filter: 'a', node: '' }]])('%j is a TypeError', (rule) => {
    expect(() => toAccount({ ...account, up: [rule as { filter: string }] })).toThrow(TypeError);
  });
  it('a topic goes to the node that its rule names, and to no other', async () => {
    await using rig = await createRig();
    await rig.add({ topics: ['#'], up: [{ filter: 'hall/#', node: 'site-7/{topic}' }] });
    await rig.publish('hall/temp', 1, 2);
    await rig.publish('door', 3);
    await rig.drained();
    expect([...rig.home.nodes].map(([node, items]) => `${node} ${items.size}`).toSorted()).toEqual(['door 1', 'site-7/hall/temp 2']);
  });
});
