import { describe, expect, test } from 'vitest';
import { capsVersion, readInfo } from '../../src/xep/caps.ts';
import { CapsCache } from '../../src/xep/caps-cache.ts';
import { type Element, parseElement } from '../../src/xmpp/element.ts';

const query = (...features: string[]): Element =>
  parseElement(`<query xmlns='http://jabber.org/protocol/disco#info'>${features.map(feature => `<feature var='${feature}'/>`).join('')}</query>`);
const caps = (answer: Element, hash = 'sha-1'): { node: string; hash: string; ver: string } => {
  const info = readInfo(answer);
  return { node: 'urn:x', hash, ver: info ? capsVersion(info, hash) ?? 'unknown' : '' };
};

describe('XEP-0115 §5.4 what a hash stands for', () => {
  test('is learnt when it fits, and then known of everybody who announces it', () => {
    const cache = new CapsCache();
    const answer = query('urn:a', 'urn:b');
    expect(cache.get(caps(answer))).toBeUndefined();
    expect(cache.learn(caps(answer), answer)).toMatchObject({ outcome: 'learnt' });
    expect(cache.get({ ...caps(answer), node: 'urn:other' })?.features).toEqual(['urn:a', 'urn:b']);
    expect(cache.get({ ...caps(answer), hash: 'sha-256' })).toBeUndefined();
  });

  test('is not learnt when it does not fit', () => {
    const cache = new CapsCache();
    expect(cache.learn(caps(query('urn:a')), query('urn:evil'))).toEqual({ outcome: 'wrong' });
    expect(cache.get(caps(query('urn:a')))).toBeUndefined();
    expect(cache.learn(caps(query('urn:a')), query('urn:a', 'urn:a'))).toEqual({ outcome: 'wrong' });
  });

  test('cannot be said of a hash function that is not known: it is nobody else\'s', () => {
    const cache = new CapsCache();
    expect(cache.learn({ node: 'x', hash: 'whirlpool', ver: 'v' }, query('urn:a'))).toMatchObject({ outcome: 'unchecked', info: { features: ['urn:a'] } });
    expect(cache.get({ node: 'x', hash: 'whirlpool', ver: 'v' })).toBeUndefined();
  });

  test('is no novel, and there is an end to how many are remembered', () => {
    const cache = new CapsCache();
    const long = query('x'.repeat(16_384));
    expect(cache.learn(caps(long), long)).toEqual({ outcome: 'wrong' });
    const answers = Array.from({ length: 129 }, (_, n) => query(`urn:${n}`));
    for (const answer of answers.slice(0, 128)) cache.learn(caps(answer), answer);
    const [first, second, last] = [answers[0], answers[1], answers[128]].map(answer => answer ?? query());
    expect(first && cache.get(caps(first))).toBeDefined();
    if (last) cache.learn(caps(last), last);
    expect(first && cache.get(caps(first))).toBeDefined();
    expect(second && cache.get(caps(second))).toBeUndefined();
  });
});
