import { describe, expect, test } from 'vitest';
import type { About } from '../../src/api.ts';
import { changedAbout, checkedAbout } from '../../src/link/about.ts';

describe('what is said of a person', () => {
  test('is taken as given', () => {
    const about = { first: 'Ada', last: 'Lovelace', nick: 'countess', email: ['ada@example.org'], jid: ['ada@example.org', 'a@b'], personal: false };
    expect(checkedAbout({ ...about, nick: 'countess' }, 'about')).toEqual(about);
    expect(checkedAbout({ first: undefined }, 'about')).toEqual({});
  });

  test.each<[unknown, string]>([
    ['x', 'about must be an object'], [null, 'about must be an object'], [[], 'about must be an object'], [{ phone: '1' }, 'about has no member "phone"'],
    [{ nick: 1 }, 'about.nick must be a string'], [{ nick: ['a'] }, 'about.nick must be a string'], [{ email: 'a@b' }, 'about.email must be a list of strings'],
    [{ jid: [1] }, 'about.jid must be a list of strings'], [{ personal: 'no' }, 'about.personal must be true or false'],
  ])('of a wrong type is a TypeError: %j', (about, message) => {
    expect(() => checkedAbout(about, 'about')).toThrow(new TypeError(message));
  });

  test.each<[About, string, string]>([
    [{ nick: 'a\u001bb' }, 'invalid-value', 'about.nick'], [{ email: ['a b@c'] }, 'invalid-value', 'about.email'], [{ jid: ['juliet'] }, 'invalid-value', 'about.jid'],
    [{ nick: 'é'.repeat(125) }, 'too-large', 'about.nick'], [{ email: Array.from({ length: 20 }, (_, i) => `person-${i}@example.org`) }, 'too-large', 'about.email'],
  ])('that cannot be published is refused: %j', (about, code, where) => {
    expect(() => checkedAbout(about, 'about')).toThrow(expect.objectContaining({ code, message: expect.stringContaining(where) as string }) as Error);
  });

  test('changes member by member; what is empty is taken back', () => {
    const about = { first: 'Ada', nick: 'countess', email: ['a@b'] };
    expect(changedAbout(about, { nick: 'c', email: [], first: '' })).toEqual({ nick: 'c' });
    expect(changedAbout(about, { personal: false })).toEqual({ ...about, personal: false });
  });
});
