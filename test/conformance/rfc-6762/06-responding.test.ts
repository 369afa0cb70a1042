import { describe, expect, it } from 'vitest';
import { TYPE } from '../../../src/mdns/message.ts';
import { HOST, INSTANCE, OneLink, OTHER, rr, SERVICE } from './one-link.ts';

describe('RFC 6762 §6 responding', () => {
  it('§6 a unique record is answered at once, with AA, id 0 and no question', () => {
    const one = OneLink.held();
    one.ask(HOST, TYPE.A);
    one.advance(0);
    expect(one.responses).toHaveLength(1);
    expect(one.responses[0]?.message).toMatchObject({ id: 0, authoritative: true, questions: [], answers: [{ type: TYPE.A, flush: true, ttl: 120 }] });
  });

  it('§6 a shared record waits 20–120 ms', () => {
    for (const [random, delay] of [[0, 20], [0.999, 120]] as const) {
      const one = OneLink.held();
      one.random = random;
      const since = one.now;
      one.ask(SERVICE, TYPE.PTR);
      one.advance(200);
      expect(Math.round((one.responses[0]?.at ?? 0) - since)).toBe(delay);
    }
  });

  it('§6 a record is not multicast twice within a second, but answered after it', () => {
    const one = OneLink.held();
    one.ask(HOST, TYPE.A);
    one.advance(0);
    one.ask(HOST, TYPE.A);
    one.advance(990);
    expect(one.responses).toHaveLength(1);
    one.advance(20);
    expect(one.responses).toHaveLength(2);
  });

  it('§6 a probe is answered again after 250 ms', () => {
    const one = OneLink.held();
    one.ask(HOST, TYPE.ANY, { authorities: [rr.a(HOST, '10.0.0.9', { flush: false })] });
    one.advance(0);
    one.advance(200);
    one.ask(HOST, TYPE.ANY, { authorities: [rr.a(HOST, '10.0.0.9', { flush: false })] });
    one.advance(49);
    expect(one.responses).toHaveLength(1);
    one.advance(1);
    expect(one.responses).toHaveLength(2);
  });

  it('§6 a response from a port that is not 5353 is ignored', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    one.answer([rr.ptr(SERVICE, INSTANCE), rr.srv(INSTANCE, HOST), rr.txt(INSTANCE), rr.a(HOST, '10.0.0.2')], { address: '10.0.0.2', port: 4444 });
    expect(one.of('found')).toEqual([]);
  });

  it('§6 names are compared without case, and a name is answered in its own case', () => {
    const one = OneLink.held();
    one.ask('H1.LOCAL', TYPE.A);
    one.advance(0);
    expect(one.responses[0]?.message.answers[0]?.name).toBe(HOST);
  });

  it('§6 a query for ANY gets every record of the name', () => {
    const one = OneLink.held();
    one.ask(INSTANCE, TYPE.ANY);
    one.advance(0);
    expect(one.responses[0]?.message.answers.map(({ type }) => type)).toEqual([TYPE.SRV, TYPE.TXT]);
  });

  it('§6 nothing is said about names and classes that are not ours', () => {
    const one = OneLink.held();
    one.ask('h2.local', TYPE.A);
    one.hear({ questions: [{ name: HOST, type: TYPE.A, class: 3, unicast: false }] });
    one.advance(5000);
    expect(one.sent).toEqual([]);
  });

  it('§6.1 a held name says with NSEC which types it has not', () => {
    const one = OneLink.held();
    one.ask(HOST, TYPE.AAAA);
    one.ask(INSTANCE, TYPE.A);
    one.advance(0);
    expect(one.responses.flatMap(({ message }) => message.answers)).toMatchObject([
      { name: HOST, type: TYPE.NSEC, flush: true, data: { next: HOST, types: [TYPE.A] } },
      { name: INSTANCE, type: TYPE.NSEC, data: { types: [TYPE.TXT, TYPE.SRV] } },
    ]);
  });

  it('§6.2 an address comes with the other kind, or with NSEC when there is none', () => {
    const one = OneLink.held();
    one.ask(HOST, TYPE.A);
    one.advance(0);
    expect(one.responses[0]?.message.additionals).toMatchObject([{ type: TYPE.NSEC, data: { types: [TYPE.A] } }]);
  });

  it('§6.3 every question of a message is answered', () => {
    const one = OneLink.held();
    one.hear({ questions: [{ name: HOST, type: TYPE.A, class: 1, unicast: false }, { name: INSTANCE, type: TYPE.TXT, class: 1, unicast: false }] });
    one.advance(0);
    expect(one.responses.flatMap(({ message }) => message.answers.map(({ type }) => type))).toEqual([TYPE.A, TYPE.TXT]);
  });

  it('§6.4 answers to several queries go out together', () => {
    const one = OneLink.held();
    one.random = 0.9;
    one.ask(SERVICE, TYPE.PTR);
    one.random = 0.1;
    one.ask('_services._dns-sd._udp.local', TYPE.PTR);
    one.advance(500);
    expect(one.responses).toHaveLength(1);
    expect(one.responses[0]?.message.answers).toHaveLength(2);
  });

  it('§6.5 a query for any class is answered', () => {
    const one = OneLink.held();
    one.hear({ questions: [{ name: HOST, type: TYPE.ANY, class: 255, unicast: false }] });
    one.advance(0);
    expect(one.responses[0]?.message.answers).toMatchObject([{ name: HOST, type: TYPE.A, class: 1 }]);
  });

  it('§6.6 another that says our record with less than half its TTL makes us say it again', () => {
    const one = OneLink.held();
    one.answer([rr.ptr('_services._dns-sd._udp.local', SERVICE, { ttl: 0 })]);
    one.advance(10);
    expect(one.responses[0]?.message.answers).toMatchObject([{ name: '_services._dns-sd._udp.local', ttl: 4500 }]);
  });

  it('§6.7 a plain resolver gets its id and question back, TTL at most 10, no flush bit, by unicast, at once', () => {
    const one = OneLink.held();
    const resolver = { address: '10.0.0.7', port: 40_000 };
    one.ask(SERVICE, TYPE.PTR, { id: 4711 }, resolver);
    expect(one.responses).toHaveLength(1);
    const [sent] = one.responses;
    expect(sent?.to).toEqual(resolver);
    expect(sent?.message).toMatchObject({ id: 4711, authoritative: true, questions: [{ name: SERVICE, type: TYPE.PTR }] });
    const records = [...sent?.message.answers ?? [], ...sent?.message.additionals ?? []];
    expect(records.length).toBeGreaterThan(3);
    expect(records.every(({ ttl, flush }) => ttl <= 10 && !flush)).toBe(true);
  });

  it('§6 nothing is answered while it is only being probed for', () => {
    const one = new OneLink();
    one.claim();
    one.advance(300);
    one.ask(HOST, TYPE.A);
    one.ask(SERVICE, TYPE.PTR);
    one.advance(200);
    expect(one.responses).toEqual([]);
  });

  it('§6 a direct answer is not sent to those who did not ask', () => {
    const one = OneLink.held();
    one.ask(HOST, TYPE.A, { unicast: true }, { address: '10.0.0.8', port: 5353 });
    expect(one.responses.every(({ to }) => to?.address === '10.0.0.8')).toBe(true);
    one.ask(HOST, TYPE.A, {}, OTHER);
    one.advance(0);
    expect(one.responses.at(-1)?.to).toBeUndefined();
  });
});
