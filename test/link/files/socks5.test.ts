import { array, assert, integer, property, uint8Array } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Socks5Client, Socks5Host, type Socks5Step } from '../../../src/link/files/socks5.ts';

const NAME = '016f2f5ee408e685e052d0fb56e22e61f0113e8a';
const CONNECT = Buffer.concat([Buffer.of(5, 1, 0, 3, 40), Buffer.from(NAME), Buffer.of(0, 0)]);
const SUCCESS = Buffer.concat([Buffer.of(5, 0, 0, 3, 40), Buffer.from(NAME), Buffer.of(0, 0)]);

/** Feeds it in pieces of those sizes, over and over. */
function feed(side: { receive(bytes: Uint8Array): Socks5Step }, bytes: Buffer, sizes: readonly number[]): { sent: Buffer; state: Socks5Step['state']; rest: Buffer } {
  const sent: Buffer[] = [];
  let at = 0;
  let state: Socks5Step['state'] = 'more';
  let rest = Buffer.alloc(0);
  for (let turn = 0; at < bytes.length && state === 'more'; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1;
    const step = side.receive(bytes.subarray(at, at + size));
    at += size;
    sent.push(step.send);
    ({ state } = step);
    rest = Buffer.concat([step.rest, state === 'open' ? bytes.subarray(at) : Buffer.alloc(0)]);
  }
  return { sent: Buffer.concat(sent), state, rest };
}

const sizes = array(integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 });

describe('RFC 1928, the host', () => {
  test('however its bytes are packed, answers the greeting and the request, and gives on what follows', () => {
    assert(property(sizes, uint8Array({ maxLength: 20 }), (cut, after) => {
      const { sent, state, rest } = feed(new Socks5Host(NAME), Buffer.concat([Buffer.of(5, 2, 2, 0), CONNECT, after]), cut);
      expect([state, sent.toString('hex'), Buffer.compare(rest, after)]).toEqual(['open', Buffer.concat([Buffer.of(5, 0), SUCCESS]).toString('hex'), 0]);
    }));
  });

  test.each<[string, Buffer, Buffer]>([
    ['another version', Buffer.of(4, 1, 0), Buffer.of()],
    ['no way without a password', Buffer.of(5, 2, 1, 2), Buffer.of(5, 0xff)],
    ['no method at all', Buffer.of(5, 0), Buffer.of(5, 0xff)],
    ['a command that is not CONNECT', Buffer.of(5, 1, 0, 5, 2, 0), Buffer.of(5, 0, 5, 7, 0, 1, 0, 0, 0, 0, 0, 0)],
    ['an address that is no name', Buffer.of(5, 1, 0, 5, 1, 0, 1), Buffer.of(5, 0, 5, 8, 0, 1, 0, 0, 0, 0, 0, 0)],
    ['another name', Buffer.concat([Buffer.of(5, 1, 0, 5, 1, 0, 3, 40), Buffer.alloc(40, 'a'), Buffer.of(0, 0)]), Buffer.of(5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0)],
    ['an empty name', Buffer.of(5, 1, 0, 5, 1, 0, 3, 0, 0, 0), Buffer.of(5, 0, 5, 2, 0, 1, 0, 0, 0, 0, 0, 0)],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.of()],
  ])('refuses %s, and hears nothing more', (_, bytes, answer) => {
    const host = new Socks5Host(NAME);
    const { sent, state } = feed(host, bytes, [1]);
    expect([state, sent.toString('hex')]).toEqual(['refused', answer.toString('hex')]);
    expect(host.receive(CONNECT)).toMatchObject({ state: 'refused', send: Buffer.of() });
  });

  test('of any bytes at all makes nothing but its three states, and opens for none but the right ones', () => {
    assert(property(uint8Array({ maxLength: 700 }), sizes, (bytes, cut) => {
      const { state, sent } = feed(new Socks5Host(NAME), Buffer.from(bytes), cut);
      expect(state).not.toBe('open');
      expect(sent.length).toBeLessThanOrEqual(12);
      // What it holds is bounded by what a request can have.
      expect(bytes.length > 600 ? state : 'refused').toBe('refused');
    }), { numRuns: 2_000 });
  });
});

describe('RFC 1928, the client', () => {
  test.each<[string, Buffer]>([
    ['the name it asked for', SUCCESS],
    // COMPAT(libpurple 2.14)
    ['its own address as a name', Buffer.concat([Buffer.of(5, 0, 0, 3, 9), Buffer.from('10.77.0.1'), Buffer.of(0, 0)])],
    ['an IPv4 address', Buffer.of(5, 0, 0, 1, 10, 77, 0, 1, 0, 80)],
    ['an IPv6 address', Buffer.concat([Buffer.of(5, 0, 0, 4), Buffer.alloc(16, 1), Buffer.of(0, 80)])],
    ['an empty name', Buffer.of(5, 0, 0, 3, 0, 0, 0)],
  ])('asks for the name, and is content with %s in the reply', (_, reply) => {
    assert(property(sizes, uint8Array({ maxLength: 20 }), (cut, after) => {
      const client = new Socks5Client(NAME);
      expect(client.start().toString('hex')).toBe('050100');
      const { sent, state, rest } = feed(client, Buffer.concat([Buffer.of(5, 0), reply, after]), cut);
      expect([state, sent.toString('hex'), Buffer.compare(rest, after)]).toEqual(['open', CONNECT.toString('hex'), 0]);
    }));
  });

  test.each<[string, Buffer]>([
    ['another version', Buffer.of(4, 0)], ['a password', Buffer.of(5, 2)], ['no way', Buffer.of(5, 0xff)], ['a failure', Buffer.of(5, 0, 5, 1, 0, 1)],
    ['an address of no kind', Buffer.of(5, 0, 5, 0, 0, 9, 1)],
  ])('refuses %s', (_, bytes) => {
    expect(feed(new Socks5Client(NAME), bytes, [1]).state).toBe('refused');
  });

  test('of any bytes at all makes nothing but its three states', () => {
    assert(property(uint8Array({ maxLength: 700 }), sizes, (bytes, cut) => {
      const { sent } = feed(new Socks5Client(NAME), Buffer.from(bytes), cut);
      expect([0, CONNECT.length]).toContain(sent.length);
    }), { numRuns: 2_000 });
  });

  test('and the host understand each other', () => {
    const client = new Socks5Client(NAME);
    const host = new Socks5Host(NAME);
    const greeted = host.receive(client.start());
    const asked = client.receive(greeted.send);
    const answered = host.receive(asked.send);
    expect([answered.state, client.receive(answered.send).state]).toEqual(['open', 'open']);
  });
});
