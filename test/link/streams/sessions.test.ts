import { setImmediate as nextTurn } from 'node:timers/promises';
import { array, assert, asyncProperty, constantFrom, integer, record } from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Session } from '../../../src/link/streams/session.ts';
import { SessionRig } from './session-rig.ts';

const numbered = (from: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${from}${i}`);

/** Both talk at once; every connection is cut as said, the last one is not. */
async function talk(cuts: readonly number[], dialling: readonly ('a' | 'b')[], each: number, slow = 0): Promise<SessionRig> {
  const rig = new SessionRig();
  const { a, b } = rig;
  [a.slow, b.slow] = [slow, slow];
  const said = { a: numbered('a', each), b: numbered('b', each) };
  const asked = { a: false, b: false };
  for (const [i, cut] of [...cuts, Number.POSITIVE_INFINITY].entries()) {
    await rig.connect(rig[dialling[i % dialling.length] ?? 'a'], cut);
    for (const name of ['a', 'b'] as const) {
      const end = rig[name];
      if (!end.stream?.ready || asked[name]) continue;
      asked[name] = true;
      for (const text of said[name]) {
        end.say(text);
        end.ask(`${text}?`);
      }
    }
    const isDone = (): boolean => a.unconfirmed + b.unconfirmed === 0 && a.answers.length >= each && b.answers.length >= each;
    await rig.bell.until(() => isDone() || rig.isBroken);
    if (isDone()) break;
  }
  // Whatever would come twice comes now.
  while (rig.isBroken || [a, b].some(({ stream }) => stream?.ready !== true || stream.unconfirmed > 0)) {
    if (rig.isBroken) await rig.connect(a);
    await nextTurn();
  }
  return rig;
}

function expectWhole({ a, b }: SessionRig, each: number): void {
  const [fromA, fromB] = [numbered('a', each), numbered('b', each)];
  expect(b.messages).toEqual(fromA);
  expect(a.messages).toEqual(fromB);
  expect(b.requests).toEqual(fromA.map(text => `${text}?`));
  expect(a.requests).toEqual(fromB.map(text => `${text}?`));
  expect(a.answers).toEqual(fromA.map(text => `${text}?`));
  expect(b.answers).toEqual(fromB.map(text => `${text}?`));
}

describe('a stream that breaks and is resumed loses nothing, doubles nothing, and keeps the order', () => {
  test('wherever it is cut', async () => {
    let resumed = 0;
    // Once nothing is cut any more, all of it has been tried: the opening, the talk, the last acknowledgement.
    for (let cut = 1, whole = false; !whole; cut += 1) {
      const rig = await talk([cut, cut], ['a', 'b'], 3);
      expectWhole(rig, 3);
      resumed += rig.a.resumed;
      whole = rig.connections === 1;
    }
    expect(resumed).toBeGreaterThan(500);
  });

  test('however often, and whoever dials', async () => {
    await assert(asyncProperty(
      record({ cuts: array(integer({ min: 1, max: 4_000 }), { maxLength: 8 }), dialling: array(constantFrom('a' as const, 'b' as const), { minLength: 1, maxLength: 5 }), slow: integer({ min: 0, max: 60 }) }),
      async ({ cuts, dialling, slow }) => expectWhole(await talk(cuts, dialling, 5, slow), 5),
    ), { numRuns: 500 });
  });
});

describe('a session', () => {
  const broken = async (rig: SessionRig): Promise<void> => {
    await rig.connect(rig.a);
    rig.cut();
    await rig.bell.until(() => rig.isBroken);
  };

  test('is resumed by one of two who dial at once, and both know by whom', async () => {
    for (let round = 0; round < 20; round += 1) {
      const rig = new SessionRig();
      await broken(rig);
      await Promise.all([rig.connect(rig.a), rig.connect(rig.b)]);
      expect([rig.a.resumed, rig.b.resumed]).toEqual([1, 1]);
      expect(rig.a.stream?.side).not.toBe(rig.b.stream?.side);
    }
  });

  test('waits no longer than it says', async () => {
    const rig = new SessionRig();
    await broken(rig);
    rig.a.say('late');
    rig.b.clock.advance(30_000);
    expect([rig.a.sessions.waiting, rig.b.sessions.waiting]).toEqual([1, 0]);
    await rig.connect(rig.a);
    expect(rig.a.resumed).toBe(0);
    await rig.bell.until(() => rig.b.messages.length === 1 && rig.a.unconfirmed === 0);
  });

  test('in which something could not be made durable is not resumed: an h cannot say what came after it', async () => {
    const rig = new SessionRig();
    await rig.connect(rig.a);
    rig.b.slow = 20;
    rig.a.say('lost');
    await rig.bell.until(() => (rig.b.stream?.session?.confirmations.unhandled ?? 0) > 0);
    // The disk fails when the stream has gone already.
    rig.b.failing = true;
    rig.cut();
    await rig.bell.until(() => rig.isBroken && rig.b.failed > 0);
    rig.b.failing = false;
    await rig.connect(rig.a);
    expect([rig.a.resumed, rig.b.resumed]).toEqual([0, 0]);
    await rig.bell.until(() => rig.b.messages.length === 1);
  });

  test.each(['a', 'b'] as const)('that was lost before a refusal arrived, and that %s resumes: the refusal is heard before the confirmation', async (dialling) => {
    const rig = new SessionRig();
    await rig.connect(rig.a);
    rig.b.refusing = true;
    rig.b.slow = 20;
    rig.a.say('unwanted');
    await rig.bell.until(() => (rig.b.stream?.session?.confirmations.unhandled ?? 0) > 0);
    rig.cut();
    await rig.bell.until(() => rig.isBroken && rig.b.messages.length === 1);
    await rig.connect(rig[dialling]);
    await rig.bell.until(() => rig.a.unconfirmed === 0);
    expect(rig.a.outcomes).toEqual(['unwanted refused', 'unwanted delivered']);
    expect(rig.b.messages).toEqual(['unwanted']);
  });

  test('that has too many answers to keep is not resumed', async () => {
    const rig = new SessionRig();
    await rig.connect(rig.a);
    rig.a.ask('x'.repeat(150_000));
    rig.a.ask('x'.repeat(150_000));
    rig.cut();
    await rig.bell.until(() => rig.isBroken);
    expect(rig.a.sessions.waiting).toBe(0);
  });

  test('of a stranger gives way to those of others when too many wait', () => {
    const { sessions, level } = new SessionRig().a;
    const open = (i: number): Session => sessions.open({ name: `p${i}`, fingerprint: `f${i}` });
    const all = Array.from({ length: 65 }, (_, i) => open(i));
    level.set('f0', 'paired').set('f1', 'paired');
    for (const session of all) expect(sessions.suspend(session)).toBe(true);
    expect(sessions.waiting).toBe(64);
    expect(all.map(session => sessions.isWaiting(session)).slice(0, 4)).toEqual([true, true, false, true]);
  });
});

test('a stream whose peer is not read, since too much that it sent waits for the disk, is given up by neither side', async () => {
  const rig = new SessionRig();
  const { a, b } = rig;
  await rig.connect(a);
  let goOn = (): void => undefined;
  b.stalled = new Promise(resolve => { goOn = resolve; });
  const said = numbered('a', 300);
  for (const text of said.slice(0, 256)) a.say(text);
  await rig.bell.until(() => b.stream?.held === true);
  // What answers this is not read.
  b.say('b0');
  for (const text of said.slice(256)) a.say(text);
  await rig.bell.until(() => a.messages.length === 1);
  for (let s = 0; s < 20; s += 1) {
    for (const end of [a, b]) end.clock.advance(1_000);
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  }
  expect([a.stream?.ready, b.stream?.ready]).toEqual([true, true]);
  goOn();
  await rig.bell.until(() => a.unconfirmed + b.unconfirmed === 0);
  expect([b.messages.toSorted(), rig.connections, b.stream?.held]).toEqual([said.toSorted(), 1, false]);
});
