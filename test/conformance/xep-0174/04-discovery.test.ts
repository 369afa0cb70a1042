// §4 asks not to query SRV and TXT before somebody is to be spoken to. Presence is in TXT (§5) and shown at once, so what does
// not come with the PTR is asked for, once.
import { beforeEach, describe, expect, it } from 'vitest';
import { avatarHash, NULL_RECORD } from '../../../src/link/avatar.ts';
import { Avatars } from '../../../src/link/avatars.ts';
import { Peers } from '../../../src/link/peers.ts';
import { buildTxt } from '../../../src/link/presence.ts';
import { decodeMessage } from '../../../src/mdns/decode.ts';
import { TYPE } from '../../../src/mdns/message.ts';
import { PNG } from '../../link/pictures.ts';
import { advance, type Box, world, type World } from '../../mdns/world.ts';

describe('XEP-0174 §4, §5, §9 who is there', () => {
  let w: World;
  beforeEach(() => { w = world(); });
  /** Questions that host has asked since then, without those of its probes. */
  const asked = (by: Box, since: number): number[] => w.lan.packets.filter(({ from, at }) => from.address === by.host.address(4) && at >= since)
    .flatMap(({ bytes }) => { const message = decodeMessage(bytes); return message.response || message.authorities.length > 0 ? [] : message.questions.map(({ type }) => type); });
  const peersOf = (box: Box): Peers => new Peers({
    clock: w.clock, limit: 10, trouble: () => undefined, self: () => box.publication.instance, standing: () => ({ trust: 'none', connected: false }),
  });

  it('§4 PTR is asked for; what this box publishes itself is filtered out', async () => {
    const [a, b] = [await w.box('a'), await w.box('b')];
    await advance(w.clock, 5_000);
    expect(asked(a, 0)).toContain(TYPE.PTR);
    expect([...a.peers.keys()]).toEqual([b.publication.instance]);
    const peers = peersOf(a);
    for (const { service } of [...a.events, ...b.events]) peers.found(service);
    expect(peers.list().map(({ name }) => name)).toEqual([b.publication.instance]);
  });

  it('§4 SRV and TXT that come with the PTR are not asked for; those that are asked for are not any more once they are here', async () => {
    const a = await w.box('a');
    await advance(w.clock, 5_000);
    const since = w.clock.mono();
    await w.box('b');
    await advance(w.clock, 10_000);
    expect(a.peers.size).toBe(1);
    expect(asked(a, since).filter((type) => type === TYPE.SRV || type === TYPE.TXT)).toEqual([]);
  });

  it('§5 a changed TXT record is a changed presence; nothing is pushed over a stream', async () => {
    const [a, b] = [await w.box('a'), await w.box('b')];
    await advance(w.clock, 5_000);
    const peers = peersOf(a);
    for (const service of a.peers.values()) peers.found(service);
    b.publication.update(buildTxt({ status: 'dnd', text: 'at lunch', port: 5298 }));
    await advance(w.clock, 3_000);
    for (const service of a.peers.values()) peers.found(service);
    expect(peers.describe(b.publication.instance)).toMatchObject({ status: 'dnd', statusText: 'at lunch' });
  });

  it('§9 whoever goes says goodbye for its PTR, with TTL 0, and is gone for the others', async () => {
    const [a, b] = [await w.box('a'), await w.box('b')];
    await advance(w.clock, 5_000);
    const since = w.lan.packets.length;
    await b.mdns.close();
    const farewell = w.lan.packets.slice(since).flatMap(({ bytes }) => decodeMessage(bytes).answers);
    expect(farewell).toContainEqual(expect.objectContaining({ type: TYPE.PTR, ttl: 0, data: { kind: 'name', target: `${b.publication.instance}._presence._tcp.local` } }));
    await advance(w.clock, 2_000);
    expect(a.peers.size).toBe(0);
  });

  it('§9 with it go the queries that are still open for it', async () => {
    const a = await w.box('a');
    // A picture that is announced and not there: it would be asked for, for a while.
    const b = await w.box('b', { txt: buildTxt({ status: 'available', port: 1, avatar: avatarHash(PNG) }) });
    await advance(w.clock, 5_000);
    const peers = peersOf(a);
    const avatars = new Avatars({ clock: w.clock, trouble: () => undefined, peer: (name) => peers.get(name), ask: (...args) => a.browsing.ask(...args) });
    peers.watch(({ peer }) => avatars.changed(peer.name));
    for (const service of a.peers.values()) peers.found(service);
    w.lan.cut(b.host, true); // it hears nothing, and so does not say that there is none
    const wanted = avatars.of(b.publication.instance).then(() => 'there', (error: { code: string }) => error.code);
    await advance(w.clock, 500);
    expect(asked(a, 0)).toContain(NULL_RECORD);
    peers.gone(b.publication.instance);
    expect(await wanted).toBe('unreachable');
    const since = w.clock.mono();
    await advance(w.clock, 10_000);
    expect(asked(a, since)).not.toContain(NULL_RECORD);
  });

  it('§11.1 an entity that is seen over IPv4 and IPv6, or twice, is one', async () => {
    const [a, b] = [await w.box('a'), await w.box('b')];
    await advance(w.clock, 5_000);
    expect(a.peers.get(b.publication.instance)?.addresses.map(({ family }) => family).toSorted()).toEqual([4, 6]);
    expect(a.peers.size).toBe(1);
  });

  it('§11.5 the name that is shown is the instance of the PTR; a nick stands beside it', async () => {
    const a = await w.box('a');
    await w.box('pronto', { user: 'juliet', txt: buildTxt({ status: 'available', about: { nick: 'JuliC' }, port: 1 }) });
    await advance(w.clock, 5_000);
    const peers = peersOf(a);
    for (const service of a.peers.values()) peers.found(service);
    expect(peers.list()).toMatchObject([{ name: 'juliet@pronto', nick: 'JuliC' }]);
  });
});
