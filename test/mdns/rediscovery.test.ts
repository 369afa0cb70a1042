import { describe, expect, it } from 'vitest';
import { encodeMessage } from '../../src/mdns/encode.ts';
import { CLASS, makeMessage, TYPE as RR } from '../../src/mdns/message.ts';
import type { SimulatedHost } from '../support/simulated-network.ts';
import { txtValue } from '../support/txt-data.ts';
import { advance, backlogged, type Box, stoppable, TYPE, world, type World } from './world.ts';

const MINUTE = 60_000;
const names = (box: Box): string[] => [...box.peers.keys()].toSorted();

/** Boxes that have known each other for long: their questions are rare by now. */
async function settledBoxes(w: World, count: number, rest = 10 * MINUTE): Promise<Box[]> {
  const boxes: Box[] = [];
  for (let number = 1; number <= count; number++) boxes.push(await w.box(`h${number}`));
  await advance(w.clock, rest);
  return boxes;
}

/** Both sides of a fault, which hear only their own from now on. */
function part(w: World, ...sides: (readonly SimulatedHost[])[]): void {
  const side = (address: string): number => sides.findIndex((hosts) => hosts.some((host) => host.has(address)));
  const sideOf = (name: string): number => sides.findIndex((hosts) => hosts.some((host) => host.name === name));
  w.lan.lose = ({ from }, receiver) => side(from.address) !== sideOf(receiver);
}

const heal = (w: World): void => { w.lan.lose = () => false; };

