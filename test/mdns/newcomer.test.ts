import { array, assert, nat, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage, Unread } from '../../src/mdns/decode.ts';
import { encodeMessage } from '../../src/mdns/encode.ts';
import { Link } from '../../src/mdns/link.ts';
import { type DnsRecord, makeMessage } from '../../src/mdns/message.ts';
import type { Output } from '../../src/mdns/output.ts';
import { OneLink, OTHER, peer, rr, SERVICE } from '../conformance/rfc-6762/one-link.ts';

const browsing = (): OneLink => {
  const one = new OneLink();
  one.do((link, now) => link.browse(SERVICE, now));
  return one;
};

const announced = (records: readonly DnsRecord[]) => makeMessage({ response: true, answers: records });

/** What is told before anything is remembered, by name. */
const glanced = (one: OneLink, records: readonly DnsRecord[]): Output[] => {
  const packet = new Unread(encodeMessage(announced(records)), () => one.now);
  const newcomer = one.link.glance(packet, OTHER);
  if (!newcomer && one.link.hear(packet.message, OTHER, one.now)) one.link.weigh(packet, OTHER, one.now);
  return [...newcomer ? [{ type: 'found' as const, service: newcomer }] : [], ...one.link.take().filter(({ type }) => type === 'found')];
};

describe('a newcomer', () => {
  it('is told at a glance, once, and is then remembered', () => {
    const one = browsing();
    const told = glanced(one, peer('b', 'h2'));
    expect(told).toMatchObject([{ service: { label: 'b@h2', host: 'h2.local', port: 5298, addresses: ['10.0.0.2'], types: [SERVICE] } }]);
    one.do((link, now) => link.weigh({ message: announced(peer('b', 'h2')) }, OTHER, now));
    expect([...one.of('found'), ...one.of('lost')]).toEqual([]);
    one.answer(peer('b', 'h2'));
    expect(one.of('found')).toEqual([]);
    one.answer(peer('b', 'h2').map((record) => ({ ...record, ttl: 0 })));
    one.advance(1500);
    expect(one.of('lost')).toHaveLength(1);
  });

  it('is the same as what the records would have told', () => {
    const records = [...peer('b', 'h2'), rr.a('h2.local', 'fe80::2'), rr.a('h2.local', '10.0.0.3')];
    const [at] = glanced(browsing(), records);
    const one = browsing();
    // In another order it goes by the records.
    one.answer(records.toReversed());
    expect(one.of('found')).toEqual([at]);
  });

  it('needs all of it, and a host that is not known', () => {
    for (let left = 0; left < 4; left++) expect(glanced(browsing(), peer('b', 'h2').toSpliced(left, 1))).toEqual([]);
    const one = browsing();
    one.answer(peer('b', 'h2'));
    expect(glanced(one, peer('c', 'h2', '10.0.0.9'))).toContainEqual(expect.objectContaining({ service: expect.objectContaining({ label: 'c@h2', addresses: ['10.0.0.2', '10.0.0.9'] }) }));
  });

  it('is not told when it says goodbye, or is of a type that nobody looks for', () => {
    expect(glanced(browsing(), peer('b', 'h2').map((record) => ({ ...record, ttl: 0 })))).toEqual([]);
    expect(glanced(new OneLink(), peer('b', 'h2'))).toEqual([]);
  });

  it('is not told where there is no room to remember it', () => {
    const link = new Link({ now: 0, random: () => 0.5, ownAddresses: () => new Set(), limit: 1 });
    link.browse(SERVICE, 0);
    link.receive(announced(peer('b', 'h2')), OTHER, 0);
    link.receive(announced(peer('c', 'h3', '10.0.0.3')), OTHER, 0);
    expect(link.take().filter(({ type }) => type === 'found' || type === 'lost')).toHaveLength(1);
  });

  it('is remembered before anything else is asked of the link', () => {
    const one = browsing();
    glanced(one, peer('b', 'h2'));
    expect(one.link.lastHeard(`b@h2.${SERVICE}`)).toBe(0);
    glanced(one, peer('c', 'h3', '10.0.0.3'));
    one.do((link, now) => link.clear(now));
    expect(one.of('lost').map(({ name }) => name).toSorted()).toEqual([`b@h2.${SERVICE}`, `c@h3.${SERVICE}`]);
  });

  it('is told of nothing that the packet, read as a whole, does not say', () => {
    const records = [...peer('b', 'h2'), rr.a('h2.local', 'fe80::2')];
    const whole = encodeMessage(announced(records));
    assert(property(array(tuple(nat(whole.length - 1), nat(255)), { minLength: 1, maxLength: 3 }), nat(20), (changes, cut) => {
      const bytes = Buffer.from(whole.subarray(0, whole.length - (cut < 15 ? 0 : cut)));
      for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
      const told = browsing().link.glance(new Unread(bytes, () => 0), OTHER);
      if (!told) return;
      const one = browsing();
      one.do((link, now) => link.receive(decodeMessage(bytes), OTHER, now));
      expect(one.of('found').map(({ service }) => service)).toEqual([told]);
    }), { numRuns: 3000 });
  });

  it('is nobody when the packet cannot be read', () => {
    const whole = encodeMessage(announced(peer('b', 'h2')));
    for (let length = 0; length < whole.length; length++) {
      expect(browsing().link.glance(new Unread(whole.subarray(0, length), () => 0), OTHER)).toBeUndefined();
    }
  });
});
