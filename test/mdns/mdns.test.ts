import { describe, expect, it } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import { decodeText } from '../../src/mdns/text.ts';
import { txtValue } from '../support/txt-data.ts';
import { decodeMessage } from '../../src/mdns/decode.ts';
import { encodeMessage } from '../../src/mdns/encode.ts';
import { makeMessage } from '../../src/mdns/message.ts';
import { rr } from '../conformance/rfc-6762/one-link.ts';
import { advance, type Box, TYPE, world } from './world.ts';

describe('createMdns', () => {
  it('two boxes find each other within 3 s, with port, TXT and addresses of both families', async () => {
    const { clock, box } = world();
    const a = await box('h1');
    const b = await box('h2', { port: 5299, txt: [['txtvers', '1'], ['nick', 'Bö']] });
    await advance(clock, 3000);
    expect([...a.peers.keys()]).toEqual(['box@h2']);
    expect([...b.peers.keys()]).toEqual(['box@h1']);
    const found = a.peers.get('box@h2');
    expect(found).toMatchObject({ host: 'h2.local', port: 5299 });
    expect(txtValue(found, 'nick')).toBe('Bö');
    expect(found?.addresses).toEqual([
      { address: b.host.address(4), family: 4, interface: 'eth0' },
      { address: `${b.host.address(6)}%eth0`, family: 6, interface: 'eth0' },
    ]);
    await Promise.all([a.publication.published, b.publication.published]);
  });

  it('a newcomer finds those that have been there for long', async () => {
    const { clock, box } = world();
    await box('h1');
    await advance(clock, 60_000);
    const late = await box('h2');
    await advance(clock, 3000);
    expect([...late.peers.keys()]).toEqual(['box@h1']);
  });

  it('a changed TXT is seen within a second, a cleared key too', async () => {
    const { clock, box } = world();
    const a = await box('h1', { txt: [['status', 'avail'], ['msg', 'hi']] });
    const b = await box('h2');
    await advance(clock, 5000);
    a.publication.update([['status', 'dnd']]);
    await advance(clock, 1000);
    expect([...decodeText(b.peers.get('box@h1')?.text ?? '')]).toEqual([['status', 'dnd']]);
    a.publication.update([['status', 'away']]);
    a.publication.update([['status', 'avail']]);
    await advance(clock, 2500);
    expect(txtValue(b.peers.get('box@h1'), 'status')).toBe('avail');
    expect(b.events.filter(({ type }) => type === 'down')).toEqual([]);
  });

  it('leaving is seen within 3 s, also when one family loses the goodbye', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1');
    const b = await box('h2');
    await advance(clock, 5000);
    lan.lose = (packet) => packet.family === 6;
    await a.mdns.close();
    await advance(clock, 1500);
    lan.lose = () => false;
    await advance(clock, 6000);
    expect(b.peers.size).toBe(0);
    const c = await box('h3');
    await advance(clock, 5000);
    expect(b.peers.size).toBe(1);
    await c.mdns.close();
    await advance(clock, 1500);
    expect(b.peers.size).toBe(0);
  });

  it('a silent death is noticed when the records run out, or 5 s after reconfirm', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1');
    const b = await box('h2');
    const browsing = b.mdns.browse(TYPE, () => {});
    await advance(clock, 5000);
    lan.cut(a.host, true);
    await advance(clock, 60_000);
    expect(b.peers.size).toBe(1);
    await advance(clock, 62_000);
    expect(b.peers.size).toBe(0);
    lan.cut(a.host, false);
    const c = await box('h3');
    await advance(clock, 5000);
    browsing.reconfirm('box@h3');
    await advance(clock, 7000);
    expect(b.peers.has('box@h3')).toBe(true);
    lan.cut(c.host, true);
    browsing.reconfirm('box@h3');
    await advance(clock, 5500);
    expect(b.peers.has('box@h3')).toBe(false);
  });

  it('two hosts of one name: the later one becomes machine-1 and says so', async () => {
    const { clock, lan, box } = world();
    const a = await box('twin');
    await advance(clock, 5000);
    const b = await box('twin', { on: lan.host('other') });
    await advance(clock, 5000);
    expect(a.publication.instance).toBe('box@twin');
    expect(b.publication).toMatchObject({ instance: 'box@twin-1', host: 'twin-1.local', machine: 'twin-1', user: 'box' });
    expect(b.renamed.at(-1)).toMatchObject({ instance: 'box@twin-1', numbers: { user: 0, host: 1 } });
    expect(a.renamed).toEqual([]);
    expect([...a.peers.keys()]).toEqual(['box@twin-1']);
    expect([...b.peers.keys()]).toEqual(['box@twin']);
  });

  it('two hosts of one name that start in the same moment end with two names', async () => {
    const { clock, lan, box } = world();
    const a = await box('twin');
    const b = await box('twin', { on: lan.host('other') });
    await advance(clock, 10_000);
    expect(new Set([a.publication.instance, b.publication.instance])).toEqual(new Set(['box@twin', 'box@twin-1']));
    expect(a.peers.size).toBe(1);
    expect(b.peers.size).toBe(1);
  });

  it('two processes of one host with one user: the user part is numbered, and they see each other', async () => {
    const { clock, box } = world();
    const a = await box('h1');
    await advance(clock, 3000);
    const b = await box('h1', { on: a.host });
    await advance(clock, 4000);
    expect(a.publication.instance).toBe('box@h1');
    expect(b.publication.instance).toBe('box-1@h1');
    expect([...a.peers.keys()]).toEqual(['box-1@h1']);
    expect([...b.peers.keys()]).toEqual(['box@h1']);
  });

  it.each([
    ['while it probes', 300], ['when it has its name', 4000],
  ])('a box that was killed keeps its name although another machine says %s what it said before, with another port', async (_when, after) => {
    const { clock, lan, box } = world();
    const a = await box('h1', { port: 5299 });
    // A reflector or gateway that answers out of its cache.
    const echo = (target: string): void => lan.transmit({
      segment: 'lan', family: 4, from: { address: '10.77.0.99', port: 5353 }, to: undefined,
      bytes: encodeMessage(makeMessage({ response: true, answers: [rr.srv(`box@h1.${TYPE}.local`, target, 5298), rr.txt(`box@h1.${TYPE}.local`, [['txtvers', '1']])] })),
    });
    for (let time = 0; time < after + 3000; time += 250) {
      if (time >= after) echo('h1.local');
      await advance(clock, 250);
    }
    expect(a.publication.instance).toBe('box@h1');
    expect(a.renamed).toEqual([]);
    for (let time = 0; time < 3000; time += 250) {
      echo('h7.local');
      await advance(clock, 250);
    }
    expect(a.publication.instance).toBe('box-1@h1');
  });

  it('two services of one process with one user get two names', async () => {
    const { clock, box } = world();
    const a = await box('h1');
    const second = a.mdns.publish({ user: 'box', type: TYPE, port: 1, txt: [] });
    expect(second.instance).toBe('box-1@h1');
    const b = await box('h2');
    await advance(clock, 4000);
    expect([...b.peers.keys()].toSorted()).toEqual(['box-1@h1', 'box@h1']);
    await second.stop();
    await advance(clock, 2500);
    expect([...b.peers.keys()]).toEqual(['box@h1']);
  });

  it('finds the two halves of a healed partition both renamed apart', async () => {
    const { clock, lan, box } = world();
    const hosts = [lan.host('x'), lan.host('y')] as const;
    lan.cut(hosts[1], true);
    const a = await box('twin', { on: hosts[0] });
    const b = await box('twin', { on: hosts[1] });
    await advance(clock, 5000);
    expect(a.publication.instance).toBe(b.publication.instance);
    lan.cut(hosts[1], false);
    b.publication.update([['status', 'dnd']]);
    await advance(clock, 15_000);
    expect(new Set([a.publication.instance, b.publication.instance]).size).toBe(2);
    expect(a.peers.size).toBe(1);
    expect(b.peers.size).toBe(1);
  });

  it('an interface that goes takes its peers along; back again, they are found within 10 s', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1');
    const b = await box('h2');
    await advance(clock, 5000);
    const [info] = a.host.network().interfaces();
    a.host.down('eth0');
    await advance(clock, 2500);
    expect(a.peers.size).toBe(0);
    a.host.up('eth0', 'lan', info?.addresses ?? []);
    await advance(clock, 6000);
    expect(a.peers.size).toBe(1);
    expect(b.peers.size).toBe(1);
    expect(lan.packets.length).toBeLessThan(300);
  });

  it('an address that changes is announced', async () => {
    const { clock, box } = world();
    const a = await box('h1');
    const b = await box('h2');
    await advance(clock, 5000);
    a.host.up('eth0', 'lan', [{ address: '10.77.9.9', family: 4, prefix: 16 }, { address: a.host.address(6), family: 6, prefix: 64 }]);
    await advance(clock, 6000);
    expect(b.peers.get('box@h1')?.addresses.map(({ address }) => address)).toEqual(['10.77.9.9', 'fe80::1%eth0']);
  });

  it('after sleep it claims and asks again', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1');
    await advance(clock, 10_000);
    const before = lan.packets.length;
    clock.jump(3_600_000);
    await advance(clock, 4000);
    expect(lan.packets.length - before).toBeGreaterThan(8);
    expect(a.publication.instance).toBe('box@h1');
  });

  it('shows an instance once that two interfaces see, and drops it only when both have lost it', async () => {
    const { clock, box } = world();
    const a = await box('h1');
    a.host.up('wlan0', 'air', [{ address: '192.168.7.1', family: 4, prefix: 24 }]);
    const b = await box('h2');
    b.host.up('wlan0', 'air', [{ address: '192.168.7.2', family: 4, prefix: 24 }]);
    await advance(clock, 6000);
    expect(a.events.filter(({ type }) => type === 'up')).toHaveLength(1);
    expect(a.peers.get('box@h2')?.addresses.map(({ address }) => address)).toContain('192.168.7.2');
    b.host.down('eth0');
    a.host.down('eth0');
    await advance(clock, 4000);
    expect(a.peers.get('box@h2')?.addresses.map(({ address }) => address)).toEqual(['192.168.7.2']);
  });

  it('names no address that is not on the link it was learned on', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1', { families: [4] });
    const b = await box('h2', { families: [4] });
    b.host.up('eth0', 'lan', [{ address: b.host.address(4), family: 4, prefix: 16 }, { address: '198.51.100.7', family: 4, prefix: 24 }]);
    await advance(clock, 6000);
    expect(lan.packets.some(({ bytes }) => Buffer.from(bytes).includes(Buffer.of(198, 51, 100, 7)))).toBe(true);
    expect(a.peers.get('box@h2')?.addresses.map(({ address }) => address)).toEqual([b.host.address(4)]);
  });

  it('says once why it cannot join, goes on trying, and joins when it can', async () => {
    const { clock, lan, box } = world();
    const on = lan.host('h1');
    on.refuse = new LanpostError('forbidden', 'port 5353 is taken');
    const a = await box('h1', { on });
    const b = await box('h2');
    await advance(clock, 10_000);
    expect(a.troubles.filter((kind) => kind === 'mdns.join')).toHaveLength(2);
    expect(a.mdns.interfaces()).toEqual([]);
    on.refuse = undefined;
    await advance(clock, 6000);
    expect(a.peers.size).toBe(1);
    expect(b.peers.size).toBe(1);
  });

  it('leaves the host name to a responder of the same host that showed itself late', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1');
    const b = await box('h2');
    await advance(clock, 1000);
    // What avahi does beside us: no word while we probe, an answer when it is asked later.
    const avahi = { address: a.host.address(4), port: 5353 };
    lan.transmit({ segment: 'lan', family: 4, from: avahi, to: undefined, bytes: encodeMessage(makeMessage({ response: true, answers: [rr.a('h1.local', avahi.address)] })) });
    await advance(clock, 4000);
    expect(a.publication).toMatchObject({ instance: 'box@h1' });
    expect(a.publication.host).toMatch(/^lanpost-.*\.local$/);
    expect(b.peers.get('box@h1')?.host).toBe(a.publication.host);
    expect(a.renamed).toEqual([]);
    lan.packets.length = 0;
    await a.mdns.close();
    const said = lan.packets.flatMap(({ bytes }) => decodeMessage(bytes).answers.map(({ name }) => name));
    expect(said).toContain(a.publication.host);
    expect(said).not.toContain('h1.local');
  });

  it('asks for its host name once more after holding it', async () => {
    const { clock, lan, box } = world();
    await box('h1');
    await advance(clock, 5000);
    const asked = lan.packets.map(({ bytes }) => decodeMessage(bytes)).filter(({ response, authorities }) => !response && authorities.length === 0)
      .flatMap(({ questions }) => questions).filter(({ name }) => name === 'h1.local');
    expect(asked).toHaveLength(2);
  });

  it('without any interface it says so once and waits', async () => {
    const { clock, lan, box } = world();
    const on = lan.host('h1');
    const [eth0] = on.network().interfaces();
    on.down('eth0');
    const a = await box('h1', { on });
    await advance(clock, 10_000);
    expect(a.troubles).toEqual(['mdns.alone']);
    on.up('eth0', 'lan', eth0?.addresses ?? []);
    await advance(clock, 5000);
    expect(a.mdns.interfaces()).toHaveLength(1);
    await a.publication.published;
  });

  it('says goodbye once and resolves what waits when it is closed early', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1');
    await a.mdns.close();
    await a.publication.published;
    await advance(clock, 10_000);
    expect(lan.packets).toEqual([]);
  });

  it('reports unreadable packets once a minute and survives a listener that throws', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1');
    a.mdns.browse(TYPE, () => { throw new Error('listener'); });
    for (let index = 0; index < 100; index++) {
      lan.transmit({ segment: 'lan', family: 4, from: { address: '10.77.0.99', port: 5353 }, to: undefined, bytes: Buffer.from([1, 2, 3]) });
    }
    const b = await box('h2');
    await advance(clock, 3000);
    expect(a.troubles.toSorted()).toEqual(['mdns.listener', 'mdns.malformed']);
    expect(b.peers.size).toBe(1);
    await a.mdns.close();
    await a.mdns.close();
    expect(() => a.mdns.browse(TYPE, () => {})).toThrow(LanpostError);
  });

  it('200 boxes that start together all see all, without a storm', async () => {
    const { clock, lan, box } = world();
    const boxes: Box[] = [];
    for (let index = 0; index < 200; index++) boxes.push(await box(`h${index}`, { families: [4] }));
    await advance(clock, 4000);
    const start = lan.packets.length;
    await advance(clock, 6000);
    expect(boxes.map(({ peers }) => peers.size)).toEqual(boxes.map(() => 199));
    const bytes = lan.packets.reduce((sum, packet) => sum + packet.bytes.length, 0);
    expect(Math.max(...lan.packets.map((packet) => packet.bytes.length))).toBeLessThanOrEqual(1452);
    // Three probes, two announcements, and what newcomers ask and are told.
    expect(start / 200).toBeLessThan(10);
    const seconds = new Map<number, number>();
    for (const { at } of lan.packets) seconds.set(Math.floor(at / 1000), (seconds.get(Math.floor(at / 1000)) ?? 0) + 1);
    const busiest = Math.max(...seconds.values()) / 200;
    expect(busiest).toBeLessThan(5);
    lan.packets.length = 0;
    await advance(clock, 120_000);
    const perBox = lan.packets.length / 200 / 2;
    expect(perBox).toBeLessThan(4);
    expect(boxes.map(({ peers }) => peers.size)).toEqual(boxes.map(() => 199));
    console.info(`200 boxes: ${start} packets in 4 s, ${bytes} bytes in 10 s, ${busiest.toFixed(1)} packets per box in the busiest second, then ${perBox.toFixed(1)} packets per box and minute`);
  });
});
