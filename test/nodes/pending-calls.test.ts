import { expect, it } from 'vitest';
import { PendingCalls } from '../../nodes/shared/pending-calls.ts';
import type { CommandCall } from '../../src/index.ts';

const call = (signal: AbortSignal): CommandCall => ({ command: 'c', value: null, trust: 'paired', signal });

it('a run ends once: by its answer, by its time, when it cannot be handed to the flow, and when nobody waited from the start', async () => {
  const calls = new PendingCalls();
  const over = new AbortController();
  let id = '';
  const answered = calls.wait(call(over.signal), (given) => { id = given; });
  expect(calls.answer(id, ({ resolve }) => resolve(1))).toBe(true);
  expect(calls.answer(id, ({ resolve }) => resolve(2))).toBe(false);
  const late = calls.wait(call(over.signal), () => undefined);
  over.abort(new Error('its time is over'));
  await expect(late).rejects.toThrow('its time is over');
  expect(await answered).toBe(1);
  await expect(calls.wait(call(new AbortController().signal), () => { throw new Error('no such wire'); })).rejects.toThrow('no such wire');
  let begun = false;
  await expect(calls.wait(call(over.signal), () => { begun = true; })).rejects.toThrow('its time is over');
  expect({ begun, size: calls.size }).toEqual({ begun: false, size: 0 });
});
