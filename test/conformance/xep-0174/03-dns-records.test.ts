import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readClaims } from '../../../src/link/claims.ts';
import { buildTxt } from '../../../src/link/presence.ts';
import { seen, SimulatedLan } from '../../link/fixtures.ts';
import { plainPeer, purpleHeader } from '../../link/plain-peer.ts';
import { buildMessage } from '../../../src/xmpp/stanza.ts';

describe('XEP-0174 §3 DNS records', () => {
  let lan: SimulatedLan;
  beforeEach(() => { lan = new SimulatedLan(); });
  afterEach(() => lan.close());

  const txt = buildTxt({ status: 'away', text: 'm', label: 'n', port: 5299, caps: { node: 'x', hash: 'sha-1', ver: 'v' } });
  const keys = txt.map(([key]) => key);

  it('§3 the port in SRV is the one dialled, whatever port.p2pj says', async () => {
    const a = await lan.box(1, 'a');
    const alice = await plainPeer(lan, 2, 'alice@h2', { 'port.p2pj': '1' });
    await seen(a, alice.name);
    const sending = a.link.send(alice.name, buildMessage({ body: 'x' }));
    const stream = await alice.incoming();
    stream.write(purpleHeader('alice@h2', 'a@h1'));
    await sending;
    expect(await stream.reads('</message>')).toContain('x');
  });

  it('§3.1 txtvers is first and 1', () => {
    expect(txt[0]).toEqual(['txtvers', '1']);
  });

  it('§3.1 no key occurs more than once', () => {
    expect(new Set(keys.map(key => key.toLowerCase())).size).toBe(keys.length);
  });

  it('§3.1 no key is needed: an empty record is a peer that is available', () => {
    expect(readClaims('')).toEqual({ status: 'available', box: false });
  });

  it('§3.1 keys are ASCII and short, the whole record fits one packet', () => {
    for (const key of keys) expect(key).toMatch(/^[\x21-\x3c\x3e-\x7e]{1,9}$/);
    const most = buildTxt({ status: 'away', text: 'é'.repeat(500), about: { nick: 'é'.repeat(500) }, port: 65_535, caps: { node: 'x'.repeat(300), hash: 'sha-1', ver: 'v'.repeat(28) } });
    expect(most.reduce((sum, [key, value]) => sum + 2 + key.length + Buffer.byteLength(value), 0)).toBeLessThan(1_300);
  });

  it('§12 nothing of a person is published unless the owner says it: no jid, no email', () => {
    expect(keys).not.toEqual(expect.arrayContaining(['jid']));
    expect(keys).not.toEqual(expect.arrayContaining(['email']));
  });

  it('§15.1 status is avail, away or dnd', () => {
    expect((['available', 'away', 'dnd'] as const).map(status => Object.fromEntries(buildTxt({ status, port: 1 }))['status'])).toEqual(['avail', 'away', 'dnd']);
  });

  it('§15.1 vc says that a box is in no call, and able to make none', async () => {
    expect(txt.filter(([key]) => key === 'vc')).toEqual([['vc', '!']]);
    const [a, b] = [await lan.box(1, 'a'), await lan.box(2, 'b')];
    await seen(b, a.name);
    expect(b.link.peers.describe(a.name)?.calls).toEqual(['free']);
  });

  it('§10 ext is left out: it is optional, deprecated in XEP-0115, and ver says what it said', () => {
    expect(keys).toEqual(expect.arrayContaining(['node', 'hash', 'ver']));
    expect(keys).not.toContain('ext');
  });

  it('§13.4 with the personal keys off, not even the name of the box is in them', () => {
    const about = { personal: false, first: 'Juliet', last: 'Capulet', nick: 'JuliC', email: ['juliet@capulet.lit'], jid: ['juliet@capulet.lit'] };
    expect(buildTxt({ status: 'available', label: 'n', about, port: 1 }).map(([key]) => key)).toEqual(['txtvers', 'port.p2pj', 'status', 'vc', 'lanpost']);
  });

  it('§13.4 personal keys are the owner\'s to fill in, and to switch off, also while the box runs', async () => {
    const [a, b] = [await lan.box(1, 'a', { about: { first: 'Juliet', last: 'Capulet', nick: 'JuliC', email: ['juliet@capulet.lit'], jid: ['juliet@capulet.lit'] } }), await lan.box(2, 'b')];
    await seen(b, a.name);
    expect(b.link.peers.describe(a.name)).toMatchObject({ first: 'Juliet', last: 'Capulet', nick: 'JuliC', email: ['juliet@capulet.lit'], jid: ['juliet@capulet.lit'] });
    await a.own.setAbout({ personal: false });
    await lan.until(() => b.link.peers.describe(a.name)?.nick === undefined);
    for (const key of ['first', 'last', 'email', 'jid']) expect(b.link.peers.describe(a.name)).not.toHaveProperty(key);
  });
});
