import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createTestClock } from '../../../src/clock.ts';
import { type Ask, BLOCK_BYTES, InBandReceiver, LEAST_BLOCK_BYTES, sendInBand, WINDOW } from '../../../src/link/files/in-band.ts';
import type { Draft } from '../../../src/link/files/received-folder.ts';
import type { Source } from '../../../src/link/files/source.ts';
import { Transfer } from '../../../src/link/files/transfer.ts';
import { SEQUENCE } from '../../../src/xep/ibb.ts';
import { type Element, xml } from '../../../src/xmpp/element.ts';
import { StanzaError } from '../../../src/xmpp/stanza-error.ts';

const transferOf = (size: number): Transfer =>
  new Transfer({ id: 'x', direction: 'out', peer: 'b@h2', trust: 'seen', name: 'n', size }, createTestClock(), () => undefined);
const RESULT = xml('iq', { type: 'result' });

/** Blocks of one byte, whatever is asked for: that many of them. */
const sourceOf = (count: number): Source => ({
  name: 'n', size: count, sha256: async () => '', close: async () => undefined,
  async *blocks() { for (let at = 0; at < count; at += 1) yield Uint8Array.of(at & 255); },
});
const payloadOf = (iq: Element): Element => iq.children[0] as Element;

describe('the sender of an in-band stream', () => {
  test('XEP-0047 §2.2 counts to 65535 and begins again', async () => {
    const seqs: number[] = [];
    const ask: Ask = async (iq) => {
      const { attrs, name } = payloadOf(iq);
      if (name === 'data') seqs.push(Number(attrs['seq']));
      return RESULT;
    };
    await sendInBand('s', sourceOf(SEQUENCE + 3), transferOf(SEQUENCE + 3), ask);
    expect(seqs.slice(0, 2)).toEqual([0, 1]);
    expect(seqs.slice(-4)).toEqual([65_535, 0, 1, 2]);
  });

  test('has only so many blocks on their way', async () => {
    let flying = 0;
    let most = 0;
    const waiting: (() => void)[] = [];
    const ask: Ask = async (iq) => {
      if (payloadOf(iq).name !== 'data') return RESULT;
      most = Math.max(most, flying += 1);
      await new Promise<void>((resolve) => { waiting.push(resolve); });
      flying -= 1;
      return RESULT;
    };
    const transfer = transferOf(100);
    const sending = sendInBand('s', sourceOf(100), transfer, ask);
    while (transfer.sent < 100) {
      await nextTurn();
      for (const answer of waiting.splice(0, 1)) answer();
    }
    await sending;
    expect([most, transfer.sent]).toEqual([WINDOW, 100]);
  });

  test('XEP-0047 §2.1 makes smaller blocks for who wants smaller ones, down to a bound', async () => {
    const sizes: number[] = [];
    const refusing: Ask = async (iq) => {
      const { name, attrs } = payloadOf(iq);
      if (name !== 'open') return RESULT;
      sizes.push(Number(attrs['block-size']));
      throw new StanzaError('resource-constraint');
    };
    await expect(sendInBand('s', sourceOf(1), transferOf(1), refusing)).rejects.toMatchObject({ condition: 'resource-constraint' });
    expect(sizes).toEqual([BLOCK_BYTES, BLOCK_BYTES / 2, LEAST_BLOCK_BYTES]);
  });

  test('XEP-0047 §2.2 closes the stream when a block is refused, and sends no more', async () => {
    const names: string[] = [];
    const ask: Ask = async (iq) => {
      const { name } = payloadOf(iq);
      names.push(name);
      if (names.length === 4) throw new StanzaError('unexpected-request');
      return RESULT;
    };
    await expect(sendInBand('s', sourceOf(1_000), transferOf(1_000), ask)).rejects.toMatchObject({ condition: 'unexpected-request' });
    expect(names.at(-1)).toBe('close');
    expect(names.length).toBeLessThan(4 + WINDOW + 2);
  });

  test('stops when the transfer is over, whatever it waits for', async () => {
    const transfer = transferOf(100);
    const ask: Ask = (iq) => (payloadOf(iq).name === 'data' ? new Promise(() => undefined) : Promise.resolve(RESULT));
    const sending = sendInBand('s', sourceOf(100), transfer, ask);
    await nextTurn();
    transfer.fail(new Error('enough'));
    await expect(sending).rejects.toThrow('enough');
  });
});

describe('the receiver of an in-band stream', () => {
  const draftOf = (written: number[], slow?: Promise<void>): Draft => ({
    write: async (bytes) => { await slow; written.push(...bytes); }, keep: async () => '', discard: async () => undefined,
  });
  const receiverOf = (size: number, blockBytes = 4, slow?: Promise<void>): { receiver: InBandReceiver; written: number[] } => {
    const written: number[] = [];
    return { written, receiver: new InBandReceiver(blockBytes, transferOf(size), draftOf(written, slow), () => undefined) };
  };
  const block = (seq: number, ...bytes: number[]): { sid: string; seq: number; bytes: Uint8Array } => ({ sid: 's', seq, bytes: Uint8Array.from(bytes) });

  test('writes the blocks in order, and takes the first seq again after the last', async () => {
    const { receiver, written } = receiverOf(SEQUENCE + 1);
    const all: Promise<void>[] = [];
    for (let n = 0; n <= SEQUENCE; n += 1) {
      all.push(receiver.data(block(n % SEQUENCE, n & 1)));
      if (n % 50 === 0) await Promise.all(all.splice(0));
    }
    await receiver.end();
    expect([written.length, written.slice(-2)]).toEqual([SEQUENCE + 1, [1, 0]]);
  });

  test.each<[string, number[], ReturnType<typeof block>, string]>([
    ['a block that is missing', [0], block(2, 1), 'unexpected-request'], ['a block twice', [0], block(0, 1), 'unexpected-request'],
    ['a block that does not begin at 0', [], block(1, 1), 'unexpected-request'], ['a block larger than agreed', [0], block(1, 1, 2, 3, 4, 5), 'bad-request'],
    ['more than was announced', [0, 1, 2], block(3, 1, 2, 3, 4), 'not-acceptable'],
  ])('refuses %s', (_, before, bad, condition) => {
    const { receiver } = receiverOf(6);
    for (const seq of before) void receiver.data(block(seq, 7));
    expect(() => receiver.data(bad)).toThrow(expect.objectContaining({ condition }));
  });

  test('holds only so many blocks that the disk has not taken', async () => {
    let go = (): void => undefined;
    const { receiver } = receiverOf(1_000, 4, new Promise((resolve) => { go = resolve; }));
    for (let seq = 0; seq < 64; seq += 1) void receiver.data(block(seq, 1));
    expect(() => receiver.data(block(64, 1))).toThrow(expect.objectContaining({ condition: 'resource-constraint' }));
    go();
    await expect(receiver.end()).rejects.toMatchObject({ code: 'disconnected', message: 'only 64 of 1000 bytes came' });
  });
});
