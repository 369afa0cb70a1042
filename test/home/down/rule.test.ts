import { describe, expect, it } from 'vitest';
import { checkedDownRules } from '../../../src/home/down/rule.ts';

describe('a rule for what comes down', () => {
  it('says which node of which service is which topic here, and where it begins', () => {
    expect(checkedDownRules([{ node: 'orders' }, { node: 'site/#', as: 'far/{node}', service: 'News.Test', from: 'new' }], 'pubsub.test')).toEqual([
      { node: 'orders', service: 'pubsub.test', as: '{node}', from: 'start' }, { node: 'site/#', service: 'news.test', as: 'far/{node}', from: 'new' },
    ]);
  });

  it.each([
    [{ node: 'a\u0001', as: 'here' }], [{ node: 'a\uffff', as: 'here' }], [{ node: 'a\ud800', as: 'here' }], [{ node: 'a', as: 'b\uffff' }], [{ node: 'a', as: '$inbox' }],
    [{ node: 'a/#', as: 'b' }], [{ node: 'a/#/b' }], [{ node: 'a', service: 'x y' }],
  ])('%j is refused at the door', (rule) => {
    expect(() => checkedDownRules([rule], 'pubsub.test')).toThrow(expect.objectContaining({ name: 'LanpostError' }));
  });
});
