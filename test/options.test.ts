import { expect, test } from 'vitest';
import { checkedOptions, DEFAULT_LIMITS } from '../src/options.ts';

test('every option has a default', () => {
  expect(checkedOptions()).toEqual({
    dir: expect.stringMatching(/\.lanpost$/), name: undefined, link: { interfaces: undefined, port: undefined, offLink: { peers: [], accept: [], domains: [], dns: [] } },
    about: {}, homes: [], control: true, limits: DEFAULT_LIMITS,
  });
});

test.each([
  [{ dir: 7 }, TypeError], [{ link: true }, TypeError], [{ link: { interfaces: 'eth0' } }, TypeError], [{ link: { peers: 'h1' } }, TypeError], [{ link: { accept: [1] } }, TypeError],
  [{ control: 'no' }, TypeError], [{ limits: { speed: 1 } }, TypeError], [{ colour: 'red' }, TypeError],
])('%j is a wrong type', (options, type) => {
  expect(() => checkedOptions(options as never)).toThrow(type);
});

test('what is said of a person, and whether', () => {
  expect(checkedOptions({ link: { about: { nick: 'n', email: ['a@b'] }, personal: false } }).about).toEqual({ nick: 'n', email: ['a@b'], personal: false });
  expect(() => checkedOptions({ link: { about: 'me' } } as never)).toThrow('link.about must be an object');
  expect(() => checkedOptions({ link: { about: { personal: false } } } as never)).toThrow('link.personal');
  expect(() => checkedOptions({ link: { personal: 'no' } } as never)).toThrow(TypeError);
});

test.each([{ name: '' }, { name: 'a@b' }, { name: 'a<b' }, { name: 'x'.repeat(31) }, { link: { port: 70000 } }, { limits: { topics: -1 } }])(
  '%j is refused with a code', (options) => {
    expect(() => checkedOptions(options)).toThrow(expect.objectContaining({ code: 'invalid-value' }));
  });
