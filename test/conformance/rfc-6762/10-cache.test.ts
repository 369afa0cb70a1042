import { describe, expect, it } from 'vitest';
import type { Wanted } from '../../../src/mdns/own-records.ts';
import { TYPE } from '../../../src/mdns/message.ts';
import { HOST, INSTANCE, OneLink, OTHER, peer, rr, SERVICE } from './one-link.ts';

const B = `b@h2.${SERVICE}`;
const newcomer = { address: '10.0.0.9', port: 5353 };
const browsing = (): OneLink => {
  const one = new OneLink();
  one.do((link, now) => link.browse(SERVICE, now));
  one.answer(peer('b', 'h2'));
  return one;
};
const texts = (one: OneLink): string[] => one.of('found').map(({ service }) => Buffer.from(service.text).toString().slice(1));

describe('RFC 6762 §10 resource record TTL values and cache coherency', () => {
  it('§10 120 s for records with a host name in them, 75 min for others', () => {
    const one = new OneLink();
    one.claim();
    one.advance(1000);
    const ttl = new Map(one.responses[0]?.message.answers.map((record) => [record.type, record.ttl]));
    expect([ttl.get(TYPE.A), ttl.get(TYPE.SRV), ttl.get(TYPE.TXT), ttl.get(TYPE.PTR)]).toEqual([120, 120, 4500, 4500]);
  });

  it('§10.1 leaving says goodbye: own records with TTL 0, but not the enumeration of types, which others say too', () => {
    const one = OneLink.held();
    one.do((link) => link.releaseAll());
    expect(one.responses).toHaveLength(1);
    expect(one.responses[0]?.message.answers.every(({ ttl }) => ttl === 0)).toBe(true);
    expect(one.responses[0]?.message.answers.map(({ name }) => name).toSorted()).toEqual([SERVICE, INSTANCE, INSTANCE, HOST].toSorted());
    one.advance(60_000);
    expect(one.sent).toHaveLength(1);
  });

  it('§10.1 nothing is taken back that was never said', () => {
    const one = new OneLink();
    one.claim();
    one.advance(400);
    one.forgetSent();
    one.do((link) => link.releaseAll());
    one.advance(10_000);
    expect(one.sent).toEqual([]);
  });

  it('§10.1 an address that is gone is taken back where no other of its kind comes, also under a host name that another responder may use', () => {
    const one = new OneLink();
    const host = (...unique: string[]): Wanted => ({ name: HOST, unique: unique.map((address) => rr.a(HOST, address)), shared: [], goodbye: false });
    one.do((link) => link.claim(host('10.0.0.1', 'fe80::1'), one.now));
    one.advance(20_000);
    one.forgetSent();
    one.do((link) => link.claim(host('fe80::1'), one.now));
    one.advance(5000);
    expect(one.responses.flatMap(({ message }) => message.answers)).toMatchObject([{ name: HOST, type: TYPE.A, ttl: 0 }]);
    // Leaving as a whole takes nothing back there.
    one.forgetSent();
    one.do((link) => link.releaseAll());
    one.advance(5000);
    expect(one.sent).toEqual([]);
  });

  it('§10.1 a goodbye leaves the record one more second', () => {
    const one = browsing();
    one.answer([rr.ptr(SERVICE, B, { ttl: 0 })]);
    one.advance(990);
    expect(one.of('lost')).toEqual([]);
    one.advance(20);
    expect(one.of('lost')).toMatchObject([{ name: B }]);
  });

  it('§10.1 a record said again within that second stays', () => {
    const one = browsing();
    one.answer([rr.ptr(SERVICE, B, { ttl: 0 })]);
    one.advance(500);
    one.answer(peer('b', 'h2'));
    one.advance(5000);
    expect(one.of('lost')).toEqual([]);
  });

  it('§10.2 with the flush bit, what was learned more than a second before goes within a second', () => {
    const one = browsing();
    one.advance(2000);
    one.answer([rr.a('h2.local', '10.0.0.22')]);
    one.advance(1100);
    expect(one.of('found').at(-1)?.service.addresses).toEqual(['10.0.0.22']);
  });

  it('§10.2 what was learned within the second stays: a set may come in two packets', () => {
    const one = browsing();
    one.advance(500);
    one.answer([rr.a('h2.local', '10.0.0.22')]);
    one.advance(3000);
    expect(one.of('found').at(-1)?.service.addresses).toEqual(['10.0.0.2', '10.0.0.22']);
  });

  it('§10.2 a new TXT counts at once, and a third, and the first again', () => {
    const one = browsing();
    one.advance(5000);
    for (const status of ['dnd', 'away', 'avail']) {
      one.answer([rr.txt(B, [['status', status]])]);
      one.advance(300);
    }
    one.advance(5000);
    expect(texts(one)).toEqual(['status=avail', 'status=dnd', 'status=away', 'status=avail']);
  });

  it('§10.2 a flush bit on a shared PTR, as broken stacks send, does not wipe the others', () => {
    const one = browsing();
    one.advance(5000);
    one.answer([rr.ptr(SERVICE, `c@h3.${SERVICE}`, { flush: true })]);
    one.advance(3000);
    expect(one.of('lost')).toEqual([]);
  });

  it('§10.3 nothing is believed any more when the link is gone', () => {
    const one = browsing();
    one.do((link, now) => link.clear(now));
    expect(one.of('lost')).toMatchObject([{ name: B }]);
  });

  it('§10.4 reconfirm: asked for at once and twice more, and gone after 5 s without answer', () => {
    const one = browsing();
    one.advance(30_000);
    one.forgetSent();
    const since = one.now;
    one.do((link, now) => link.reconfirm(B, now));
    one.advance(6000);
    expect(one.asked.filter(({ type }) => type === TYPE.SRV).map(({ at }) => at - since)).toEqual([0, 1000, 3000]);
    expect(one.of('lost')).toHaveLength(1);
  });

  it('§10.4 an answer ends the doubt', () => {
    const one = browsing();
    one.advance(30_000);
    one.do((link, now) => link.reconfirm(B, now));
    one.advance(100);
    one.answer(peer('b', 'h2'));
    one.advance(10_000);
    expect(one.of('lost')).toEqual([]);
  });

  it('§10.5 others\' questions that stay unanswered raise doubt', () => {
    const one = browsing();
    one.advance(20_000);
    one.forgetSent();
    one.ask(B, TYPE.SRV, {}, OTHER);
    one.advance(1500);
    one.ask(B, TYPE.SRV, {}, OTHER);
    one.advance(6000);
    expect(one.of('lost')).toHaveLength(1);
  });

  it('§10.5 answered ones do not', () => {
    const one = browsing();
    one.advance(20_000);
    one.ask(B, TYPE.SRV, {}, OTHER);
    one.advance(100);
    one.answer(peer('b', 'h2'));
    one.advance(1500);
    one.ask(B, TYPE.SRV, {}, OTHER);
    one.advance(8000);
    expect(one.of('lost')).toEqual([]);
  });

  it('§10.5 whoever does not answer when others ask who is there is asked himself, and gone if he is silent', () => {
    const one = browsing();
    one.answer(peer('c', 'h3', '10.0.0.3'));
    one.advance(20_000);
    one.forgetSent();
    for (let round = 0; round < 2; round++) {
      one.ask(SERVICE, TYPE.PTR, {}, newcomer);
      one.advance(100);
      one.answer(peer('c', 'h3', '10.0.0.3'));
      one.advance(1400);
    }
    one.advance(6000);
    expect(one.of('lost')).toMatchObject([{ name: B }]);
    expect(one.asked.filter(({ type, name }) => type === TYPE.SRV && name !== B)).toEqual([]);
  });

  it('§10.5 not when the other knows of him, or says in further packets of whom it knows', () => {
    const one = browsing();
    one.advance(20_000);
    for (let round = 0; round < 4; round++) {
      one.ask(SERVICE, TYPE.PTR, { answers: [rr.ptr(SERVICE, B)] }, newcomer);
      one.advance(1500);
      one.ask(SERVICE, TYPE.PTR, { truncated: true }, newcomer);
      one.hear({ answers: [rr.ptr(SERVICE, `c@h3.${SERVICE}`)] }, newcomer);
      one.advance(1500);
    }
    one.advance(6000);
    expect(one.of('lost')).toEqual([]);
  });

  it('§10.5 nor him who asks: he does not answer himself', () => {
    const one = browsing();
    one.advance(20_000);
    one.forgetSent();
    for (let round = 0; round < 4; round++) {
      one.ask(SERVICE, TYPE.PTR, {}, OTHER);
      one.advance(1500);
    }
    expect(one.asked.filter(({ type }) => type === TYPE.SRV)).toEqual([]);
  });

  it('§10.5 not for what nobody here browses', () => {
    const one = browsing();
    one.advance(20_000);
    one.forgetSent();
    for (let round = 0; round < 3; round++) {
      one.ask('_http._tcp.local', TYPE.PTR);
      one.advance(1500);
    }
    expect([one.of('lost'), one.asked.filter(({ type }) => type === TYPE.SRV)]).toEqual([[], []]);
  });
});
