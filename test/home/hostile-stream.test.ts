// A home that breaks the rules of the stream: nothing hangs, grows without end, is lost or told twice.
import { describe, expect, it } from 'vitest';
import { xml } from '../../src/xmpp/element.ts';
import { quiet } from '../support/quiet.ts';
import { createRig } from './rig.ts';

const chat = (n: number): ReturnType<typeof xml> => xml('message', { type: 'chat', from: 'friend@home.test/a', id: `m${n}` }, xml('body', {}, String(n)));
const ping = (n: number): ReturnType<typeof xml> => xml('iq', { type: 'get', id: `p${n}`, from: 'home.test' }, xml('ping', { xmlns: 'urn:xmpp:ping' }));
const letter = { id: 'm1', to: 'xmpp:friend@away.test', body: 'x', recordId: 'r', chain: 'c', time: 0 };
const FRIEND = { kind: 'xmpp', jid: 'friend@away.test' } as const;

describe('what is in work when the connection goes', () => {
  it('is done before the session is taken up again, and comes only once', async () => {
    const came: string[] = [];
    let release: (() => void) | undefined;
    await using rig = await createRig({
      receive: async (stanza) => {
        if (stanza.name !== 'message') return undefined;
        came.push(stanza.getChildText('body') ?? '');
        if (came.length === 1) await new Promise<void>((resolve) => { release = resolve; });
        return undefined;
      },
    });
    const { home } = rig;
    await rig.add();
    await rig.state('online');
    home.say(chat(1));
    await rig.until(() => came.length === 1);
    home.cut();
    await rig.state('connecting');
    await quiet();
    expect(home.logins).toBe(1);
    release?.();
    await rig.until(() => home.resumed === 1);
    home.say(chat(2));
    await rig.until(() => came.length >= 2);
    home.send(xml('r', { xmlns: 'urn:xmpp:sm:3' }));
    await rig.until(() => home.h === 2);
    expect(came).toEqual(['1', '2']);
  });

  it('and fails comes again, and is counted then', async () => {
    const came: string[] = [];
    await using rig = await createRig({
      receive: (stanza) => {
        if (stanza.name !== 'message') return Promise.resolve(undefined);
        came.push(stanza.getChildText('body') ?? '');
        return came.length === 1 ? Promise.reject(new Error('not now')) : Promise.resolve(undefined);
      },
    });
    const { home } = rig;
    await rig.add();
    await rig.state('online');
    home.say(chat(1));
    await rig.until(() => home.resumed === 1);
    home.say(chat(2));
    await rig.until(() => came.length === 3);
    home.send(xml('r', { xmlns: 'urn:xmpp:sm:3' }));
    await rig.until(() => home.h > 0);
    expect([home.h, came]).toEqual([2, ['1', '1', '2']]);
  });
});

it('one slow stanza among a flood stops reading only until it is done', async () => {
  let release: (() => void) | undefined;
  let pings = 0;
  await using rig = await createRig({
    receive: async (stanza) => {
      if (stanza.name === 'message') await new Promise<void>((resolve) => { release = resolve; });
      else pings++;
      return undefined;
    },
  });
  const { home } = rig;
  await rig.add();
  await rig.state('online');
  home.say(chat(1));
  for (let n = 0; n < 300; n++) home.say(ping(n));
  await rig.until(() => pings >= 256);
  release?.();
  await rig.publish('t', 1);
  await rig.drained();
  expect([home.sessions, home.resumed]).toEqual([1, 0]);
});

it('nothing from home is read while too much waits for the disk, and nothing is lost by that', async () => {
  let makeRoom = (): void => {};
  const room = new Promise<void>((resolve) => { makeRoom = resolve; });
  let crowded = true;
  let taken = 0;
  await using rig = await createRig({ receive: async () => { taken++; return undefined; } });
  const { home } = rig;
  rig.log.roomy = () => (crowded && taken > 0 ? room : undefined);
  await rig.add();
  await rig.state('online');
  for (let n = 0; n < 60; n++) home.say(xml('message', { id: `${n}` }, xml('body', {}, 'x'.repeat(60_000))));
  await rig.until(() => taken > 0);
  await quiet();
  expect(taken).toBeLessThan(20);
  crowded = false;
  makeRoom();
  await rig.until(() => taken === 60);
  expect([home.sessions, home.resumed]).toEqual([1, 0]);
});

describe('an h that cannot be', () => {
  it.each([['too high', (h: number) => String(h + 5)], ['gone back', (h: number) => String(h - 1)], ['no number', () => 'many']])('%s, at resumption: another session is begun', async (_what, resumedH) => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.publish('t', 1);
    await rig.drained();
    home.send(xml('r', { xmlns: 'urn:xmpp:sm:3' }));
    home.set.resumedH = resumedH;
    await rig.until(() => home.h > 0);
    home.cut();
    await rig.until(() => home.sessions === 2);
    await rig.publish('t', 2);
    await rig.drained();
    expect([home.sessions, home.resumed, rig.count('t')]).toEqual([2, 1, 2]);
  });

  it('no XMPP: the same is not asked for again', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.state('online');
    home.send('<a></b>');
    await rig.until(() => home.sessions === 2);
    expect(home.resumed).toBe(0);
  });

  it('an error of the stream ends it, also when the server stays', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.state('online');
    home.send(`<stream:error xmlns:stream='http://etherx.jabber.org/streams'><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>`);
    await rig.until(() => home.sessions === 2);
    expect(rig.home.resumed).toBe(0);
  });
});

describe('mail on a session that ends', () => {
  it('is not handed twice when the server says that it had it', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.state('online');
    Object.assign(home.set, { resumable: false, failedH: true, acks: false });
    const { handed } = await rig.homes.road.deliver(FRIEND, letter);
    await rig.until(() => home.stanzas.some((stanza) => stanza.name === 'message'));
    home.cut();
    await expect(handed).resolves.toBeUndefined();
  });

  it('is given back when the server says nothing', async () => {
    await using rig = await createRig();
    const { home } = rig;
    await rig.add();
    await rig.state('online');
    Object.assign(home.set, { resumable: false, acks: false });
    const { handed } = await rig.homes.road.deliver(FRIEND, letter);
    await rig.until(() => home.stanzas.some((stanza) => stanza.name === 'message'));
    home.cut();
    await expect(handed).rejects.toMatchObject({ code: 'disconnected' });
  });
});

it('a server that answers and never acknowledges is left before what is kept for it piles up', async () => {
  await using rig = await createRig();
  const { home } = rig;
  home.set.acks = false;
  await rig.add();
  await rig.publish('t', ...Array.from({ length: 1500 }, (_, i) => i));
  await rig.until(() => home.sessions === 2);
  await rig.drained();
  expect(rig.count('t')).toBe(1500);
});

it('SCRAM with a billion rounds is refused, not computed', async () => {
  await using rig = await createRig();
  rig.home.set.iterations = 999_999_999;
  await rig.add();
  await rig.state('refused');
  expect((await rig.status())?.reason).toContain('999999999 iterations');
});
