import { describe, expect, it } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { CommandOffers, type CommandLimits } from '../../src/commands/offers.ts';
import { LanpostError } from '../../src/errors.ts';

const RUNNER = { from: 'link:ann', trust: 'seen' } as const;

function offering(limits: Partial<CommandLimits> = {}) {
  const clock = createTestClock();
  const troubles: Trouble[] = [];
  return { clock, troubles, offers: new CommandOffers({ clock, trouble: (trouble) => troubles.push(trouble), limits }) };
}

describe('a command', () => {
  it('is run with who runs it, and its answer is a copy', async () => {
    const { offers } = offering();
    const kept = { a: [1] };
    offers.offer('pump/start', ({ signal, ...call }) => ({ ...call, aborted: signal.aborted, kept }), { title: 'Start the pump' });
    expect(offers.list()).toEqual([{ name: 'pump/start', title: 'Start the pump' }]);
    const answer = await offers.run('pump/start', { seconds: 2 }, RUNNER) as { kept: object };
    expect(answer).toEqual({ command: 'pump/start', value: { seconds: 2 }, from: 'link:ann', trust: 'seen', aborted: false, kept });
    expect(answer.kept).not.toBe(kept);
    offers.offer('quiet', () => undefined);
    expect(await offers.run('quiet', null, { trust: 'paired' })).toBeUndefined();
  });

  it('tells words that are meant for whoever runs it, and no others', async () => {
    const { offers, troubles } = offering();
    offers.offer('meant', () => { throw new LanpostError('failed', 'the pump is dry'); });
    offers.offer('not-meant', async () => { throw new Error('password hunter2 is wrong'); });
    await expect(offers.run('meant', null, RUNNER)).rejects.toMatchObject({ code: 'failed', message: 'the pump is dry' });
    await expect(offers.run('not-meant', null, RUNNER)).rejects.toMatchObject({ code: 'failed', message: 'the command not-meant failed' });
    expect(troubles).toEqual([{ kind: 'commands.failed', message: expect.stringContaining('hunter2') }]);
  });

  it('that does not end in its time is given up, and told', async () => {
    const { offers, clock } = offering();
    let told: AbortSignal | undefined;
    offers.offer('slow', ({ signal }) => { told = signal; return new Promise(() => undefined); }, { timeout: 5000 });
    const run = offers.run('slow', null, RUNNER);
    clock.advance(5000);
    await expect(run).rejects.toMatchObject({ code: 'timeout' });
    expect(told?.aborted).toBe(true);
  });

  it('is offered once, until it is taken back; what runs then is told', async () => {
    const { offers } = offering();
    const stop = new AbortController();
    const offer = offers.offer('x', () => new Promise(() => undefined), { signal: stop.signal });
    expect(() => offers.offer('x', () => 1)).toThrow(expect.objectContaining({ code: 'conflict' }));
    const run = offers.run('x', null, RUNNER);
    stop.abort();
    await expect(run).rejects.toMatchObject({ code: 'closed' });
    await offer.ended;
    await expect(offers.run('x', null, RUNNER)).rejects.toMatchObject({ code: 'not-found' });
    const later = offers.offer('x', () => 2);
    await offer.close(); // the former one's
    expect(await offers.run('x', null, RUNNER)).toBe(2);
    await later.close();
    expect(offers.list()).toEqual([]);
  });

  it('has a name as a topic has, and a handler', () => {
    const { offers } = offering();
    for (const name of ['', 'a/#', '+', '$x', 'a//b', 'x'.repeat(2000)]) expect(() => offers.offer(name, () => 1)).toThrow(expect.objectContaining({ code: 'invalid-value' }));
    expect(() => offers.offer(1 as never, () => 1)).toThrow(TypeError);
    expect(() => offers.offer('a', 1 as never)).toThrow(TypeError);
    expect(() => offers.offer('a', () => 1, { timeout: 0 })).toThrow(expect.objectContaining({ code: 'invalid-value' }));
    expect(() => offers.offer('a', () => 1, { fields: [{ name: 'x' }, { name: 'x' }] })).toThrow(expect.objectContaining({ code: 'invalid-value' }));
    for (const unsayable of ['\u0007', '\uffff', '\ud800']) {
      for (const options of [{ title: unsayable }, { fields: [{ name: unsayable }] }, { fields: [{ name: 'x', label: unsayable }] }, { fields: [{ name: 'x', kind: 'list', options: [unsayable] }] }] as const) {
        expect(() => offers.offer('a', () => 1, options)).toThrow(expect.objectContaining({ code: 'invalid-value' }));
      }
      expect(() => offers.offer(`a${unsayable}`, () => 1)).toThrow(expect.objectContaining({ code: 'invalid-value' }));
    }
    expect(() => offers.offer('a', () => 1, { fields: [{ name: 'x', kind: 'list' }] })).toThrow(expect.objectContaining({ code: 'invalid-value' }));
    expect(offers.list()).toEqual([]);
  });
});

describe('limits', () => {
  it('as many commands as that, and as many runs, of one and of all', async () => {
    const { offers } = offering({ offered: 1, running: 3, runningForOne: 2 });
    const ends: (() => void)[] = [];
    offers.offer('x', () => new Promise((resolve) => { ends.push(() => resolve(1)); }));
    expect(() => offers.offer('y', () => 1)).toThrow(expect.objectContaining({ code: 'busy' }));
    const two = [offers.run('x', null, RUNNER), offers.run('x', null, RUNNER)];
    await expect(offers.run('x', null, RUNNER)).rejects.toMatchObject({ code: 'busy' });
    const other = offers.run('x', null, { from: 'link:bob', trust: 'seen' });
    await expect(offers.run('x', null, { trust: 'paired' })).rejects.toMatchObject({ code: 'busy' });
    for (const end of ends) end();
    expect(await Promise.all([...two, other])).toEqual([1, 1, 1]);
    const again = offers.run('x', null, RUNNER);
    ends.at(-1)?.();
    expect(await again).toBe(1);
  });

  it('what has no form is no answer', async () => {
    const { offers } = offering();
    offers.offer('x', () => (() => 1) as never);
    await expect(offers.run('x', null, RUNNER)).rejects.toMatchObject({ code: 'invalid-value' });
    offers.close();
    expect(() => offers.offer('y', () => 1)).toThrow(expect.objectContaining({ code: 'closed' }));
  });
});
