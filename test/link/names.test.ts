// An instance name is an opaque string: what real peers are called, and what nobody would expect.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { seen, SimulatedLan } from './fixtures.ts';
import { plainPeer, purpleHeader } from './plain-peer.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

const NAMES = [
  'wjt@bael (2)', 'wjt@bael #2', 'john.doe@pc', 'Two Words', 'Ünï.Cödé 💐@häuschen', 'x'.repeat(63), 'ü'.repeat(31), 'a@b@c', 'juliet@capulet.lit', 'link:x', 'xmpp:x@y.z',
  '%41', 'a/b', '__proto__', 'constructor', '.', '#', '+', '$mail', ' ', "o'brien@pc", 'q"uo&te<d>@h3', ']]>', 'R&D & <Co>', 'rtl\u202Eemag',
];

describe('a peer that is called', () => {
  let lan: SimulatedLan;
  let a: ServiceBox;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await serviceBox(lan, 1, 'a');
  });
  afterEach(() => lan.close());

  test.each(NAMES)('%j is listed, written to, and writes', async name => {
    const peer = await plainPeer(lan, 2, name);
    await seen(a, name);
    expect(a.link.peers.list()).toMatchObject([{ name, address: `link:${name}` }]);
    await a.mail.send(`link:${name}`, 'to you');
    const stream = await peer.incoming();
    // As libpurple does, which escapes nothing in its header.
    stream.write(purpleHeader(name, 'a@h1'));
    expect(await stream.reads('</message>')).toContain('<body>to you</body>');
    stream.write("<message><body>to me</body></message>");
    const inbox = a.mail.messages({ name: 'all' });
    expect((await inbox.next()).value).toMatchObject({ from: `link:${name}`, to: 'link:a@h1', body: 'to me' });
    await inbox.close();
  });

  test.each(NAMES)('%j is known when it calls, by the name it says', async name => {
    const peer = await plainPeer(lan, 2, name);
    await plainPeer(lan, 2, 'another at that address');
    await seen(a, name);
    const stream = await peer.dial('10.77.0.1', a.link.status().port ?? 0);
    stream.write(`${purpleHeader(name, 'a@h1')}<message><body>it is me</body></message>`);
    const inbox = a.mail.messages({ name: 'all' });
    expect((await inbox.next()).value).toMatchObject({ from: `link:${name}` });
    await inbox.close();
  });

  test.each(['bell\u0007', 'nul\u0000', 'no character \uFFFE'])('%j, which XML cannot carry, is listed and not called: its stream would be deaf', async name => {
    const peer = await plainPeer(lan, 2, name);
    await seen(a, name);
    expect(a.link.peers.list()).toMatchObject([{ name }]);
    await expect((async () => (await a.mail.send(`link:${name}`, 'x')).handed)()).rejects.toMatchObject({ name: 'LanpostError' });
    await expect(a.link.prove(name)).rejects.toMatchObject({ code: 'invalid-value' });
    expect(peer.streams).toEqual([]);
  });

  test('john.doe@pc, without link:, is a name on the link; what looks like a JID has to be said to be one', async () => {
    await plainPeer(lan, 2, 'john.doe@pc');
    await seen(a, 'john.doe@pc');
    await a.mail.send('john.doe@pc', 'x');
    await plainPeer(lan, 3, 'juliet@capulet.lit');
    await seen(a, 'juliet@capulet.lit');
    await expect(a.mail.send('juliet@capulet.lit', 'x')).rejects.toMatchObject({ code: 'unreachable' });
  });
});
