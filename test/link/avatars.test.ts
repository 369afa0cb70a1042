import { beforeEach, describe, expect, test } from 'vitest';
import type { Trouble } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { LanpostError } from '../../src/errors.ts';
import { avatarHash } from '../../src/link/avatar.ts';
import { Avatars } from '../../src/link/avatars.ts';
import type { KnownPeer } from '../../src/link/peers.ts';
import { PNG } from './pictures.ts';

/** What one query was, and how the test answers it. */
interface Asked { readonly name: string; readonly type: number; readonly signal: AbortSignal; answer(image: Uint8Array): void; fail(error: Error): void }

describe('pictures of peers', () => {
  const announced = new Map<string, string | undefined>();
  let asked: Asked[];
  let troubles: Trouble[];
  let avatars: Avatars;
  const picture = (n: number): Uint8Array => Uint8Array.from([...PNG, n >> 8, n & 255]);
  const peer = (name: string): KnownPeer | undefined => {
    if (!announced.has(name)) return undefined;
    const avatar = announced.get(name);
    return { name, host: 'h', port: 1, addresses: [], claims: { status: 'available', box: false, ...(avatar === undefined ? {} : { avatar }) } };
  };

  beforeEach(() => {
    announced.clear();
    asked = [];
    troubles = [];
    avatars = new Avatars({
      clock: createTestClock(), trouble: (trouble) => troubles.push(trouble), peer,
      ask: (name, type, options) => new Promise((answer, fail) => {
        const signal = options?.signal ?? new AbortController().signal;
        signal.addEventListener('abort', () => fail(signal.reason as Error));
        asked.push({ name, type, signal, answer, fail });
      }),
    });
  });

  test('are asked for when the hash is new, once for all who want it, and not again', async () => {
    announced.set('alice@h2', avatarHash(picture(1)));
    const [one, two] = [avatars.of('alice@h2'), avatars.of('alice@h2')];
    expect(asked).toMatchObject([{ name: 'alice@h2', type: 10 }]);
    asked[0]?.answer(picture(1));
    expect([await one, await two]).toEqual([picture(1), picture(1)]);
    expect(await avatars.of('alice@h2')).toEqual(picture(1));
    announced.set('bob@h3', avatarHash(picture(1)));
    expect(await avatars.of('bob@h3')).toEqual(picture(1));
    announced.set('alice@h2', avatarHash(picture(2)));
    const newer = avatars.of('alice@h2');
    asked[1]?.answer(picture(2));
    expect(await newer).toEqual(picture(2));
    expect(asked).toHaveLength(2);
  });

  test('whoever gets one may write in it', async () => {
    announced.set('alice@h2', avatarHash(picture(1)));
    const first = avatars.of('alice@h2');
    asked[0]?.answer(picture(1));
    (await first)?.fill(0);
    expect(await avatars.of('alice@h2')).toEqual(picture(1));
  });

  test('that are not what was announced are not believed, nor remembered, and told once in a while', async () => {
    announced.set('mallory@h4', avatarHash(picture(1)));
    for (let round = 0; round < 3; round += 1) {
      const image = avatars.of('mallory@h4');
      asked[round]?.answer(picture(9));
      expect(await image).toBeUndefined();
    }
    expect(troubles).toMatchObject([{ kind: 'link.avatar', message: expect.stringContaining('mallory@h4') }]);
  });

  test('of who has none, announces none, or is not there', async () => {
    announced.set('carol@h5', undefined);
    expect(await avatars.of('carol@h5')).toBeUndefined();
    await expect(avatars.of('nobody@h9')).rejects.toMatchObject({ code: 'not-found' });
    expect(asked).toEqual([]);
    announced.set('dave@h6', avatarHash(picture(1)));
    const none = avatars.of('dave@h6');
    asked[0]?.fail(new LanpostError('not-found'));
    expect(await none).toBeUndefined();
    const silent = avatars.of('dave@h6');
    asked[1]?.fail(new LanpostError('timeout'));
    await expect(silent).rejects.toMatchObject({ code: 'timeout' });
  });

  test('§9 are not asked for any more when the peer has left, or has another', async () => {
    announced.set('alice@h2', avatarHash(picture(1)));
    const left = avatars.of('alice@h2');
    avatars.changed('alice@h2');
    expect(asked[0]?.signal.aborted).toBe(false);
    announced.delete('alice@h2');
    avatars.changed('alice@h2');
    expect(asked[0]?.signal.aborted).toBe(true);
    await expect(left).rejects.toMatchObject({ code: 'unreachable' });
    announced.set('alice@h2', avatarHash(picture(2)));
    const closing = avatars.of('alice@h2');
    avatars.close();
    await expect(closing).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('are remembered up to a bound, the longest unused goes first', async () => {
    const fetched = async (n: number): Promise<number> => {
      announced.set('alice@h2', avatarHash(picture(n)));
      const before = asked.length;
      const image = avatars.of('alice@h2');
      asked[before]?.answer(picture(n));
      await image;
      return asked.length - before;
    };
    for (let n = 0; n < 64; n += 1) expect(await fetched(n)).toBe(1);
    expect(await fetched(0)).toBe(0);
    expect(await fetched(64)).toBe(1);
    expect([await fetched(0), await fetched(1)]).toEqual([0, 1]);
  });
});
