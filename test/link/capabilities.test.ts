import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { capsVersion } from '../../src/xep/caps.ts';
import { txtData } from '../support/txt-data.ts';
import { acquainted, seen, SimulatedLan, type TestBox } from './fixtures.ts';
import { plainPeer, type PlainStream, purpleHeader } from './plain-peer.ts';

const INFO = { identities: [{ category: 'client', type: 'pc', name: 'Gajim' }], features: ['urn:a', 'urn:b'] };
const VER = capsVersion(INFO) ?? '';
const query = (node: string, ...features: string[]): string =>
  `<query xmlns='http://jabber.org/protocol/disco#info' node='${node}'><identity category='client' type='pc' name='Gajim'/>${features.map(feature => `<feature var='${feature}'/>`).join('')}</query>`;

describe('what a peer can do', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'a');
  });
  afterEach(() => lan.close());
  const features = (name: string): readonly string[] | undefined => a.link.peers.describe(name)?.features;
  /** A peer of XMPP 1.0 without TLS: answers a call with these features. */
  const called = async (name: string, txt: Record<string, string>, said: string): Promise<PlainStream> => {
    const peer = await plainPeer(lan, 2, name, txt);
    await seen(a, name);
    const asking = a.link.features(name);
    asking.catch(() => undefined); // judged by what is known afterwards
    const stream = await peer.incoming();
    await stream.reads(/<stream:stream[^>]*version='1.0'[^>]*>/);
    stream.write(`<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='${name}' to='a@h1' version='1.0'><stream:features>${said}</stream:features>`);
    return stream;
  };

  test('of another box is known at once when it announces what this one does', async () => {
    const b = await lan.box(2, 'b');
    await acquainted(a, b);
    expect(features(b.name)).toContain('urn:xmpp:ping');
    expect(await a.link.features(b.name)).toEqual(features(b.name));
    expect(lan.dials).toEqual([]);
  });

  test('is believed from its stream features when it fits the hash in its record, and then of others too', async () => {
    await called('alice@h2', { node: 'urn:x', hash: 'sha-1', ver: VER }, query(`urn:x#${VER}`, ...INFO.features));
    await lan.until(() => features('alice@h2') !== undefined);
    expect(features('alice@h2')).toEqual(['urn:a', 'urn:b']);
    lan.announce({ instance: 'bob@h3', host: 'h3.local', port: 1, text: txtData([['node', 'urn:y'], ['hash', 'sha-1'], ['ver', VER]]), addresses: [] });
    expect(features('bob@h3')).toEqual(['urn:a', 'urn:b']);
    expect(a.troubles).toEqual([]);
  });

  test('is asked for when the features of the stream do not say it', async () => {
    const stream = await called('alice@h2', { node: 'urn:x', hash: 'sha-1', ver: VER }, '');
    const iq = await stream.reads('</iq>');
    expect(iq).toContain(`<query xmlns='http://jabber.org/protocol/disco#info' node='urn:x#${VER}'/>`);
    stream.write(`<iq type='result' id='${/ id='([^']*)'/.exec(iq)?.[1]}' from='alice@h2'>${query(`urn:x#${VER}`, ...INFO.features)}</iq>`);
    await lan.until(() => features('alice@h2') !== undefined);
    expect(features('alice@h2')).toEqual(['urn:a', 'urn:b']);
  });

  test('§10 who wanted no more than this ends the stream', async () => {
    const stream = await called('alice@h2', { node: 'urn:x', hash: 'sha-1', ver: VER }, '');
    const iq = await stream.reads('</iq>');
    stream.write(`<iq type='result' id='${/ id='([^']*)'/.exec(iq)?.[1]}' from='alice@h2'>${query(`urn:x#${VER}`, ...INFO.features)}</iq>`);
    expect(await stream.reads('</stream:stream>')).toBe('</stream:stream>');
  });

  test('§10 so does who got no answer', async () => {
    const stream = await called('alice@h2', { node: 'urn:x', hash: 'sha-1', ver: VER }, '');
    const iq = await stream.reads('</iq>');
    stream.write(`<iq type='error' id='${/ id='([^']*)'/.exec(iq)?.[1]}' from='alice@h2'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`);
    expect(await stream.reads('</stream:stream>')).toBe('</stream:stream>');
  });

  test('of somebody who is not there cannot be asked', async () => {
    await expect(a.link.features('nobody@h9')).rejects.toMatchObject({ code: 'not-found' });
  });

  test('is not believed, not remembered and told when it is not what is announced', async () => {
    await called('mallory@h2', { node: 'urn:x', hash: 'sha-1', ver: VER }, query(`urn:x#${VER}`, 'urn:a', 'urn:evil'));
    await lan.until(() => a.troubles.length > 0);
    expect(a.troubles).toMatchObject([{ kind: 'link.caps', message: expect.stringContaining('mallory@h2') }]);
    expect(features('mallory@h2')).toBeUndefined();
  });

  test('with a hash function that is not known counts for that peer alone', async () => {
    const txt = { node: 'urn:x', hash: 'whirlpool', ver: 'v' };
    await called('alice@h2', txt, query('urn:x#v', 'urn:a'));
    await lan.until(() => features('alice@h2') !== undefined);
    lan.announce({ instance: 'bob@h3', host: 'h3.local', port: 1, text: txtData(Object.entries(txt)), addresses: [] });
    expect(features('bob@h3')).toBeUndefined();
    lan.announce({ instance: 'alice@h2', host: 'h2.local', port: 1, text: txtData(Object.entries({ ...txt, ver: 'w' })), addresses: [] });
    expect(features('alice@h2')).toBeUndefined();
  });

  test('COMPAT(libpurple): a ver without hash is a version, and nothing is asked by itself', async () => {
    const alice = await plainPeer(lan, 2, 'alice@h2', { node: 'libpurple', ver: '2.14.12' });
    await seen(a, alice.name);
    const stream = await alice.dial('10.77.0.1', a.link.status().port ?? 0);
    stream.write(`${purpleHeader('alice@h2', 'a@h1')}<message><body>hi</body></message>`);
    await lan.until(() => a.messages.length === 1);
    expect(a.link.peers.describe('alice@h2')).toMatchObject({ software: { node: 'libpurple', version: '2.14.12' } });
    expect(features('alice@h2')).toBeUndefined();
    expect(stream.text).not.toContain('disco');
  });

  test('§6.1 when this box can do more, it announces another hash', async () => {
    const b = await lan.box(2, 'b');
    await acquainted(a, b);
    const before = b.link.peers.get(a.name)?.claims.caps?.ver;
    a.disco.add(['urn:new']);
    await lan.until(() => b.link.peers.get(a.name)?.claims.caps?.ver !== before);
    expect(b.link.peers.get(a.name)?.claims.caps?.ver).toBe(a.disco.caps().ver);
    expect(await b.link.features(a.name)).toContain('urn:new');
  });
});