describe('after a fault that nobody is told of, presence is right again within 10 s', () => {
  const times = [['a minute', MINUTE], ['10 minutes', 10 * MINUTE]] as const;

  it.each(times)('two boxes cut apart for %s', async (_what, time) => {
    const w = world();
    const [a, b] = await settledBoxes(w, 2) as [Box, Box];
    w.lan.cut(b.host, true);
    await advance(w.clock, time);
    w.lan.cut(b.host, false);
    await advance(w.clock, 10_000);
    expect([names(a), names(b)]).toEqual([['box@h2'], ['box@h1']]);
    // They had lost each other, or had not.
    expect(a.events.some(({ type }) => type === 'down')).toBe(time > 2 * MINUTE);
  });

  it('two boxes that nobody else is beside, cut apart for six hours', async () => {
    const w = world();
    const [a, b] = await settledBoxes(w, 2) as [Box, Box];
    w.lan.cut(b.host, true);
    await advance(w.clock, 6 * 60 * MINUTE);
    w.lan.cut(b.host, false);
    await advance(w.clock, 10_000);
    expect([names(a), names(b)]).toEqual([['box@h2'], ['box@h1']]);
  });

  it('six boxes in two halves', async () => {
    const w = world();
    const boxes = await settledBoxes(w, 6);
    part(w, boxes.slice(0, 3).map(({ host }) => host), boxes.slice(3).map(({ host }) => host));
    await advance(w.clock, 3 * MINUTE);
    expect(boxes.slice(0, 1).map(names)).toEqual([['box@h2', 'box@h3']]);
    heal(w);
    await advance(w.clock, 10_000);
    expect(boxes.map(({ peers }) => peers.size)).toEqual([5, 5, 5, 5, 5, 5]);
  });

  it.each(times)('one way only, for %s: its packets are heard by nobody, it hears all', async (_what, time) => {
    const w = world();
    const boxes = await settledBoxes(w, 3);
    const [mute] = boxes as [Box];
    w.lan.lose = ({ from }) => mute.host.has(from.address);
    await advance(w.clock, time);
    heal(w);
    await advance(w.clock, 10_000);
    expect(boxes.map(({ peers }) => peers.size)).toEqual([2, 2, 2]);
  });

  it.each(times)('one way only, for %s: it hears nothing, but is heard', async (_what, time) => {
    const w = world();
    const boxes = await settledBoxes(w, 3);
    const [deaf] = boxes as [Box];
    w.lan.lose = (_packet, receiver) => receiver === deaf.host.name;
    await advance(w.clock, time);
    heal(w);
    await advance(w.clock, 10_000);
    expect(boxes.map(({ peers }) => peers.size)).toEqual([2, 2, 2]);
  });

  it('a peer that a conversation missed, 20 s into a cut of a minute', async () => {
    const w = world();
    const [a, b] = await settledBoxes(w, 2) as [Box, Box];
    w.lan.cut(b.host, true);
    await advance(w.clock, 20_000);
    a.browsing.reconfirm('box@h2');
    await advance(w.clock, 40_000);
    expect([names(a), names(b)]).toEqual([[], ['box@h1']]);
    w.lan.cut(b.host, false);
    await advance(w.clock, 10_000);
    expect([names(a), names(b)]).toEqual([['box@h2'], ['box@h1']]);
  });

  it('a status that changed meanwhile is known within two minutes', async () => {
    const w = world();
    const [a, b] = await settledBoxes(w, 2) as [Box, Box];
    w.lan.cut(b.host, true);
    await advance(w.clock, 5000);
    b.publication.update([['status', 'dnd']]);
    await advance(w.clock, 20_000);
    w.lan.cut(b.host, false);
    await advance(w.clock, 2 * MINUTE);
    expect(txtValue(a.peers.get('box@h2'), 'status')).toBe('dnd');
  });

  it('two that were alone on dead switches, and never knew each other, find each other when these are joined', async () => {
    const w = world();
    const [a, b] = [await w.box('h1', { on: w.lan.host('h1', 'one') }), await w.box('h2', { on: w.lan.host('h2', 'two') })];
    await advance(w.clock, 10 * MINUTE);
    w.lan.replug(b.host, 'one');
    await advance(w.clock, 10_000);
    expect([names(a), names(b)]).toEqual([['box@h2'], ['box@h1']]);
  });

  it('a cable plugged into another switch: who is there is found when they speak, at the latest when their records are refreshed', async () => {
    const w = world();
    const a = await w.box('h1');
    const [b, c] = [await w.box('h2', { on: w.lan.host('h2', 'two') }), await w.box('h3', { on: w.lan.host('h3', 'two') })];
    await advance(w.clock, 20 * MINUTE);
    w.lan.replug(a.host, 'two');
    await advance(w.clock, 2 * MINUTE);
    expect([a, b, c].map(names)).toEqual([['box@h2', 'box@h3'], ['box@h1', 'box@h3'], ['box@h1', 'box@h2']]);
  });

  it('an interface that comes back with the same address', async () => {
    const w = world();
    const [a, b] = await settledBoxes(w, 2) as [Box, Box];
    const addresses = b.host.network().interfaces()[0]?.addresses ?? [];
    b.host.down('eth0');
    await advance(w.clock, 3 * MINUTE);
    expect([names(a), names(b)]).toEqual([[], []]);
    b.host.up('eth0', 'lan', addresses);
    await advance(w.clock, 10_000);
    expect([names(a), names(b)]).toEqual([['box@h2'], ['box@h1']]);
  });

  it.each([[4, 6], [6, 4]] as const)('an interface that has no IPv%i any more: its address is gone for the others too, also for those that hear both families', async (lost, kept) => {
    const w = world();
    const [a, b] = await settledBoxes(w, 2) as [Box, Box];
    const [before, left] = [b.host.address(lost), (b.host.network().interfaces()[0]?.addresses ?? []).filter(({ family }) => family === kept)];
    expect(a.peers.get('box@h2')?.addresses).toHaveLength(2);
    b.host.up('eth0', 'lan', left);
    await advance(w.clock, 10_000);
    expect(a.peers.get('box@h2')?.addresses.map(({ family }) => family)).toEqual([kept]);
    expect(a.events.filter(({ type }) => type === 'down')).toEqual([]);
    b.host.up('eth0', 'lan', [...left, { address: before, family: lost, prefix: lost === 4 ? 16 : 64 }]);
    await advance(w.clock, 10_000);
    expect(a.peers.get('box@h2')?.addresses).toHaveLength(2);
  });

  it('an interface whose carrier was gone for less than anybody looks', async () => {
    const w = world();
    const [a, b] = await settledBoxes(w, 2) as [Box, Box];
    const c = await w.box('h3', { on: w.lan.host('h3', 'two') });
    await advance(w.clock, 10 * MINUTE);
    w.lan.replug(b.host, 'two');
    b.host.flap('eth0');
    await advance(w.clock, 10_000);
    expect([b, c].map(names)).toEqual([['box@h3'], ['box@h2']]);
    expect(names(a)).toEqual(['box@h2']);
  });

  it('waking from sleep: whoever left meanwhile is gone in 10 s, whoever came is there, the others never went', async () => {
    const w = world();
    const boxes = await settledBoxes(w, 4);
    const [a, b] = boxes as [Box, Box];
    w.lan.cut(a.host, true);
    await b.mdns.close();
    await w.box('h9');
    await advance(w.clock, 4000);
    const before = a.events.length;
    w.lan.cut(a.host, false);
    w.clock.jump(3_600_000);
    await advance(w.clock, 10_000);
    expect(names(a)).toEqual(['box@h3', 'box@h4', 'box@h9']);
    expect(a.events.slice(before).map(({ type, service }) => [type, service.instance]).filter(([type]) => type === 'down')).toEqual([['down', 'box@h2']]);
  });

  // The last time that b says what has changed is 15 s after it did; what was multicast is not multicast again within a second.
  it.each([20_000, 15_200])('a process that was stopped for %i ms, and heard nothing, knows in 10 s what was said meanwhile, who came, and who left', async (time) => {
    const w = world();
    const clock = stoppable(w.clock);
    const a = await w.box('h1', { clock });
    const b = await w.box('h2');
    const c = await w.box('h3');
    await advance(w.clock, 10 * MINUTE);
    const before = a.events.length;
    clock.stop();
    w.lan.cut(a.host, true);
    await advance(w.clock, 1000);
    b.publication.update([['txtvers', '1'], ['status', 'away']]);
    await c.mdns.close();
    await w.box('h9');
    await advance(w.clock, time);
    w.lan.cut(a.host, false);
    clock.go();
    await advance(w.clock, 10_000);
    expect(names(a)).toEqual(['box@h2', 'box@h9']);
    expect(txtValue(a.peers.get('box@h2'), 'status')).toBe('away');
    expect(a.events.slice(before).filter(({ type }) => type === 'down').map(({ service }) => service.instance)).toEqual(['box@h3']);
  });

  it.each([20_000, 15_200])('a process that was stopped for %i ms, and heard nothing, knows in 10 s where a peer is now', async (time) => {
    const w = world();
    const clock = stoppable(w.clock);
    const a = await w.box('h1', { clock });
    const b = await w.box('h2');
    await advance(w.clock, 10 * MINUTE);
    clock.stop();
    w.lan.cut(a.host, true);
    await advance(w.clock, 10_000 - w.clock.mono() % 2000);
    b.host.up('eth0', 'lan', [{ address: '10.77.9.9', family: 4, prefix: 16 }, { address: b.host.address(6), family: 6, prefix: 64 }]);
    await advance(w.clock, 2000 + time);
    w.lan.cut(a.host, false);
    clock.go();
    await advance(w.clock, 10_000);
    expect(a.peers.get('box@h2')?.addresses.map(({ address, family }) => (family === 4 ? address : 'six'))).toEqual(['10.77.9.9', 'six']);
  });

  // What has come until the socket's buffer was full is read when the process goes on: then it is old, and what came after it is lost.
  it('a process that was stopped, and first reads what it was sent before its buffer was full, knows in 10 s what was said after that, and who left', async () => {
    const w = world();
    const clock = stoppable(w.clock);
    const host = w.lan.host('h1');
    const buffer = backlogged(host);
    const a = await w.box('h1', { clock, on: host });
    const b = await w.box('h2');
    const c = await w.box('h3');
    await advance(w.clock, 10 * MINUTE);
    clock.stop();
    buffer.stop();
    // Each says all of itself once more: that is what there is room for.
    b.publication.update([['txtvers', '1'], ['status', 'dnd']]);
    c.publication.update([['txtvers', '1'], ['status', 'dnd']]);
    await advance(w.clock, 30_000);
    await w.box('h9');
    await advance(w.clock, MINUTE);
    buffer.full();
    b.publication.update([['txtvers', '1'], ['status', 'away']]);
    await c.mdns.close();
    await advance(w.clock, MINUTE);
    clock.go();
    buffer.go();
    await advance(w.clock, 10_000);
    expect(names(a)).toEqual(['box@h2', 'box@h9']);
    expect(txtValue(a.peers.get('box@h2'), 'status')).toBe('away');
  });
});

