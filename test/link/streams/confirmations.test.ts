import { describe, expect, test } from 'vitest';
import { createTestClock } from '../../../src/clock.ts';
import { LanpostError } from '../../../src/errors.ts';
import { Confirmations } from '../../../src/link/streams/confirmations.ts';
import { xml } from '../../../src/xmpp/element.ts';
import { NS_SM } from '../../../src/xmpp/stream-management.ts';
import { quiet } from '../../support/quiet.ts';

const lost = new LanpostError('disconnected');

describe('what the h of a resumption covers may have been refused, with the answer still on its way', () => {
  const scene = () => {
    const written: string[] = [];
    const outcomes: string[] = [];
    const confirmations = new Confirmations(createTestClock(), () => undefined);
    const send = (name: string, text?: string): void => confirmations.sent({
      resolve: () => outcomes.push(name), reject: () => outcomes.push(`${name} lost`), ...(text === undefined ? {} : { text }),
    });
    const resume = (h: number): number => confirmations.resume(h, text => written.push(text), lost);
    const hear = (h: number): void => confirmations.receive(xml('a', { xmlns: NS_SM, h: String(h) }));
    return { confirmations, written, outcomes, send, resume, hear };
  };

  test('it is confirmed when the peer has been asked over the new stream and has answered, before what came later', async () => {
    const { confirmations, written, outcomes, send, resume, hear } = scene();
    send('one');
    confirmations.suspend();
    expect(resume(1)).toBe(0);
    await quiet();
    expect([outcomes, written.length, confirmations.isSettled]).toEqual([[], 1, false]);
    send('two');
    hear(2);
    expect([outcomes, confirmations.isSettled]).toEqual([['one', 'two'], true]);
  });

  test('nor is it when the new stream breaks before, until the next has answered', async () => {
    const { confirmations, outcomes, send, resume, hear } = scene();
    send('one');
    confirmations.suspend();
    resume(1);
    send('two');
    confirmations.suspend();
    resume(2);
    expect(outcomes).toEqual([]);
    hear(2);
    expect(outcomes).toEqual(['one', 'two']);
  });

  test('what is lost then goes again: who has it knows it', () => {
    const { confirmations, outcomes, send, resume } = scene();
    send('one');
    send('asked', '<iq/>');
    confirmations.suspend();
    resume(2);
    confirmations.lose(lost);
    expect(outcomes).toEqual(['asked', 'one lost']);
  });
});

describe('who waits for what does not come', () => {
  test.each(['probe', 'settled', 'handledAll'] as const)('%s leaves nothing behind when its time is over', async (what) => {
    const clock = createTestClock();
    const confirmations = new Confirmations(clock, () => undefined);
    confirmations.sent({ resolve: () => undefined, reject: () => undefined });
    confirmations.arrived();
    const asked = Array.from({ length: 100 }, () => confirmations[what](3_000));
    expect(confirmations.waiting).toBe(100);
    const last = confirmations[what](9_000);
    clock.advance(3_000);
    expect(await Promise.all(asked)).toEqual(asked.map(() => false));
    expect(confirmations.waiting).toBe(1);
    confirmations.lose(lost);
    expect([await last, confirmations.waiting]).toEqual([false, 0]);
  });
});
