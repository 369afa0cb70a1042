// The ids of all that a node holds, as services list them, and as one might that means harm.
import { describe, expect, it } from 'vitest';
import { listing, LISTED_BYTES } from '../../../src/home/down/listing.ts';
import { NS_DISCO_ITEMS } from '../../../src/xep/disco.ts';
import { NS_RSM } from '../../../src/xep/rsm.ts';
import { type Element, xml } from '../../../src/xmpp/element.ts';

const TARGET = { service: 'pubsub.h', node: 'n', topic: 'n' };

interface Page { readonly ids: readonly string[]; readonly last?: string; readonly count?: number }

/** Answers with one after the other. */
function pages(give: (n: number) => Page): { asked: number; request: (iq: Element) => Promise<Element> } {
  const service = {
    asked: 0,
    request: (): Promise<Element> => {
      const { ids, last, count } = give(service.asked++);
      const set = [...(last === undefined ? [] : [xml('last', {}, last)]), ...(count === undefined ? [] : [xml('count', {}, String(count))])];
      return Promise.resolve(xml('iq', { type: 'result' }, xml('query', { xmlns: NS_DISCO_ITEMS }, ...ids.map((name) => xml('item', { jid: 'h', name })), ...(set.length === 0 ? [] : [xml('set', { xmlns: NS_RSM }, ...set)]))));
    },
  };
  return service;
}

describe('the list of a node', () => {
  it.each([['newest first', ['c', 'b', 'a']], ['oldest first', ['a', 'b', 'c']]])('is oldest first, also where one item alone tells the order (%s)', async (_order, ids) => {
    for (const newest of [['b', 'c'], ['c']]) expect(await listing(TARGET, newest, pages(() => ({ ids })).request)).toEqual({ ids: ['a', 'b', 'c'], whole: true });
  });

  it('has what is newest also where the service leaves it out', async () => {
    expect((await listing(TARGET, ['y', 'z'], pages(() => ({ ids: ['a', 'b'] })).request)).ids).toEqual(['a', 'b', 'y', 'z']);
  });

  it('is not whole where the service says that there is more than it gives', async () => {
    const { request } = pages((n) => (n === 0 ? { ids: ['a', 'b'], last: '1', count: 4 } : { ids: [], count: 4 }));
    expect(await listing(TARGET, ['b'], request)).toEqual({ ids: ['a', 'b'], whole: false });
  });

  it('ends where its text is longer than may be held', async () => {
    const long = 'x'.repeat(1 << 20);
    const service = pages((n) => ({ ids: [`${n}${long}`], last: String(n) }));
    expect((await listing(TARGET, ['new'], service.request)).whole).toBe(false);
    expect(service.asked).toBeLessThanOrEqual(LISTED_BYTES / (1 << 20) + 1);
  });
});
