import { describe, expect, test } from 'vitest';
import type { PeerEvent, Trouble } from '../../src/api.ts';
import { txtData } from '../support/txt-data.ts';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { Peers, type Sighting } from '../../src/link/peers.ts';

const sighting = (instance: string, address = '10.0.0.2', txt: Record<string, string> = {}): Sighting => ({
  instance, host: 'h2.local', port: 5298, text: txtData(Object.entries(txt)), addresses: [{ address, family: 4, interface: 'eth0' }],
});

function fixture(limit = 10, self = () => 'me@h1'): { peers: Peers; events: PeerEvent[]; troubles: Trouble[]; clock: TestClock } {
  const clock = createTestClock();
  const troubles: Trouble[] = [];
  const peers = new Peers({
    clock, limit, trouble: t => void troubles.push(t), self,
    isHomeDomain: domain => domain === 'home',
    standing: name => ({ trust: name.startsWith('paired') ? 'paired' : 'none', connected: name === 'connected@h2' }),
  });
  const events: PeerEvent[] = [];
  peers.watch(event => void events.push(event));
  return { peers, events, troubles, clock };
}

describe('peers', () => {
  test('come, change and go', () => {
    const { peers, events } = fixture();
    peers.found(sighting('a@h2'));
    peers.found(sighting('a@h2', '10.0.0.2', { status: 'away', msg: 'out', lanpost: '1' }));
    peers.gone('a@h2');
    peers.gone('a@h2');
    expect(events.map(({ type, peer }) => [type, peer.status])).toEqual([['up', 'available'], ['changed', 'away'], ['down', 'away']]);
    expect(events[1]?.peer).toEqual({
      name: 'a@h2', address: 'link:a@h2', host: 'h2.local', port: 5298, status: 'away', statusText: 'out', addresses: ['10.0.0.2'], box: true, trust: 'none', connected: false,
    });
    expect(peers.list()).toEqual([]);
  });

  test('of whom only a stream spoke, while there was no room, nobody comes when there is: that stream may have ended', () => {
    const { peers } = fixture(1);
    peers.found(sighting('a@h2'));
    peers.found({ ...sighting('far@h9'), via: { kind: 'caller' } });
    peers.gone('a@h2');
    expect(peers.list()).toEqual([]);
  });

  test.each(['wjt@bael (2)', 'john.doe@pc', 'with space@h', 'Ünï@h', 'no-at-sign', 'q"uo&te<d>@h3', 'a/b#c'])('%s is a name like any other', name => {
    const { peers } = fixture();
    peers.found(sighting(name));
    expect(peers.describe(name)?.address).toBe(`link:${name}`);
  });

  test.each([
    ['romeo@montague.net', true], ['romeo@home', true], ['romeo@montague.net (2)', true], ['xmpp:romeo', true],
    ['device:pump', true], ['romeo:m@montague.net', true], ['link:romeo@montague.net', undefined], ['romeo:m@pc', undefined],
    ['romeo@montague', undefined], ['romeo.m@pc', undefined], ['montague.net', undefined],
  ])('%s is told apart from a JID: that it reads as one is %s', (name, reads) => {
    const { peers, events } = fixture();
    peers.found(sighting(name));
    for (const peer of [peers.describe(name), peers.list()[0], events[0]?.peer]) expect([peer?.readsAsJid, peer?.address]).toEqual([reads, `link:${name}`]);
  });

  test('the box itself is none of them', () => {
    const { peers } = fixture();
    peers.found(sighting('me@h1'));
    expect(peers.size).toBe(0);
  });

  test('whoever wins the name of this box is one of them, once it has another', () => {
    let name = 'me@h1';
    const { peers, events } = fixture(10, () => name);
    peers.found(sighting('me@h1'));
    name = 'me-1@h1';
    peers.renamed();
    peers.renamed();
    expect(events.map(({ type, peer }) => [type, peer.name])).toEqual([['up', 'me@h1']]);
    peers.found(sighting('me-1@h1'));
    peers.gone('me-1@h1');
    name = 'me-2@h1';
    peers.renamed();
    expect(peers.list().map((peer) => peer.name)).toEqual(['me@h1']);
  });

  test('are found by every address they announce, and no longer by one they have left', () => {
    const { peers } = fixture();
    peers.found({ ...sighting('a@h2'), addresses: [{ address: '10.0.0.2', family: 4, interface: 'eth0' }, { address: 'fe80::2%eth0', family: 6, interface: 'eth0' }] });
    peers.found(sighting('b@h2'));
    expect(peers.at('::ffff:10.0.0.2').map(({ name }) => name)).toEqual(['a@h2', 'b@h2']);
    expect(peers.at('fe80::2').map(({ name }) => name)).toEqual(['a@h2']);
    peers.found(sighting('a@h2', '10.0.0.3'));
    expect(peers.at('10.0.0.2').map(({ name }) => name)).toEqual(['b@h2']);
    peers.gone('b@h2');
    expect(peers.at('10.0.0.2')).toEqual([]);
  });

  test('whom the owner knows is not hidden by a thousand strangers', () => {
    const { peers } = fixture(3);
    for (let i = 0; i < 10; i += 1) peers.found(sighting(`stranger${i}@h2`));
    peers.found(sighting('paired@h3', '10.0.0.3'));
    expect(peers.size).toBe(4);
    expect(peers.isAt('paired@h3', '::ffff:10.0.0.3')).toBe(true);
    expect(peers.isAt('paired@h3', '10.0.0.2')).toBe(false);
  });

  test('are bounded; that is told once, and there is room again when one goes', () => {
    const { peers, troubles } = fixture(2);
    for (const name of ['a', 'b', 'c', 'd']) peers.found(sighting(name));
    expect(peers.list().map(({ name }) => name)).toEqual(['a', 'b']);
    expect(troubles).toHaveLength(1);
    peers.found(sighting('a', '10.0.0.9'));
    for (const name of ['c', 'd', 'b']) peers.gone(name);
    peers.found(sighting('e'));
    expect(peers.list().map(({ name }) => name)).toEqual(['a', 'e']);
  });

  test('who came when there was no room is there as soon as one goes; strangers who come and go are told of now and then', () => {
    const { peers, events, troubles } = fixture(2);
    for (const name of ['a', 'b', 'honest', 'c']) peers.found(sighting(name));
    peers.found(sighting('honest', '10.0.0.7'));
    events.length = 0;
    peers.gone('a');
    expect(events.map(({ type, peer }) => `${type} ${peer.name} ${peer.addresses.join()}`)).toEqual(['down a 10.0.0.2', 'up honest 10.0.0.7']);
    peers.gone('b');
    expect(peers.list().map(({ name }) => name)).toEqual(['honest', 'c']);
    for (let i = 0; i < 100; i++) {
      for (const name of [`x${i}`, `y${i}`]) peers.found(sighting(name));
      peers.gone(`x${i}`);
    }
    expect(troubles).toHaveLength(1);
  });

  test('one that is awaited is found when it comes, or given up in time', async () => {
    const { peers, clock } = fixture();
    const coming = peers.awaited(() => peers.get('a'), 1_000);
    peers.found(sighting('a'));
    expect((await coming)?.name).toBe('a');
    const missing = peers.awaited(() => peers.get('b'), 1_000);
    clock.advance(1_000);
    expect(await missing).toBeUndefined();
  });

  test('whoever stopped watching hears nothing', () => {
    const { peers } = fixture();
    const heard: PeerEvent[] = [];
    peers.watch(event => void heard.push(event))();
    peers.found(sighting('a'));
    expect(heard).toEqual([]);
  });
});
