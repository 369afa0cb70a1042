import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Tcp } from '../../src/link/tcp.ts';
import { quiet } from '../support/quiet.ts';
import { buildMessage } from '../../src/xmpp/stanza.ts';
import { acquainted, SimulatedLan, type TestBox } from './fixtures.ts';
import type { PlainStream } from './plain-peer.ts';
import { secureCaller } from './secure-caller.ts';

let lan: SimulatedLan;
beforeEach(() => { lan = new SimulatedLan(); });
afterEach(() => lan.close());

/** Whoever connects on that LAN waits until it is let go. */
function gate(): { readonly go: () => void; readonly called: () => Promise<void> } {
  const tcp = lan.tcp.bind(lan);
  let waiting = 0;
  let go = (): void => undefined;
  const open = new Promise<void>(resolve => { go = resolve; });
  lan.tcp = (host): Tcp => {
    const own = tcp(host);
    return {
      ...own,
      connect: async (...to) => {
        waiting += 1;
        lan.bell.ring();
        await open;
        return own.connect(...to);
      },
    };
  };
  return { go, called: () => lan.until(() => waiting > 0) };
}

describe('once the link is closed', () => {
  test('a call that was under way becomes no stream', async () => {
    const { go, called } = gate();
    const a = await lan.box(1, 'a');
    const b = await lan.box(2, 'b');
    await acquainted(a, b);
    const proving = a.link.prove('b@h2');
    proving.catch(() => undefined); // looked at below
    await called();
    await a.close();
    go();
    await expect(proving).rejects.toMatchObject({ code: 'closed' });
    await lan.until(() => lan.sockets.size === 0);
    expect([a.opened, b.opened]).toEqual([[], []]);
  });

  test('nor does one to a peer that is elsewhere', async () => {
    const { go, called } = gate();
    const b = await lan.box(1001, 'b', { offLink: { peers: [], accept: ['10.77.0.1'], domains: [], dns: [] } });
    const a = await lan.box(1, 'a', { offLink: { peers: [`10.79.0.1:${b.link.status().port ?? 0}`], accept: [], domains: [], dns: [] } });
    await called();
    await a.close();
    go();
    await quiet();
    await lan.until(() => lan.sockets.size === 0);
    expect([a.opened, b.opened]).toEqual([[], []]);
  });

  test('nor does one that was being agreed upon', async () => {
    const a = await lan.box(1, 'a');
    const stream = await secureCaller(lan, a);
    const closing = a.close();
    stream.write("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    stream.end();
    await closing;
    expect(a.opened).toEqual([]);
  });
});

describe('what a peer has not confirmed is not overtaken by what is written over its next stream', () => {
  const say = (body: string): ReturnType<typeof buildMessage> => buildMessage({ type: 'chat', body });
  const caller = async (): Promise<{ a: TestBox; call: () => Promise<PlainStream> }> => {
    const a = await lan.box(1, 'a');
    const { key } = await lan.identity();
    return {
      a,
      call: async () => {
        const stream = await secureCaller(lan, a, { key });
        stream.write("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        await stream.reads(/<enabled[^>]*>/);
        return stream;
      },
    };
  };
  /** Both are given back, so that whoever sent them sends them again in their order: what is read of them before. */
  const sentAgain = async (a: TestBox, next: PlainStream, delivered: Promise<void> | undefined): Promise<string> => {
    await expect(a.link.send('mallory@h2', say('two'))).rejects.toMatchObject({ code: 'disconnected' });
    await expect(delivered).rejects.toMatchObject({ code: 'disconnected' });
    await lan.until(() => a.link.peers.describe('mallory@h2')?.connected === true);
    await a.link.send('mallory@h2', say('one'));
    return next.reads('one');
  };

  test('when it said goodbye', async () => {
    const { a, call } = await caller();
    const first = await call();
    const { delivered } = await a.link.send('mallory@h2', say('one'));
    await first.reads('one');
    first.write('</stream:stream>');
    await first.reads('</stream:stream>');
    expect(await sentAgain(a, await call(), delivered)).not.toContain('two');
  });

  test('when it opens one after the other', async () => {
    const { a, call } = await caller();
    const first = await call();
    const { delivered } = await a.link.send('mallory@h2', say('one'));
    await first.reads('one');
    await call();
    expect(await sentAgain(a, await call(), delivered)).not.toContain('two');
  });
});
