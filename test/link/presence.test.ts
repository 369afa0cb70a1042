import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { buildTxt, readTxt } from '../../src/link/presence.ts';

const read = (...pairs: [string, string | true][]) => readTxt(pairs);

describe('a TXT record', () => {
  test('that we build is what we read', () => {
    const caps = { node: 'urn:lanpost:0', hash: 'sha-1', ver: 'abc=' };
    const txt = buildTxt({ status: 'dnd', text: 'at lunch', nick: 'hall', port: 5298, caps });
    expect(readTxt(txt)).toEqual({ status: 'dnd', text: 'at lunch', nick: 'hall', caps, box: true });
  });

  test('of libpurple: reversed, with a version that is no hash', () => {
    expect(read(['vc', '!'], ['ver', '2.14.12'], ['node', 'libpurple'], ['status', 'dnd'], ['port.p2pj', '5298'], ['last', 'Purple'], ['1st', 'alice'], ['txtvers', '1']))
      .toEqual({ status: 'dnd', nick: 'alice Purple', box: false });
  });

  test.each([
    ['absent', [], 'available'], ['empty', [['status', '']], 'available'], ['without value', [['status', true]], 'available'],
    ['away', [['status', 'away']], 'away'], ['xa', [['status', 'xa']], 'away'], ['unknown', [['status', 'partying']], 'available'],
  ] as [string, [string, string | true][], string][])('a status that is %s', (_, pairs, status) => {
    expect(readTxt(pairs).status).toBe(status);
  });

  test('keys ignore case, and the first of a key wins', () => {
    expect(read(['STATUS', 'away'], ['status', 'dnd'], ['Nick', 'n'])).toEqual({ status: 'away', nick: 'n', box: false });
  });

  test('a nick goes before first and last name', () => {
    expect(read(['1st', 'Ada'], ['last', 'L']).nick).toBe('Ada L');
    expect(read(['1st', 'Ada'], ['nick', 'Nik']).nick).toBe('Nik');
  });

  test('what is shown cannot steer a terminal, nor be endless', () => {
    expect(read(['msg', 'a\u001B[2Jb\r\nc'], ['nick', 'x'.repeat(5_000)])).toMatchObject({ text: 'a [2Jb c', nick: 'x'.repeat(256) });
  });

  test('values are cut between characters so that each string fits', () => {
    fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), text => {
      for (const [key, value] of buildTxt({ status: 'available', text, nick: text, port: 1 })) {
        expect(Buffer.byteLength(`${key}=${value}`)).toBeLessThanOrEqual(255);
        expect(value === '' || key === 'status' || /^[\d]/.test(value) || text.startsWith(value)).toBe(true);
      }
    }));
  });
});
