import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestClock } from '../../../src/clock.ts';
import { Unproven } from '../../../src/link/streams/unproven.ts';
import { buildMessage } from '../../../src/xmpp/stanza.ts';
import { seen, SimulatedLan, type TestBox } from '../fixtures.ts';
import { plainPeer, type PlainPeer, type PlainStream, purpleHeader } from '../plain-peer.ts';
import { serviceBox } from '../service-box.ts';

const outcome = (taken: Promise<void> | undefined): Promise<string> => Promise.resolve(taken).then(() => 'taken', (error: unknown) => String(error));

describe('a stanza to a peer that confirms nothing', () => {
  test('is taken when no farewell has come for a while, one after the other', async () => {
    const clock = createTestClock();
    const unproven = new Unproven(clock);
    const taken: number[] = [];
    const send = (n: number): void => void unproven.sent().then(() => taken.push(n));
    send(1);
    clock.advance(400);
    send(2);
    clock.advance(600);
    await nextTurn();
    expect(taken).toEqual([1]);
    expect(unproven.pending).toBe(1);
    const settled = unproven.settled();
    clock.advance(400);
    await settled;
    await nextTurn();
    expect(taken).toEqual([1, 2]);
  });

  test('is lost with the stream when it is not, and taken when the peer had read all', async () => {
    const unproven = new Unproven(createTestClock());
    const one = outcome(unproven.sent());
    unproven.lost(new Error('gone'));
    expect(await one).toBe('Error: gone');
    const two = outcome(unproven.sent());
    const settled = unproven.settled();
    unproven.taken();
    expect(await two).toBe('taken');
    await settled;
    expect(unproven.pending).toBe(0);
  });
});

describe('a message that crosses the farewell of a peer without TLS', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  let alice: PlainPeer;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'a');
    alice = await plainPeer(lan, 2, 'alice@h2');
    await seen(a, alice.name);
  });
  afterEach(() => lan.close());
  const say = (body: string): ReturnType<typeof buildMessage> => buildMessage({ type: 'chat', body });
  const spoken = async (): Promise<PlainStream> => {
    const sending = a.link.send(alice.name, say('first'));
    const stream = await alice.incoming();
    stream.write(purpleHeader('alice@h2', a.name));
    await stream.reads('first');
    await sending;
    return stream;
  };

  test('and was not read is said to be lost', async () => {
    // In no time at all: however slow this machine is, it is not taken because nothing was heard for a while.
    a = await lan.box(3, 'timeless', { clock: createTestClock() });
    await seen(a, alice.name);
    const stream = await spoken();
    const { taken } = await a.link.send(alice.name, say('unread'));
    stream.release().resetAndDestroy();
    expect(await outcome(taken)).toMatch(/stream was lost/);
  });

  test('and was read is taken, and our closing tag comes after all', async () => {
    const stream = await spoken();
    const { taken } = await a.link.send(alice.name, say('read'));
    await stream.reads('</message>');
    await stream.reads('</message>');
    stream.write('</stream:stream>');
    expect(await outcome(taken)).toBe('taken');
    await stream.reads('</stream:stream>');
    await stream.closes();
  });

  test('is not overtaken by what is written over the next stream', async () => {
    const stream = await spoken();
    const { taken } = await a.link.send(alice.name, say('one'));
    stream.release().end();
    const next = await alice.dial('10.77.0.1', a.link.status().port ?? 0);
    next.write(purpleHeader('alice@h2', a.name));
    await next.reads(/<stream:stream[^>]*>/);
    const order: string[] = [];
    void outcome(taken).then(() => order.push('one'));
    const sending = a.link.send(alice.name, say('two')).then(() => order.push('two'));
    await next.reads('two');
    await sending;
    expect(order).toEqual(['one', 'two']);
  });

  test('a farewell without a tag is one too', async () => {
    const stream = await spoken();
    stream.end();
    await stream.reads('</stream:stream>');
    expect(await stream.closes()).toBe('');
    await lan.until(() => lan.sockets.size === 0);
  });
});

test('letters that were not read go again over the next stream, in order', async () => {
  const lan = new SimulatedLan();
  const clock = createTestClock();
  const a = await serviceBox(lan, 1, 'a', { clock });
  const alice = await plainPeer(lan, 2, 'alice@h2');
  await seen(a, alice.name);
  const first = await a.mail.send('link:alice@h2', 'one');
  const stream = await alice.incoming();
  stream.write(purpleHeader('alice@h2', 'a@h1'));
  await stream.reads('</message>');
  await first.handed;
  const receipts = [await a.mail.send('link:alice@h2', 'two'), await a.mail.send('link:alice@h2', 'three')];
  await Promise.all(receipts.map(({ handed }) => handed));
  stream.release().resetAndDestroy();
  const again = await alice.incoming();
  again.write(purpleHeader('alice@h2', 'a@h1'));
  const said = await again.reads(/three[^]*<\/message>/);
  clock.advance(1_100);
  expect([...said.matchAll(/<body>([^<]*)<\/body>/g)].map(([, body]) => body).slice(-2)).toEqual(['two', 'three']);
  await Promise.all(receipts.map(({ delivered }) => expect(delivered).rejects.toMatchObject({ code: 'unsupported' })));
  expect(await a.mail.state(receipts[1]?.id ?? '')).toBe('handed');
  await lan.close();
});
