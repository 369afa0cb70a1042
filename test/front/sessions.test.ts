import { describe, expect, it } from 'vitest';
import { MOST_SESSIONS, SESSION_IDLE, SESSION_LONGEST, Sessions } from '../../src/front/sessions.ts';

function rig(): { sessions: Sessions; pass: (ms: number) => void; change: (to: string | undefined) => void } {
  let time = 0;
  let version: string | undefined = 'first';
  return { sessions: new Sessions({ version: () => version, now: () => time }), pass: (ms) => { time += ms; }, change: (to) => { version = to; } };
}

describe('sessions', () => {
  it('are known by their id, and nobody guesses one', () => {
    const { sessions } = rig();
    const id = sessions.begin('first');
    expect(id.length).toBeGreaterThanOrEqual(43);
    expect(sessions.has(id)).toBe(true);
    for (const other of ['', 'x', id.slice(1), `${id}x`, '__proto__']) expect(sessions.has(other)).toBe(false);
  });

  it('end a day after they were used last, and after a month in any case', () => {
    const { sessions, pass } = rig();
    const id = sessions.begin('first');
    const used = sessions.begin('first');
    pass(SESSION_IDLE);
    expect(sessions.has(used)).toBe(true);
    pass(1);
    expect([sessions.has(id), sessions.has(used)]).toEqual([false, true]);
    for (let at = SESSION_IDLE + 1; at < SESSION_LONGEST - SESSION_IDLE; at += SESSION_IDLE) {
      pass(SESSION_IDLE);
      expect(sessions.has(used)).toBe(true);
    }
    pass(SESSION_IDLE);
    pass(SESSION_IDLE);
    expect(sessions.has(used)).toBe(false);
  });

  it('being looked at is not being used', () => {
    const { sessions, pass } = rig();
    const id = sessions.begin('first');
    pass(SESSION_IDLE);
    expect(sessions.lasts(id)).toBe(true);
    pass(1);
    expect(sessions.lasts(id)).toBe(false);
  });

  it('end with a new password, with none, and when they are ended', () => {
    const { sessions, change } = rig();
    const [one, two] = [sessions.begin('first'), sessions.begin('first')];
    sessions.end(one);
    expect([sessions.has(one), sessions.has(two)]).toEqual([false, true]);
    change('second');
    expect(sessions.has(two)).toBe(false);
    const three = sessions.begin('second');
    change(undefined);
    expect([sessions.has(three), sessions.open]).toEqual([false, false]);
  });

  it('are bounded: the one used longest ago ends for a new one', () => {
    const { sessions } = rig();
    const ids = Array.from({ length: MOST_SESSIONS }, () => sessions.begin('first'));
    const [first = '', second = ''] = ids;
    expect(sessions.has(first)).toBe(true);
    sessions.begin('first');
    expect([sessions.has(first), sessions.has(second)]).toEqual([true, false]);
  });
});
