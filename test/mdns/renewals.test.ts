import { describe, expect, it } from 'vitest';
import { Cache } from '../../src/mdns/cache.ts';
import { type DnsRecord, makeMessage, type Message } from '../../src/mdns/message.ts';
import { nameKey } from '../../src/mdns/name.ts';
import { Renewals } from '../../src/mdns/renewals.ts';
import { OneLink, OTHER, peer, rr, SERVICE } from '../conformance/rfc-6762/one-link.ts';

const browsing = (): OneLink => {
  const one = new OneLink();
  one.do((link, now) => link.browse(SERVICE, now));
  return one;
};
const said = (answers: readonly DnsRecord[]): Message => makeMessage({ response: true, answers });
const hear = (one: OneLink, message: Message): void => one.do((link, now) => link.receive(message, OTHER, now));

describe('an answer that comes again, word for word', () => {
  it('keeps what it says for as long as it comes, and no longer', () => {
    const one = browsing();
    const message = said(peer('b', 'h2'));
    for (let i = 0; i < 10; i++) {
      hear(one, message);
      one.advance(60_000);
    }
    expect(one.of('found')).toHaveLength(1);
    expect(one.of('lost')).toEqual([]);
    expect(one.link.lastHeard(`b@h2.${SERVICE}`)).toBe(one.now - 60_000);
    one.advance(120_000);
    expect(one.of('lost')).toHaveLength(1);
  });

  it('RFC 6762 §10.2 still takes back what it does not say', () => {
    const one = browsing();
    const message = said(peer('b', 'h2'));
    for (let i = 0; i < 4; i++) hear(one, message);
    hear(one, said([rr.a('h2.local', '10.0.0.3', { flush: false })]));
    expect(one.of('found').at(-1)).toMatchObject({ service: { addresses: ['10.0.0.2', '10.0.0.3'] } });
    // Within a second both may be meant; then only what it says.
    for (let i = 0; i < 3; i++) hear(one, message);
    for (let i = 0; i < 2; i++) {
      one.advance(1500);
      hear(one, message);
    }
    one.advance(1500);
    expect(one.of('found').at(-1)).toMatchObject({ service: { addresses: ['10.0.0.2'] } });
  });

  it('is news again after a goodbye, and what it renews is believed again after a doubt', () => {
    const one = browsing();
    const message = said(peer('b', 'h2'));
    for (let i = 0; i < 4; i++) hear(one, message);
    hear(one, said(peer('b', 'h2').map((record) => ({ ...record, ttl: 0 }))));
    one.advance(1500);
    expect(one.of('lost')).toHaveLength(1);
    for (let i = 0; i < 4; i++) hear(one, message);
    expect(one.of('found')).toHaveLength(2);
    one.do((link, now) => link.reconfirm(`b@h2.${SERVICE}`, now));
    hear(one, message);
    one.advance(20_000);
    expect(one.of('lost')).toHaveLength(1);
  });

  it('is remembered for a number of them, however many there are', () => {
    const one = browsing();
    for (let i = 0; i < 5000; i++) {
      const message = said(peer('b', 'h2'));
      hear(one, message);
      hear(one, message);
    }
    expect(one.of('found')).toHaveLength(1);
  });

  it('is not remembered when it is longer than what is known by its words: 2048 of those would be 150 MB, of one stranger', () => {
    const cache = new Cache({ random: () => 0.5, limit: 4096, bytes: 1 << 20, changed: () => undefined, refresh: () => undefined, goodbye: () => undefined });
    const renewals = new Renewals(cache);
    const pointer = rr.ptr(SERVICE, `b@h2.${SERVICE}`);
    cache.put(pointer, nameKey(pointer.name), 0);
    const renewed = (times: number): boolean => {
      const message = said(Array.from({ length: times }, () => pointer));
      for (let i = 0; i < 2; i++) renewals.taken(message);
      return renewals.renew(message, 1);
    };
    expect([renewed(1), renewed(40), renewed(600)]).toEqual([true, true, false]);
  });
});
