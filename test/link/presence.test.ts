import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readClaims } from '../../src/link/claims.ts';
import { buildTxt } from '../../src/link/presence.ts';

/** As it comes from the wire. */
const read = (...pairs: (readonly [string, string | true])[]) => readClaims(Buffer.concat(pairs.map(([key, value]) => {
  const text = Buffer.from(value === true ? key : `${key}=${value}`);
  return Buffer.concat([Buffer.of(text.length), text]);
})).toString('latin1'));

describe('a TXT record', () => {
  test('that we build is what we read', () => {
    const caps = { node: 'urn:lanpost:0', hash: 'sha-1', ver: 'abc=' };
    const about = { first: 'Ada', last: 'Lovelace', nick: 'Hall', email: ['ada@example.org', 'a@example.net'], jid: ['ada@example.org'] };
    const avatar = 'a3839614e1a382bcfebbcf20464f519e81770813';
    const txt = buildTxt({ status: 'dnd', text: 'at lunch', label: 'hall', about, port: 5298, caps, avatar });
    expect(read(...txt)).toEqual({
      status: 'dnd', text: 'at lunch', ...about, caps, avatar, calls: ['free'], box: true, software: { node: 'urn:lanpost:0', hash: 'sha-1', version: 'abc=' },
    });
  });

  test('of libpurple: reversed, with a version that is no hash', () => {
    expect(read(['vc', '!'], ['ver', '2.14.12'], ['node', 'libpurple'], ['status', 'dnd'], ['port.p2pj', '5298'], ['last', 'Purple'], ['1st', 'alice'], ['txtvers', '1']))
      .toEqual({ status: 'dnd', nick: 'alice Purple', first: 'alice', last: 'Purple', calls: ['free'], software: { node: 'libpurple', version: '2.14.12' }, box: false });
  });

  test('with every key that is registered, in any order and case', () => {
    expect(read(
      ['Ver', 'QgayPKawpkPSDYmwT/WM94uAlu0='], ['vc', 'CA!A?'], ['PHSH', 'A3839614E1A382BCFEBBCF20464F519E81770813'], ['nick', 'JuliC'], ['node', 'http://www.adiumx.com'],
      ['msg', 'Hanging out downtown'], ['last', 'Capulet'], ['jid', ' juliet@capulet.lit  j@x '], ['hash', 'sha-1'], ['email', 'juliet@capulet.lit '], ['ext', 'ca cs'], ['aim', 'juli'],
      ['port.p2pj', '1'], ['n', 'Adium'], ['unheard-of', 'x'], ['1st', 'Juliet'], ['txtvers', '1'],
    )).toEqual({
      status: 'available', text: 'Hanging out downtown', nick: 'JuliC', first: 'Juliet', last: 'Capulet', email: ['juliet@capulet.lit'], jid: ['juliet@capulet.lit', 'j@x'],
      aim: 'juli', calls: ['audio', 'conference', 'free'], avatar: 'a3839614e1a382bcfebbcf20464f519e81770813', box: false,
      caps: { node: 'http://www.adiumx.com', hash: 'sha-1', ver: 'QgayPKawpkPSDYmwT/WM94uAlu0=' },
      software: { node: 'http://www.adiumx.com', hash: 'sha-1', version: 'QgayPKawpkPSDYmwT/WM94uAlu0=', extensions: ['ca', 'cs'] },
    });
  });

  test('of a box with nothing said of a person has no more than what the box is called', () => {
    const txt = Object.fromEntries(buildTxt({ status: 'available', label: 'hall', port: 1 }));
    expect(txt).toEqual({ txtvers: '1', '1st': 'hall', last: '', 'port.p2pj': '1', status: 'avail', nick: 'hall', vc: '!', lanpost: '1' });
  });

  test('says the first and the last name rather than what the box is called, once one is given', () => {
    expect(read(...buildTxt({ status: 'available', label: 'hall', about: { last: 'Lovelace' }, port: 1 }))).toMatchObject({ nick: 'Lovelace', last: 'Lovelace' });
    expect(buildTxt({ status: 'available', label: 'hall', about: { first: 'Ada' }, port: 1 }).map(([key]) => key)).not.toContain('nick');
  });

  test.each(['', 'xyz', 'a3839614', `${'a'.repeat(40)}b`, '../../etc/passwd'])('a picture hash that is none: %j', phsh => {
    expect(read(['phsh', phsh])).toEqual({ status: 'available', box: false });
  });

  test.each([
    ['absent', [], 'available'], ['empty', [['status', '']], 'available'], ['without value', [['status', true]], 'available'],
    ['away', [['status', 'away']], 'away'], ['xa', [['status', 'xa']], 'away'], ['unknown', [['status', 'partying']], 'available'],
  ] as [string, [string, string | true][], string][])('a status that is %s', (_, pairs, status) => {
    expect(read(...pairs).status).toBe(status);
  });

  test('keys ignore case, and the first of a key wins', () => {
    expect(read(['STATUS', 'away'], ['status', 'dnd'], ['Nick', 'n'])).toMatchObject({ status: 'away', nick: 'n', box: false });
  });

  test('a nick goes before first and last name', () => {
    expect(read(['1st', 'Ada'], ['last', 'L']).nick).toBe('Ada L');
    expect(read(['1st', 'Ada'], ['nick', 'Nik']).nick).toBe('Nik');
  });

  test('what is shown cannot steer a terminal, nor be endless', () => {
    expect(read(['msg', 'a\u001B[2Jb\r\nc'], ['nick', 'x'.repeat(250)])).toMatchObject({ text: 'a [2Jb c', nick: 'x'.repeat(250) });
    expect(read(['1st', 'x'.repeat(200)], ['last', 'y'.repeat(200)]).nick).toBe(`${'x'.repeat(200)} ${'y'.repeat(55)}`);
  });

  test('values are cut between characters so that each string fits', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), text => {
      for (const [key, value] of buildTxt({ status: 'available', text, about: { first: text, nick: text }, port: 1 })) {
        expect(Buffer.byteLength(`${key}=${value}`)).toBeLessThanOrEqual(255);
        expect(value === '' || ['status', 'vc'].includes(key) || /^[\d]/.test(value) || text.startsWith(value)).toBe(true);
      }
    }));
  });
});
