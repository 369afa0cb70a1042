import { describe, expect, it } from 'vitest';
import { LanpostError, type Box, type PairingEvent } from '../src/index.ts';
import { PAIRING_LIMITS, PairingDesk } from '../src/pairing-desk.ts';

type Step = PairingEvent | Error;
const key = { peer: 'hall', fingerprint: 'ab'.repeat(32) };
const WORDS: PairingEvent = { type: 'words', ...key, words: ['ladder', 'ocean', 'velvet'] };

/** A box whose pairings go as the test says. */
function rig(limits = PAIRING_LIMITS): { desk: PairingDesk; tell: (step: Step) => Promise<void>; said: [string, boolean][]; ended: string[]; confirming: { error?: Error } } {
  const said: [string, boolean][] = [];
  const ended: string[] = [];
  const confirming: { error?: Error } = {};
  let next: ((step: Step) => void) | undefined;
  const trust = {
    async *pair(peer: string, { signal }: { signal?: AbortSignal } = {}): AsyncGenerator<PairingEvent> {
      const over = new Promise<Step>((resolve) => { signal?.addEventListener('abort', () => resolve(new Error('aborted')), { once: true }); });
      try {
        for (;;) {
          const step = await Promise.race([over, new Promise<Step>((resolve) => { next = resolve; })]);
          if (step instanceof Error) throw step;
          yield step;
          if (step.type === 'paired' || step.type === 'failed') return;
        }
      } finally {
        ended.push(peer);
      }
    },
    async confirm(peer: string, same: boolean): Promise<void> {
      said.push([peer, same]);
      if (confirming.error) throw confirming.error;
    },
  } as unknown as Box['trust'];
  const desk = new PairingDesk({ box: { trust }, limits, changed: () => undefined });
  const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
  return {
    desk, said, ended, confirming,
    async tell(step) {
      await settled();
      next?.(step);
      await settled();
    },
  };
}

describe('pairings that were begun on the page', () => {
  it('go by way of words and an answer to their end', async () => {
    const { desk, tell, said } = rig();
    desk.start('hall');
    expect(desk.list()).toMatchObject([{ peer: 'hall', state: 'starting' }]);
    await tell({ type: 'waiting', ...key, until: 5 });
    expect(desk.list()).toMatchObject([{ state: 'waiting', until: 5 }]);
    await tell(WORDS);
    const id = desk.list()[0]?.id ?? '';
    await desk.answer(id, ['ladder', 'ocean', 'velvet'], true);
    expect(desk.list()).toMatchObject([{ state: 'answered' }]);
    await tell({ type: 'paired', ...key, entry: { name: 'hall', fingerprint: key.fingerprint, level: 'paired', grants: [], denials: [], lastSeen: 0 } });
    expect(desk.list()).toMatchObject([{ state: 'paired' }]);
    expect(said).toEqual([[key.fingerprint, true]]);
    desk.stop(id);
    expect(desk.list()).toEqual([]);
  });

  it('takes an answer only to the words that are asked about', async () => {
    const { desk, tell, said } = rig();
    desk.start('hall');
    const id = desk.list()[0]?.id ?? '';
    await expect(desk.answer(id, [], true)).rejects.toMatchObject({ code: 'not-found' });
    await tell(WORDS);
    await expect(desk.answer(id, ['ladder', 'ocean', 'cotton'], true)).rejects.toMatchObject({ code: 'not-found' });
    await expect(desk.answer('p9', ['ladder', 'ocean', 'velvet'], true)).rejects.toMatchObject({ code: 'not-found' });
    expect(said).toEqual([]);
    await desk.answer(id, ['ladder', 'ocean', 'velvet'], false);
    await expect(desk.answer(id, ['ladder', 'ocean', 'velvet'], true)).rejects.toMatchObject({ code: 'not-found' });
    expect(said).toEqual([[key.fingerprint, false]]);
  });

  it('ask again when the box did not take the answer', async () => {
    const { desk, tell, confirming } = rig();
    desk.start('hall');
    await tell(WORDS);
    confirming.error = new LanpostError('disconnected', 'away');
    const id = desk.list()[0]?.id ?? '';
    await expect(desk.answer(id, ['ladder', 'ocean', 'velvet'], true)).rejects.toMatchObject({ code: 'disconnected' });
    expect(desk.list()).toMatchObject([{ state: 'words' }]);
  });

  it('say why they failed, whether the box told it or threw it', async () => {
    const { desk, tell } = rig();
    desk.start('hall');
    await tell({ type: 'failed', ...key, reason: 'refused' });
    expect(desk.list()).toMatchObject([{ state: 'failed', reason: expect.stringContaining('somebody is in between') }]);
    desk.start('hall');
    await tell(new LanpostError('not-found', 'no peer "hall" is seen'));
    expect(desk.list()).toMatchObject([{ state: 'failed' }, { state: 'failed', reason: 'no peer "hall" is seen' }]);
  });

  it('are one for each peer, and bounded; those that are over make room', async () => {
    const { desk, tell } = rig({ ...PAIRING_LIMITS, pairings: 2 });
    desk.start('hall');
    expect(() => desk.start('hall')).toThrow(expect.objectContaining({ code: 'in-use' }));
    await tell({ type: 'failed', ...key, reason: 'expired' });
    desk.start('attic');
    desk.start('cellar');
    expect(desk.list().map(({ peer }) => peer)).toEqual(['attic', 'cellar']);
    expect(() => desk.start('garden')).toThrow(expect.objectContaining({ code: 'busy' }));
  });

  it('end with the page server', async () => {
    const { desk, ended } = rig();
    desk.start('hall');
    await new Promise((resolve) => { setImmediate(resolve); });
    desk.close();
    await new Promise((resolve) => { setImmediate(resolve); });
    expect([desk.list(), ended]).toEqual([[], ['hall']]);
  });
});
