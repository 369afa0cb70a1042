// XEP-0059, as service discovery uses it; as XEP-0060 does is in ../xep-0060/06-5-items.test.ts.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as fc from 'fast-check';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { pageOf, readSet } from '../../../src/xep/rsm.ts';
import { attr, type Element, parseElement } from '../../../src/xmpp/element.ts';
import type { SimulatedLan } from '../../link/fixtures.ts';
import type { ServiceBox } from '../../link/service-box.ts';
import { all, find, type PubsubClient, serviceAndClient } from '../xep-0060/client.ts';

const RSM = 'http://jabber.org/protocol/rsm';

describe('XEP-0059 Result Set Management', () => {
  describe('of the nodes there are', () => {
    let lan: SimulatedLan;
    let a: ServiceBox;
    let c: PubsubClient;
    beforeEach(async () => {
      ({ lan, a, c } = await serviceAndClient('c'));
      for (let i = 100; i < 305; i += 1) await a.broker.create(OWNER, `t${i}`, { accessModel: 'open' });
    });
    afterEach(() => lan.close());
    const ask = (set = ''): Promise<Element> => c.query(`<query xmlns='http://jabber.org/protocol/disco#items'>${set}</query>`);
    const nodes = (answer: Element): string[] => all(answer, 'item').map((item) => attr(item, 'node') ?? '');

    it('§2.1 no more come than asked for; and of too many a part, that is said', async () => {
      expect(nodes(await ask(`<set xmlns='${RSM}'><max>3</max></set>`))).toEqual(['t100', 't101', 't102']);
      const answer = await ask();
      expect(nodes(answer)).toHaveLength(100);
      expect(find(answer, 'count')?.getText()).toBe('205');
    });

    it('§2.2 page by page all come, each once, though some go meanwhile', async () => {
      const found: string[] = [];
      for (let after: string | undefined = ''; after !== undefined;) {
        const answer = await ask(`<set xmlns='${RSM}'><max>50</max>${after === '' ? '' : `<after>${after}</after>`}</set>`);
        found.push(...nodes(answer));
        after = find(answer, 'last')?.getText();
        // The last of each page is gone before the next is asked for: what its name says of its place is enough.
        if (after !== undefined) await a.broker.delete(OWNER, after);
      }
      expect(found).toEqual(Array.from({ length: 205 }, (_, i) => `t${100 + i}`));
    });

    it('§2.6 a page out of order begins at its index; §2.7 the count alone', async () => {
      const answer = await ask(`<set xmlns='${RSM}'><max>2</max><index>200</index></set>`);
      expect(nodes(answer)).toEqual(['t300', 't301']);
      expect(find(answer, 'first')?.attrs['index']).toBe('200');
      const count = await ask(`<set xmlns='${RSM}'><max>0</max></set>`);
      expect(nodes(count)).toEqual([]);
      expect(find(count, 'count')?.getText()).toBe('205');
      expect(find(count, 'first')).toBeUndefined();
    });
  });

  it('§2.2, §2.3 forwards and backwards give the same pages, whatever is in the list', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.string({ minLength: 1, maxLength: 5 }), { maxLength: 30 }), fc.integer({ min: 1, max: 7 }), (list, max) => {
      const ids = list.toSorted();
      const forwards: string[] = [];
      for (let after: string | undefined; ;) {
        const { page, info } = pageOf(ids, (id) => id, after === undefined ? { max } : { max, after }, 100);
        if (page.length === 0) break;
        forwards.push(...page);
        after = info.last;
      }
      const backwards: string[] = [];
      for (let before = ''; ;) {
        const { page, info } = pageOf(ids, (id) => id, { max, before }, 100);
        if (page.length === 0) break;
        backwards.unshift(...page);
        before = info.first ?? '';
        if (before === '') break;
      }
      expect(forwards).toEqual(ids);
      expect(backwards).toEqual(ids);
    }));
  });

  it.each(['<max>x</max>', '<max>-1</max>', '<max>1</max><after>a</after><before>b</before>', '<index>1.5</index>'])('what no set says is bad-request: %s', (inner) => {
    expect(() => readSet(parseElement(`<query xmlns='q'><set xmlns='${RSM}'>${inner}</set></query>`))).toThrow(expect.objectContaining({ condition: 'bad-request' }));
  });
});
