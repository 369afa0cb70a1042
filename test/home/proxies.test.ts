import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import { httpConnect } from '../../src/home/http-connect.ts';
import { parseProxy } from '../../src/home/proxy.ts';
import type { Greeting } from '../../src/home/proxy-greeting.ts';
import { socks5 } from '../../src/home/socks5.ts';

const to = { host: 'home.test', port: 5222 };
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

describe('a proxy as it is named', () => {
  it.each([
    ['http://proxy', { kind: 'http', host: 'proxy', port: 8080 }], ['http://proxy:80', { kind: 'http', host: 'proxy', port: 80 }],
    ['socks5://[::1]:9050', { kind: 'socks5', host: '::1', port: 9050 }], ['socks5://me:p%40ss%3A@proxy', { kind: 'socks5', host: 'proxy', port: 1080, user: 'me', password: 'p@ss:' }],
  ])('%s', (text, proxy) => {
    expect(parseProxy(text)).toEqual(proxy);
  });

  it.each(['proxy:8080', 'https://me:secret@proxy', 'ftp://me:secret@proxy', 'http://me:secret@', 'http://me:secret@proxy/path', 'socks5://me:%ff%secret@proxy', `socks5://me:${'secret'.repeat(50)}@proxy`])('%s is none, and what is said of it shows no password', (text) => {
    let error: unknown;
    try {
      parseProxy(text);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(LanpostError);
    expect(String(error)).not.toContain('secret');
  });
});

describe('RFC 1928 SOCKS5', () => {
  it('§3, §4, §6 a name goes to the proxy as it is, and what follows its answer is the server\'s', () => {
    const greeting = socks5(to, {});
    expect(hex(greeting.first)).toBe('050100');
    expect(hex(greeting.receive(Buffer.from([5, 0])).say)).toBe(`0501000309${Buffer.from('home.test').toString('hex')}1466`);
    expect(greeting.receive(Buffer.from([5, 0, 0, 1, 1, 2, 3, 4, 0]))).toEqual({});
    expect(greeting.receive(Buffer.from([80, 60, 61])).rest).toEqual(Buffer.from([60, 61]));
  });

  it.each([['10.0.0.1', '010a000001'], ['2001:db8::1', '0420010db8000000000000000000000001'], ['::ffff:1.2.3.4', '0400000000000000000000ffff01020304']])('§5 the address %s', (host, bytes) => {
    const greeting = socks5({ host, port: 1 }, {});
    expect(hex(greeting.receive(Buffer.from([5, 0])).say)).toBe(`050100${bytes}0001`);
  });

  it('RFC 1929 §2 credentials, when it asks for them', () => {
    const greeting = socks5(to, { user: 'me', password: 'pw' });
    expect(hex(greeting.first)).toBe('05020002');
    expect(hex(greeting.receive(Buffer.from([5, 2])).say)).toBe('01026d65027077');
    expect(hex(greeting.receive(Buffer.from([1, 0])).say)).toMatch(/^050100/);
  });

  it.each<[string, number[][], RegExp]>([
    ['no method will do', [[5, 255]], /credentials/], ['credentials are asked for, and there are none', [[5, 2]], /credentials/],
    ['another version', [[4, 0]], /SOCKS5/], ['it refuses', [[5, 0], [5, 5, 0, 1, 0, 0, 0, 0, 0, 0]], /refused/], ['more than was asked', [[5, 0, 1]], /more/],
    ['an address of no kind', [[5, 0], [5, 0, 0, 9, 0, 0]], /SOCKS5/],
  ])('%s', (_name, answers, reason) => {
    const greeting = socks5(to, {});
    expect(() => { for (const answer of answers) greeting.receive(Buffer.from(answer)); }).toThrow(reason);
  });
});

describe('RFC 9110 §9.3.6 CONNECT', () => {
  it('names the host, shows the credentials, and leaves what follows to the server', () => {
    const greeting = httpConnect(to, { user: 'me', password: 'p:w' });
    expect(Buffer.from(greeting.first).toString()).toBe(`CONNECT home.test:5222 HTTP/1.1\r\nHost: home.test:5222\r\nProxy-Authorization: Basic ${Buffer.from('me:p:w').toString('base64')}\r\n\r\n`);
    expect(greeting.receive(Buffer.from('HTTP/1.1 200 OK\r\nVia: x\r\n\r'))).toEqual({});
    expect(greeting.receive(Buffer.from('\n<stream')).rest?.toString()).toBe('<stream');
    expect(Buffer.from(httpConnect({ host: '::1', port: 1 }, {}).first).toString()).toContain('CONNECT [::1]:1 ');
  });

  it.each([['HTTP/1.1 407 Who\r\n\r\n', /credentials/], ['HTTP/1.0 403 No\r\n\r\n', /403/], ['SSH-2.0\r\n\r\n', /HTTP/], [`HTTP/1.1 200 OK\r\n${'x'.repeat(9000)}`, /HTTP/]])('%#: no', (answer, reason) => {
    expect(() => httpConnect(to, {}).receive(Buffer.from(answer))).toThrow(reason);
  });
});

function outcome(greeting: Greeting, chunks: readonly Uint8Array[]): string {
  try {
    return chunks.some((chunk) => greeting.receive(chunk).rest !== undefined) ? 'done' : 'open';
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

describe.each<[string, () => Greeting]>([['SOCKS5', () => socks5(to, { user: 'u' })], ['HTTP', () => httpConnect(to, {})]])('whatever a %s proxy says', (_name, open) => {
  it('comes to an end or to an error, in any chunking, and keeps no more than its bound', () => {
    fc.assert(fc.property(fc.array(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(Buffer.from([5, 0]), Buffer.from([5, 2]), Buffer.from([1, 0]), Buffer.from('HTTP/1.1 200 OK\r\n'), Buffer.from('\r\n\r\n'))), { maxLength: 40 }), (chunks) => {
      expect(['open', 'done', 'Unusable', 'Error']).toContain(outcome(open(), chunks));
    }));
  });
});
