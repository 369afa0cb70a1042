import { describe, expect, it } from 'vitest';
import { TYPE } from '../../../src/mdns/message.ts';
import { INSTANCE, OneLink, OTHER, peer, rr, SERVICE } from './one-link.ts';

describe('RFC 6762 §7 traffic reduction', () => {
  it('§7.1 an answer the questioner knows is not sent', () => {
    const one = OneLink.held();
    one.ask(SERVICE, TYPE.PTR, { answers: [rr.ptr(SERVICE, INSTANCE)] });
    one.advance(2000);
    expect(one.sent).toEqual([]);
  });

  it('§7.1 it is sent when the known one has less than half its life left', () => {
    const one = OneLink.held();
    one.ask(SERVICE, TYPE.PTR, { answers: [rr.ptr(SERVICE, INSTANCE, { ttl: 2249 })] });
    one.advance(2000);
    expect(one.responses).toHaveLength(1);
  });

  it('§7.1 a question carries the answers that are known, with the time they have left', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    one.answer(peer('b', 'h2'));
    one.answer([rr.ptr(SERVICE, `old@h3.${SERVICE}`, { ttl: 5 })]);
    one.advance(3500);
    const [, second] = one.queries.filter(({ message }) => message.questions[0]?.type === TYPE.PTR);
    expect(second?.message.answers).toMatchObject([{ ttl: 4498, flush: false, data: { target: `b@h2.${SERVICE}` } }, { ttl: 3 }]);
    const [, , third] = one.queries.filter(({ message }) => message.questions[0]?.type === TYPE.PTR);
    expect(third?.message.answers).toHaveLength(1);
  });

  it('§7.1 what others say that they know is not believed', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    one.ask(SERVICE, TYPE.PTR, { answers: peer('b', 'h2') });
    one.advance(10_000);
    expect(one.of('found')).toEqual([]);
    expect(one.asked.filter(({ type }) => type === TYPE.SRV)).toEqual([]);
  });

  it('§7.2 known answers that do not fit follow in further packets, all but the last with TC, none over the MTU', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    one.advance(200);
    one.forgetSent();
    one.answer(Array.from({ length: 1000 }, (_, index) => rr.ptr(SERVICE, `device-${index}@kitchen.${SERVICE}`)));
    one.advance(1000);
    const asked = one.queries.filter(({ message }) => message.answers.length > 0 || message.questions.some(({ type }) => type === TYPE.PTR));
    expect(asked.map(({ message }) => message.truncated)).toEqual(asked.map((_, index) => index < asked.length - 1));
    expect(asked.flatMap(({ message }) => message.answers)).toHaveLength(1000);
    expect(asked.map(({ message }) => message.questions.length)).toEqual(asked.map((_, index) => (index === 0 ? 1 : 0)));
    expect(Math.max(...one.sent.map(({ length }) => length))).toBeLessThanOrEqual(1452);
  });

  it('§7.2 after TC the answer waits 400–500 ms for what else is known', () => {
    const one = OneLink.held();
    const since = one.now;
    one.ask(SERVICE, TYPE.PTR, { truncated: true });
    one.advance(2000);
    expect((one.responses[0]?.at ?? 0) - since).toBeGreaterThanOrEqual(400);
    expect((one.responses[0]?.at ?? 0) - since).toBeLessThanOrEqual(500);
    one.forgetSent();
    one.ask(SERVICE, TYPE.PTR, { truncated: true });
    one.hear({ answers: [rr.ptr(SERVICE, INSTANCE)] });
    one.advance(2000);
    expect(one.responses).toEqual([]);
  });

  it('§7.2 what one questioner knows does not silence the answer to another', () => {
    const one = OneLink.held();
    one.ask(SERVICE, TYPE.PTR, { truncated: true });
    one.hear({ answers: [rr.ptr(SERVICE, INSTANCE)] }, { address: '10.0.0.3', port: 5353 });
    one.advance(2000);
    expect(one.responses).toHaveLength(1);
  });

  it('§7.3 a question another has just asked is not asked again, if its known answers are known here', () => {
    const one = new OneLink();
    one.random = 1;
    one.do((link, now) => link.browse(SERVICE, now));
    one.advance(50);
    one.ask(SERVICE, TYPE.PTR);
    one.advance(500);
    expect(one.asked).toEqual([]);
  });

  it('§7.3 it is asked when the other knows what we do not', () => {
    const one = new OneLink();
    one.random = 1;
    one.do((link, now) => link.browse(SERVICE, now));
    one.ask(SERVICE, TYPE.PTR, { answers: [rr.ptr(SERVICE, `b@h2.${SERVICE}`)] });
    one.ask(SERVICE, TYPE.PTR, { truncated: true }, { address: '10.0.0.3', port: 5353 });
    one.hear({ answers: [rr.ptr(SERVICE, `b@h2.${SERVICE}`)] }, { address: '10.0.0.3', port: 5353 });
    one.advance(500);
    expect(one.asked).toHaveLength(1);
  });

  it('§7.4 an answer another has just given is not given again', () => {
    const one = OneLink.held();
    one.ask('_services._dns-sd._udp.local', TYPE.PTR);
    one.answer([rr.ptr('_services._dns-sd._udp.local', SERVICE)], OTHER);
    one.advance(2000);
    expect(one.sent).toEqual([]);
  });
});
