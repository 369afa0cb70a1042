import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createTestClock, type TestClock, type Timer } from '../../src/clock.ts';
import { Components } from '../../src/home/component/components.ts';
import { Bell } from '../support/bell.ts';
import { memoryRegistry } from '../trust/fixtures.ts';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const KEY = 'component-refused:edge.test';

describe('a secret that the server refuses', () => {
  const bell = new Bell();
  let clock: TestClock;
  let registry: ReturnType<typeof memoryRegistry>;
  let components: Components;
  let server: Server;
  let given: { domain: string; port: number; secret: string };
  let sockets: Socket[];
  let shown: number;
  let accepted: string;
  const overdue = new Set<NodeJS.Immediate>();

  beforeEach(async () => {
    [clock, registry, sockets, shown, accepted] = [createTestClock(), memoryRegistry(), [], 0, 'right'];
    server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined).on('data', (bytes) => {
        const text = bytes.toString();
        if (text.includes('<stream:stream')) socket.write('<stream:stream xmlns="jabber:component:accept" xmlns:stream="http://etherx.jabber.org/streams" from="edge.test" id="42">');
        const digest = /<handshake>([0-9a-f]+)</.exec(text)?.[1];
        if (digest === undefined) return;
        shown += 1;
        socket.write(digest === createHash('sha1').update(`42${accepted}`).digest('hex') ? '<handshake/>' : '<stream:error><not-authorized xmlns="urn:ietf:params:xml:ns:xmpp-streams"/></stream:error>');
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const bound = server.address();
    given = { domain: 'edge.test', port: typeof bound === 'object' ? bound?.port ?? 0 : 0, secret: 'wrong' };
    open();
    await components.add(given);
    await state('refused');
  });
  afterEach(async () => {
    await components.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  /** A process, by its own monotonic clock. */
  function open(): void {
    const began = clock.mono();
    components = new Components({
      log: { registry, trustedNow: () => undefined }, clock: bell.heard({ ...clock, mono: () => clock.mono() - began, after: later }), trouble: bell.ring, random: () => 0, opened: bell.ring,
      receive: async () => undefined,
    });
  }
  /** When the time has passed, not on the way: what is begun then has its time from then on. */
  function later(ms: number, call: () => void): Timer {
    let due: NodeJS.Immediate | undefined;
    const over = (): void => {
      if (due) overdue.delete(due);
    };
    const timer = clock.after(ms, () => {
      due = setImmediate(() => {
        over();
        call();
      });
      overdue.add(due);
    });
    return {
      stop() {
        timer.stop();
        clearImmediate(due);
        over();
      },
    };
  }
  async function startAgain(): Promise<void> {
    await components.close();
    clock.advance(DAY / 400);
    open();
    await components.start();
  }
  const state = (wanted: string): Promise<void> => bell.until(() => overdue.size === 0 && components.list()[0]?.state === wanted);

  test.each<[string, number, () => Promise<unknown>]>([
    ['and finds its component', 0, async () => undefined],
    ['and is told its component once more', 2, () => components.add(given)],
  ])('is shown fewer than 30 times a day by a process that is started 100 times %s', async (_name, early, then) => {
    for (let n = 0; n < 100; n++) {
      for (let part = 0; part < 3; part++) {
        clock.advance(DAY / 400);
        await state('refused');
      }
      await startAgain();
      await state('refused');
      await then();
      await state('refused');
    }
    expect(shown).toBeLessThan(30);
    expect(shown).toBeGreaterThan(20);
    expect(registry.get(KEY)).toMatchObject({ count: shown, early });
    expect(components.list()[0]?.reason).toBe('the secret was refused');
    // Right again, it is let in at the next try by itself.
    accepted = given.secret;
    clock.advance(60 * MINUTE);
    await state('online');
    expect(registry.get(KEY)).toBeUndefined();
  });

  test('is tried at once when it is another, by the process that comes next too', async () => {
    await startAgain();
    await state('refused');
    const before = shown;
    await startAgain();
    await state('refused');
    expect([before, shown]).toEqual([2, 2]);
    await components.add({ ...given, secret: accepted });
    await state('online');
    expect([shown, registry.get(KEY)]).toEqual([before + 1, undefined]);
  });

  test('is tried at once after the component was removed and added', async () => {
    await components.remove('edge.test');
    expect([...registry.rows.keys()]).toEqual([]);
    await components.add(given);
    await state('refused');
    expect(shown).toBe(2);
    expect(registry.get(KEY)).toMatchObject({ count: 1, early: 0 });
  });

  test('is kept by when and how often, never by itself', async () => {
    expect(registry.get(KEY)).toEqual({ count: 1, at: clock.wall(), wait: MINUTE, reason: 'the secret was refused', early: 0 });
  });

  test('stays what it is while the log takes no other', async () => {
    const takes = registry.setAll.bind(registry);
    registry.setAll = () => Promise.reject(new Error('the disk is full'));
    await expect(components.add({ ...given, secret: accepted })).rejects.toThrow('the disk is full');
    await expect(components.remove('edge.test')).rejects.toThrow('the disk is full');
    registry.setAll = takes;
    await state('refused');
    expect(components.list()).toMatchObject([{ domain: 'edge.test', state: 'refused', reason: 'the secret was refused' }]);
    accepted = given.secret;
    clock.advance(MINUTE);
    await state('online');
    expect(shown).toBe(2);
  });
});
