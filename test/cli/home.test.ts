import { describe, expect, it } from 'vitest';
import type { HomeStatus } from '../../src/api.ts';
import { printHomeEvent, printHomes } from '../../src/cli/commands/home.ts';
import { timeInWords } from '../../src/cli/measure.ts';
import { screen } from './shown.ts';

const HOME: HomeStatus = {
  jid: 'box@home.example', service: 'pubsub.home.example', topics: ['#'], state: 'online', since: 0, queued: 900, queuedBytes: 90_000, oldestAge: 1_000, rate: { items: 10, bytes: 1_000 },
};
const draining = { type: 'draining', home: { ...HOME, draining: { since: 0, done: 100, left: 800, rate: 50.4, estimate: 16_000 } } } as const;
const drained = { type: 'drained', home: HOME, drained: { since: 0, done: 900, left: 0, rate: 45 } } as const;

describe('what becomes of a home', () => {
  it('is a line for each on no terminal', async () => {
    const { out, text } = screen();
    await printHomeEvent(out, { type: 'state', home: { ...HOME, state: 'waiting', reason: 'connection refused' } });
    await printHomeEvent(out, draining);
    await printHomeEvent(out, drained);
    expect(text()).toBe('box@home.example  waiting (connection refused), 900 waiting\nbox@home.example  100 up, 800 to go, 50/s, 16 s left\nbox@home.example  all is up: 900 in 20 s\n');
  });

  it('on a terminal how far it is stands in one line', async () => {
    const { out, text } = screen({ terminal: true });
    await printHomeEvent(out, draining);
    await printHomeEvent(out, drained);
    expect(text()).toBe('box@home.example  100 up, 800 to go, 50/s, 16 s left\r\u{1b}[Kbox@home.example  all is up: 900 in 20 s\n');
  });

  it('is an object each with --json', async () => {
    const { out, text } = screen({ json: true });
    await printHomeEvent(out, draining);
    expect(JSON.parse(text())).toEqual({ event: 'home', ...draining });
  });
});

it('the list of homes says why one is refused, and when it is tried again', async () => {
  const { out, text } = screen();
  const nextAttempt = Date.UTC(2026, 10, 1, 12);
  await printHomes(out, [{ ...HOME, state: 'refused', reason: 'the account was refused, check its name and password: not-authorized', nextAttempt }, { ...HOME, jid: 'box@other.example' }]);
  const states = text().split('\n').map((line) => line.split('\t')[1]);
  expect(states.slice(0, 2)).toEqual([`refused (the account was refused, check its name and password: not-authorized) until ${timeInWords(nextAttempt)}`, 'online']);
});
