import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { avatarHash, NULL_RECORD } from '../../../src/link/avatar.ts';
import { acquainted, SimulatedLan, type TestBox } from '../../link/fixtures.ts';
import { GIF, PNG } from '../../link/pictures.ts';
import { memoryRegistry } from '../../trust/fixtures.ts';

// Not published at `_presence._tcp.local`, as the example in §11.2 has it: that name is everybody's. libpurple publishes and
// asks for it at the instance name.
describe('XEP-0174 §11.2 buddy icons', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  let b: TestBox;
  beforeEach(async () => {
    lan = new SimulatedLan();
    [a, b] = await Promise.all([lan.box(1, 'romeo'), lan.box(2, 'juliet')]);
    await acquainted(a, b);
  });
  afterEach(() => lan.close());
  const announced = (hash: string | undefined): Promise<void> => lan.until(() => b.link.peers.describe(a.name)?.avatar === hash);

  it('the raw bytes are in a NULL record at the instance, its SHA-1 in phsh', async () => {
    await a.own.setAvatar(PNG);
    await announced(avatarHash(PNG));
    expect(lan.records.get(a.name)).toEqual([{ type: NULL_RECORD, bytes: PNG }]);
    expect(await b.link.avatar(a.name)).toEqual(PNG);
  });

  it('a changed picture: the NULL record is there before its hash is told', async () => {
    await a.own.setAvatar(PNG);
    await announced(avatarHash(PNG));
    const early: boolean[] = [];
    b.link.peers.watch(({ peer }) => {
      if (peer.name === a.name && peer.avatar === avatarHash(GIF)) early.push(lan.records.get(a.name)?.[0]?.bytes.length === GIF.length);
    });
    await a.own.setAvatar(GIF);
    await announced(avatarHash(GIF));
    expect(early).toEqual([true]);
    expect(await b.link.avatar(a.name)).toEqual(GIF);
  });

  it('a picture taken back is nowhere any more', async () => {
    await a.own.setAvatar(PNG);
    await announced(avatarHash(PNG));
    await a.own.setAvatar(undefined);
    await announced(undefined);
    expect(lan.records.get(a.name)).toEqual([]);
    expect(await b.link.avatar(a.name)).toBeUndefined();
  });

  it('the hash that is known is not asked for', async () => {
    await a.own.setAvatar(PNG);
    await announced(avatarHash(PNG));
    await b.link.avatar(a.name);
    lan.records.delete(a.name);
    expect(await b.link.avatar(a.name)).toEqual(PNG);
  });

  it('what does not fit the hash is not believed', async () => {
    await a.own.setAvatar(PNG);
    await announced(avatarHash(PNG));
    lan.records.set(a.name, [{ type: NULL_RECORD, bytes: GIF }]);
    expect(await b.link.avatar(a.name)).toBeUndefined();
    expect(b.troubles.map(({ kind }) => kind)).toEqual(['link.avatar']);
  });

  it('the picture is kept on disk', async () => {
    const registry = memoryRegistry();
    const before = await lan.box(3, 'nurse', { registry });
    await before.own.setAvatar(PNG);
    await before.close();
    const after = await lan.box(4, 'nurse', { registry });
    await acquainted(after, b);
    expect(await b.link.avatar(after.name)).toEqual(PNG);
  });
});
