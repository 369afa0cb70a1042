// oxlint-disable vitest/warn-todo -- what is not done stays visible
import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../../src/mdns/decode.ts';
import { encodeMessage } from '../../../src/mdns/encode.ts';
import { compareSets } from '../../../src/mdns/prober.ts';
import { makeMessage, TYPE } from '../../../src/mdns/message.ts';
import { advance, world } from '../../mdns/world.ts';
import { HOST, INSTANCE, OneLink, OTHER, peer, rr, SERVICE } from './one-link.ts';

const claimed = (random = 0.5): OneLink => {
  const one = new OneLink();
  one.random = random;
  one.claim();
  return one;
};

describe('RFC 6762 §8 probing and announcing', () => {
  it('§8.1 three probes, 250 ms apart, the first after a random 0–250 ms', () => {
    for (const random of [0, 0.999]) {
      const one = claimed(random);
      one.advance(3000);
      const times = one.probes.map(({ at }) => at);
      expect(times).toHaveLength(3);
      expect(times[0]).toBeLessThanOrEqual(250);
      expect(times.slice(1).map((at, index) => at - (times[index] ?? 0))).toEqual([250, 250]);
    }
  });

  it('§8.1 all names go in one message: a question of type ANY each, the proposed records as authorities without flush bit', () => {
    const one = claimed();
    one.advance(200);
    expect(one.probes).toHaveLength(1);
    expect(one.probes[0]?.message.questions.map(({ name, type }) => [name, type])).toEqual([[HOST, TYPE.ANY], [INSTANCE, TYPE.ANY]]);
    expect(one.probes[0]?.message.authorities.map(({ type, flush }) => [type, flush])).toEqual([[TYPE.A, false], [TYPE.SRV, false], [TYPE.TXT, false]]);
  });

  it('§8.1 an answer with other data means the name is taken, whatever its type', () => {
    for (const record of [rr.a(HOST, '10.0.0.9'), rr.txt(HOST)]) {
      const one = claimed();
      one.advance(300);
      one.answer([record]);
      expect(one.of('conflict')).toMatchObject([{ names: [HOST] }]);
    }
  });

  it('§8.1 a conflict in the additional section counts too, and both names of a packet are told together', () => {
    const one = claimed();
    one.advance(300);
    one.hear({ response: true, answers: [rr.srv(INSTANCE, HOST, 1)], additionals: [rr.a(HOST, '10.0.0.9')] });
    expect(one.of('conflict')).toMatchObject([{ names: [INSTANCE, HOST] }]);
  });

  it('§8.1 the very same data is no conflict, nor is a goodbye', () => {
    const one = claimed();
    one.advance(300);
    one.answer([rr.txt(INSTANCE), rr.srv(INSTANCE, HOST, 9, { ttl: 0 }), rr.a(HOST, '10.0.0.1')]);
    one.advance(3000);
    expect(one.of('conflict')).toEqual([]);
    expect(one.of('held').map(({ name }) => name)).toEqual([HOST, INSTANCE]);
  });

  it('§8.2 of two that probe at once the one with the later data goes on', () => {
    const one = claimed();
    one.advance(200);
    one.ask(HOST, TYPE.ANY, { authorities: [rr.a(HOST, '10.0.0.0', { flush: false })] });
    one.advance(2000);
    expect(one.of('held').map(({ name }) => name)).toContain(HOST);
    expect(one.probes.length).toBe(3);
  });

  it('§8.2 the other waits a second and probes anew', () => {
    const one = claimed();
    one.advance(200);
    const since = one.now;
    one.ask(HOST, TYPE.ANY, { authorities: [rr.a(HOST, '10.0.0.2', { flush: false })] });
    one.advance(5000);
    const again = one.probes.filter(({ message, at }) => at > since && message.questions.some(({ name }) => name === HOST)).map(({ at }) => at - since);
    expect(again).toEqual([1000, 1250, 1500]);
  });

  it('§8.2 the same data is no rival: it is ourselves', () => {
    const one = claimed();
    one.advance(200);
    one.ask(HOST, TYPE.ANY, { authorities: [rr.a(HOST, '10.0.0.1', { flush: false })] });
    one.advance(2000);
    expect(one.probes).toHaveLength(3);
  });

  it('§8.2.1 sets compare record by record: class, type, raw bytes, and then length', () => {
    const a = (last: number) => rr.a(HOST, `10.0.0.${last}`);
    expect(compareSets([a(1)], [a(2)])).toBeLessThan(0);
    expect(compareSets([a(200)], [a(99)])).toBeGreaterThan(0);
    expect(compareSets([a(1), a(2)], [a(2), a(1)])).toBe(0);
    expect(compareSets([a(1), a(2)], [a(1)])).toBeGreaterThan(0);
    expect(compareSets([rr.srv(HOST, 'x')], [rr.txt(HOST)])).toBeGreaterThan(0);
    expect(compareSets([rr.txt(HOST), rr.srv(HOST, 'x')], [rr.srv(HOST, 'x')])).toBeLessThan(0);
  });

  it('§8.3 announced at once when held, again after 1 s and after 2 s more, unique records with the flush bit', () => {
    const one = claimed();
    one.advance(60_000);
    const times = one.responses.map(({ at }) => at);
    expect(times.map((at) => at - (times[0] ?? 0))).toEqual([0, 1000, 3000]);
    expect(times[0]).toBe((one.probes.at(-1)?.at ?? 0) + 250);
    for (const { message } of one.responses) {
      expect(message.answers.map(({ type, flush }) => [type, flush])).toEqual([
        [TYPE.A, true], [TYPE.PTR, false], [TYPE.PTR, false], [TYPE.SRV, true], [TYPE.TXT, true],
      ]);
    }
  });

  it('§8.4 changed data is announced five times within 15 s, with the flush bit, without probing', () => {
    const one = OneLink.held();
    one.do((link, now) => link.claim(one.service([['status', 'dnd']]), now));
    one.advance(60_000);
    expect(one.probes).toEqual([]);
    expect(one.responses.map(({ message }) => message.answers.map(({ type, flush }) => [type, flush]))).toEqual(Array.from({ length: 5 }, () => [[TYPE.TXT, true]]));
    const [first = 0] = one.responses.map(({ at }) => at);
    expect(one.responses.map(({ at }) => at - first)).toEqual([0, 1000, 3000, 7000, 15_000]);
  });

  it('§8.4, §6 changes in quick succession: one announcement a second, the last one wins', () => {
    const one = OneLink.held();
    for (const status of ['a', 'b', 'c', 'd']) {
      one.do((link, now) => link.claim(one.service([['status', status]]), now));
      one.advance(100);
    }
    one.advance(10_000);
    const times = one.responses.map(({ at }) => at);
    expect(Math.min(...times.slice(1).map((at, index) => at - (times[index] ?? 0)))).toBeGreaterThanOrEqual(1000);
    expect(one.responses.at(-1)?.message.answers).toMatchObject([rr.txt(INSTANCE, [['status', 'd']])]);
  });

  it('§9 other data for a unique record we hold: it is probed for again, and not answered meanwhile', () => {
    const one = OneLink.held();
    one.answer([rr.srv(INSTANCE, 'h9.local', 9)]);
    one.ask(INSTANCE, TYPE.SRV);
    one.advance(100);
    expect(one.responses).toEqual([]);
    one.advance(3000);
    expect(one.probes).toHaveLength(3);
    expect(one.of('held')).toMatchObject([{ name: INSTANCE }]);
    expect(one.responses.length).toBeGreaterThan(0);
  });

  it('§9 a shared record of others is no conflict', () => {
    const one = OneLink.held();
    one.answer([rr.ptr(SERVICE, `b@h2.${SERVICE}`)]);
    one.advance(3000);
    expect(one.sent).toEqual([]);
  });

  it('§9, §8.1 when the other defends the name, it is its', () => {
    const one = OneLink.held();
    one.answer([rr.srv(INSTANCE, 'h9.local', 9)]);
    one.advance(300);
    one.answer([rr.srv(INSTANCE, 'h9.local', 9)]);
    expect(one.of('conflict')).toMatchObject([{ names: [INSTANCE] }]);
  });

  it('§9 our own addresses, heard over another interface or responder, are no conflict', () => {
    const one = new OneLink(['10.0.0.1', '10.0.0.77']);
    one.claim();
    one.advance(20_000);
    one.forgetSent();
    one.answer([rr.a(HOST, '10.0.0.77')], OTHER);
    one.advance(3000);
    expect([one.probes, one.of('conflict')]).toEqual([[], []]);
    one.answer([rr.a(HOST, '10.0.0.77')], { address: '10.0.0.1', port: 5353 });
    expect(one.of('answered here')).toMatchObject([{ name: HOST }]);
  });

  it('§8.1 after 15 conflicts within 10 s at least 5 s pass between two tries', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1', { families: [4] });
    const tries: number[] = [];
    const taken = (): Promise<void> => advance(clock, 100);
    for (let step = 0; step < 900; step++) {
      const heard = lan.packets.length;
      await taken();
      const probe = lan.packets.slice(heard).map(({ bytes }) => decodeMessage(bytes)).find(({ authorities }) => authorities.some(({ type }) => type === TYPE.SRV));
      const name = probe?.authorities.find(({ type }) => type === TYPE.SRV)?.name;
      if (name === undefined) continue;
      tries.push(clock.mono());
      lan.transmit({
        segment: 'lan', family: 4, from: { address: '10.77.9.9', port: 5353 }, to: undefined,
        bytes: encodeMessage(makeMessage({ response: true, answers: [rr.srv(name, 'h9.local', 9)] })),
      });
    }
    const gaps = tries.slice(1).map((at, index) => at - (tries[index] ?? 0));
    expect(gaps.slice(0, 13).every((gap) => gap < 1000)).toBe(true);
    expect(gaps.slice(16).length).toBeGreaterThan(5);
    expect(gaps.slice(16).every((gap) => gap >= 5000)).toBe(true);
    expect(a.renamed).toEqual([]);
  });

  it('§9 a name once found is kept: the numbers of the last start are where the next one begins', async () => {
    const { clock, box } = world();
    await box('h1');
    await advance(clock, 3000);
    const second = await box('h1');
    await advance(clock, 5000);
    const [renamed] = second.renamed;
    await second.mdns.close();
    const again = await box('h1', { on: second.host, numbers: renamed?.numbers ?? { user: 0, host: 0 } });
    await advance(clock, 5000);
    expect([again.publication.instance, again.renamed]).toEqual([renamed?.instance, []]);
  });

  it('§8.3 somebody is heard again who was lost: what we are is said once more, if nobody asked for it meanwhile', () => {
    const again = (after: () => void): number => {
      after();
      one.advance(3000);
      const said = one.responses.filter(({ message }) => message.answers.some(({ type }) => type === TYPE.SRV)).length;
      one.forgetSent();
      return said;
    };
    const one = OneLink.held();
    one.do((link, now) => link.browse(SERVICE, now));
    one.answer(peer('b', 'h2'));
    one.advance(30_000);
    one.do((link, now) => link.reconfirm(`b@h2.${SERVICE}`, now));
    one.advance(60_000);
    one.forgetSent();
    expect(again(() => one.ask('h7.local', TYPE.A))).toBe(1);
    // Whoever goes on talking says nothing new.
    expect(again(() => one.ask('h7.local', TYPE.A))).toBe(0);
    one.advance(60_000);
    expect(again(() => one.ask(INSTANCE, TYPE.SRV))).toBe(1); // the answer
  });

  it.todo('§8.1 names for devices without a preferred one: does not apply, a box has a name');
});
