// oxlint-disable vitest/warn-todo -- what is not done stays visible
import { describe, expect, it } from 'vitest';
import { TYPE } from '../../../src/mdns/message.ts';
import { OneLink, OTHER, peer, rr, SERVICE } from './one-link.ts';

const browsing = (): OneLink => {
  const one = new OneLink();
  one.do((link, now) => link.browse(SERVICE, now));
  return one;
};
const pointers = (one: OneLink): number[] => one.asked.filter(({ type }) => type === TYPE.PTR).map(({ at }) => at);

describe('RFC 6762 §5 querying', () => {
  it('§5.2 the first query waits a random 20–120 ms', () => {
    for (const random of [0, 0.999]) {
      const one = new OneLink();
      one.random = random;
      one.do((link, now) => link.browse(SERVICE, now));
      one.advance(1000);
      expect(pointers(one)[0]).toBeGreaterThanOrEqual(20);
      expect(pointers(one)[0]).toBeLessThanOrEqual(120);
    }
  });

  it('§5.2 the second query comes at least a second later, then the gap at least doubles up to an hour', () => {
    const one = browsing();
    one.random = 0;
    one.advance(12 * 3_600_000);
    const times = pointers(one);
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0));
    expect(gaps.slice(0, 5)).toEqual([1000, 2000, 4000, 8000, 16_000]);
    expect(Math.max(...gaps)).toBe(3_600_000);
  });

  it('§5.2 records are asked for at 80, 85, 90 and 95 % of their life, plus up to 2 %, then given up', () => {
    const one = browsing();
    one.answer(peer('b', 'h2'));
    one.advance(70_000);
    one.forgetSent();
    one.advance(60_000);
    const asked = one.asked.filter(({ type }) => type === TYPE.SRV).map(({ at }) => at);
    expect(asked).toHaveLength(4);
    for (const [index, part] of [0.8, 0.85, 0.9, 0.95].entries()) {
      expect(asked[index]).toBeGreaterThanOrEqual(120_000 * part);
      expect(asked[index]).toBeLessThanOrEqual(120_000 * (part + 0.02));
    }
    expect(one.of('lost')).toHaveLength(1);
  });

  it('§5.2 a record that is refreshed is not asked for again', () => {
    const one = browsing();
    one.answer(peer('b', 'h2'));
    one.advance(90_000);
    one.forgetSent();
    one.answer(peer('b', 'h2'));
    one.advance(90_000);
    expect(one.asked.filter(({ type }) => type === TYPE.SRV)).toEqual([]);
    expect(one.of('lost')).toEqual([]);
  });

  it('§5.2 records nobody browses for are neither kept nor refreshed', () => {
    const one = new OneLink();
    one.answer(peer('b', 'h2'));
    one.advance(5_000_000);
    expect(one.sent).toEqual([]);
    expect(one.link.next()).toBe(Infinity);
  });

  it('§5.3 several questions share one message', () => {
    const one = browsing();
    one.answer(Array.from({ length: 8 }, (_, index) => rr.ptr(SERVICE, `p${index}@h.${SERVICE}`)));
    one.advance(900);
    const resolving = one.queries.filter(({ message }) => message.questions.some(({ type }) => type === TYPE.SRV));
    expect(resolving).toHaveLength(1);
    expect(resolving[0]?.message.questions).toHaveLength(16);
  });

  it('§5.4, §15.1 asks no QU questions: another stack on the port would get the answers', () => {
    const one = browsing();
    one.claim();
    one.advance(60_000);
    expect(one.queries.flatMap(({ message }) => message.questions).filter(({ unicast }) => unicast)).toEqual([]);
  });

  it('§5.4 a QU question is answered by unicast when the record was multicast within a quarter of its TTL', () => {
    const one = OneLink.held();
    one.ask(SERVICE, TYPE.PTR, { unicast: true });
    one.advance(200);
    expect(one.responses.map(({ to }) => to)).toEqual([OTHER]);
  });

  it('§5.4 otherwise by multicast, so that all caches are fresh', () => {
    const one = OneLink.held();
    one.advance(2_000_000);
    one.forgetSent();
    one.ask(SERVICE, TYPE.PTR, { unicast: true });
    one.advance(200);
    expect(one.responses.map(({ to }) => to)).toEqual([undefined]);
  });

  it('§5.2 a peer that went without a goodbye is asked for every 8 s for a quarter of an hour, then once a minute (a departure)', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    one.answer(peer('b', 'h2'));
    one.advance(60_000);
    one.do((link, now) => link.reconfirm(`b@h2.${SERVICE}`, now));
    one.advance(6000);
    const lost = one.now;
    // Others are there: the link is not silent.
    for (let minute = 0; minute < 60; minute++) {
      one.hear({ response: true });
      one.advance(60_000);
    }
    const times = one.asked.filter(({ type, at }) => type === TYPE.PTR && at > lost).map(({ at }) => at - lost);
    const gaps = times.slice(1).map((at, index) => [at, at - (times[index] ?? 0)] as const);
    expect(gaps.filter(([at]) => at < 15 * 60_000).every(([, gap]) => gap >= 1000 && gap < 8000)).toBe(true);
    // And those of the browse itself.
    expect(times.filter((at) => at > 20 * 60_000).length).toBeLessThan(48);
  });

  it('§5.2 who is heard again, or said goodbye, is not asked for', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    one.answer(peer('b', 'h2'));
    one.advance(60_000);
    one.do((link, now) => link.reconfirm(`b@h2.${SERVICE}`, now));
    one.advance(6000);
    one.answer(peer('b', 'h2'));
    one.answer([rr.ptr(SERVICE, `b@h2.${SERVICE}`, { ttl: 0 })]);
    one.advance(2000);
    one.forgetSent();
    one.hear({ response: true });
    one.advance(60_000);
    expect(one.asked.filter(({ type }) => type === TYPE.PTR).length).toBeLessThan(2);
  });

  it.todo('§5.5 direct unicast queries are taken as multicast ones: Node does not tell the destination');
});