it('a system that cannot tell for a while what interfaces there are, as when too many files are open, ends nothing', async () => {
  const w = world();
  const host = w.lan.host('h1');
  const network = host.network();
  let blind = false;
  host.network = () => ({
    ...network,
    interfaces: () => {
      if (blind) throw new Error('uv_interface_addresses returned Unknown system error 24');
      return network.interfaces();
    },
  });
  const a = await w.box('h1', { on: host });
  await w.box('h2');
  await advance(w.clock, MINUTE);
  blind = true;
  await advance(w.clock, MINUTE);
  blind = false;
  await w.box('h3');
  await advance(w.clock, MINUTE);
  expect([names(a), a.events.map(({ type }) => type), a.troubles]).toEqual([['box@h2', 'box@h3'], ['up', 'up'], ['mdns.interfaces']]);
});

describe('what that costs', () => {
  const perMinute = (w: World, packets: number, minutes: number, boxes: number): number => Math.round((w.lan.packets.length - packets) / minutes / boxes * 10) / 10;

  it('a peer killed for good: its host\'s absence costs the others together 8 packets a minute over each family, for a quarter of an hour', async () => {
    const w = world();
    const [killed] = await settledBoxes(w, 10) as [Box];
    w.lan.cut(killed.host, true);
    await advance(w.clock, 5 * MINUTE);
    let packets = w.lan.packets.length;
    await advance(w.clock, 5 * MINUTE);
    const meanwhile = perMinute(w, packets, 5, 1);
    await advance(w.clock, 60 * MINUTE);
    packets = w.lan.packets.length;
    await advance(w.clock, 10 * MINUTE);
    const afterwards = perMinute(w, packets, 10, 1);
    console.info(`10 boxes, one killed: ${meanwhile} packets a minute in all at first, ${afterwards} an hour later`);
    expect(meanwhile).toBeLessThan(45);
    expect(afterwards).toBeLessThan(30);
  });

  it('a box alone asks every 8 s for a quarter of an hour, then as §5.2 says', async () => {
    const w = world();
    await w.box('h1', { families: [4] });
    await advance(w.clock, MINUTE);
    let packets = w.lan.packets.length;
    await advance(w.clock, 10 * MINUTE);
    expect(perMinute(w, packets, 10, 1)).toBeLessThan(9);
    await advance(w.clock, 60 * MINUTE);
    packets = w.lan.packets.length;
    await advance(w.clock, 60 * MINUTE);
    expect(w.lan.packets.length - packets).toBeLessThanOrEqual(2);
  });

  it('at rest nothing: ten boxes ask for what runs out, and no more', async () => {
    const w = world();
    await settledBoxes(w, 10);
    const packets = w.lan.packets.length;
    await advance(w.clock, 20 * MINUTE);
    const rate = perMinute(w, packets, 20, 10);
    console.info(`10 boxes at rest: ${rate} packets per box and minute`);
    expect(rate).toBeLessThan(3.5);
  });
});

