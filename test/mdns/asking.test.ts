import { describe, expect, it } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import { txtValue } from '../support/txt-data.ts';
import { decodeMessage } from '../../src/mdns/decode.ts';
import { TYPE } from '../../src/mdns/message.ts';
import { advance, type Box, world, type World } from './world.ts';

/** A box whose host has a program that keeps the port to itself, and one that has not. */
async function twoBoxes(): Promise<World & { a: Box; b: Box }> {
  const w = world();
  const host = w.lan.host('h2');
  host.refuse = new LanpostError('in-use', 'another program holds UDP port 5353');
  const a = await w.box('h1', { records: [{ type: TYPE.NULL, bytes: Buffer.from('image') }] });
  const b = await w.box('h2', { on: host });
  await advance(w.clock, 5000);
  return { ...w, a, b };
}

describe('where the port cannot be shared', () => {
  it('RFC 6762 §5.1 a box asks from another port: it sees the others, and says that it is not seen', async () => {
    const { lan, a, b } = await twoBoxes();
    expect(b.peers.get('box@h1')).toMatchObject({ port: 5298, host: 'h1.local' });
    expect(b.mdns.state().links).toMatchObject([4, 6].map((family) => ({ family, state: 'asking', code: 'in-use' })));
    expect(b.mdns.state().offers).toMatchObject([{ held: [] }]);
    expect([...a.peers]).toEqual([]);
    expect(b.troubles.filter((kind) => kind === 'mdns.join')).toHaveLength(2);
    // A question a packet, no known answers, no answers of its own (§6.7: others take it for a plain resolver).
    const sent = lan.packets.filter(({ from }) => b.host.has(from.address)).map(({ bytes }) => decodeMessage(bytes));
    expect(sent.every(({ response, questions, answers }) => !response && questions.length === 1 && answers.length === 0)).toBe(true);
  });

  it('a change is seen within 35 s, an end within 80 s, without questions beyond three a minute', async () => {
    const { clock, lan, a, b } = await twoBoxes();
    await advance(clock, 120_000);
    a.publication.update([['status', 'dnd']]);
    await advance(clock, 35_000);
    expect(txtValue(b.peers.get('box@h1'), 'status')).toBe('dnd');
    expect(b.events.some(({ type }) => type === 'down')).toBe(false);
    const before = lan.packets.length;
    await advance(clock, 300_000);
    expect(lan.packets.slice(before).filter(({ from, family }) => family === 4 && b.host.has(from.address)).length).toBeLessThan(16);
    lan.cut(a.host, true);
    await advance(clock, 80_000);
    expect([...b.peers]).toEqual([]);
  });

  it('single records are had as well', async () => {
    const { clock, b } = await twoBoxes();
    const image = b.browsing.ask('box@h1', TYPE.NULL);
    await advance(clock, 500);
    expect(Buffer.from(await image).toString()).toBe('image');
  });

  it('when the port is free it is taken, and nobody known is lost on the way', async () => {
    const { clock, a, b } = await twoBoxes();
    b.host.refuse = undefined;
    await advance(clock, 4000);
    expect([...a.peers.keys()]).toEqual(['box@h2']);
    expect(b.mdns.state().links).toMatchObject([{ state: 'joined' }, { state: 'joined' }]);
    await advance(clock, 20_000);
    expect([...b.peers.keys()]).toEqual(['box@h1']);
    expect(b.events.some(({ type }) => type === 'down')).toBe(false);
    await a.mdns.close();
    await advance(clock, 2000);
    expect([...b.peers]).toEqual([]);
  });
});
