import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readClaims } from '../../src/link/claims.ts';

/** Strings, each with its length before it. */
const data = (...strings: readonly string[]): string => strings.map((one) => Buffer.from(one)).map((one) => String.fromCharCode(one.length) + one.toString('latin1')).join('');

describe('what a peer says of itself', () => {
  test('of a key that comes twice the first counts, in whatever case', () => {
    expect(readClaims(data('NICK=a', 'nick=b', 'msg', 'msg=c'))).toEqual({ status: 'available', box: false, nick: 'a' });
  });

  test('a key without a name, and a string that is cut short, say nothing', () => {
    expect(readClaims(`${data('=x', 'status=dnd')}\u00c8nick=a`)).toEqual({ status: 'dnd', box: false });
  });

  test('a value is UTF-8, without spaces around it', () => {
    expect(readClaims(data('msg= é ', 'last=a=b ', 'email=a@x  b@x', 'lanpost'))).toEqual({
      status: 'available', box: true, text: 'é', nick: 'a=b', last: 'a=b', email: ['a@x', 'b@x'],
    });
  });

  test('whatever the bytes are, it is read', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const { nick = '', text = '' } = readClaims(Buffer.from(bytes).toString('latin1'));
      expect(`${nick}${text}`).not.toMatch(/\p{Cc}/u);
    }));
  });
});