describe('a goodbye that a stranger says of a peer, to one host alone', () => {
  const goodbye = encodeMessage(makeMessage({ response: true, answers: [{
    name: `${TYPE}.local`, type: RR.PTR, class: CLASS.IN, flush: false, ttl: 0, data: { kind: 'name', target: `box@h2.${TYPE}.local` },
  }] }));

  async function said(keeps: boolean): Promise<{ w: World; a: Box; before: number }> {
    const w = world();
    // On one family: what the other says of it goes on otherwise.
    const a = await w.box('h1', { families: [4] });
    await w.box('h2', { families: [4] });
    await advance(w.clock, 30 * MINUTE);
    a.mdns.browse(TYPE, () => undefined, () => keeps);
    const from = w.lan.host('stranger').address(4);
    const before = w.lan.packets.length;
    a.events.length = 0;
    w.lan.transmit({ segment: 'lan', family: 4, from: { address: from, port: 5353 }, to: { address: a.host.address(4), port: 5353 }, bytes: goodbye });
    await advance(w.clock, 3000);
    return { w, a, before };
  }

  it('does not hide one that is remembered in any case: it is asked for before it has left', async () => {
    const { a, w, before } = await said(true);
    expect([names(a), a.events]).toEqual([['box@h2'], []]);
    // The goodbye, a question, its answer.
    expect(w.lan.packets.length - before).toBe(3);
  });

  it('is believed of any other, as RFC 6762 §10.1 has it', async () => {
    const { a } = await said(false);
    expect(a.events.map(({ type }) => type)).toContain('down');
  });

  it('when the peer says it itself it is gone', async () => {
    const w = world();
    const [a, b] = await settledBoxes(w, 2) as [Box, Box];
    a.mdns.browse(TYPE, () => undefined, () => true);
    await b.mdns.close();
    await advance(w.clock, 3000);
    expect(names(a)).toEqual([]);
  });
});
