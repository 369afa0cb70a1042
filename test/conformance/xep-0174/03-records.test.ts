// On a simulated link, with the mDNS engine itself: what is published, and what is done about names that are taken.
import { beforeEach, describe, expect, it } from 'vitest';
import { avatarHash, NULL_RECORD } from '../../../src/link/avatar.ts';
import { txtValue } from '../../support/txt-data.ts';
import { readClaims } from '../../../src/link/claims.ts';
import { buildTxt } from '../../../src/link/presence.ts';
import { decodeMessage } from '../../../src/mdns/decode.ts';
import { createMdns } from '../../../src/mdns/mdns.ts';
import { type DnsRecord, TYPE } from '../../../src/mdns/message.ts';
import { decodeText } from '../../../src/mdns/text.ts';
import { PNG } from '../../link/pictures.ts';
import { SimulatedLan as StreamLan } from '../../link/fixtures.ts';
import { advance, type Box, world, type World } from '../../mdns/world.ts';

const SERVICE = '_presence._tcp.local';

describe('XEP-0174 §3 DNS records', () => {
  let w: World;
  beforeEach(() => { w = world(); });
  const said = (from: Box): DnsRecord[] => w.lan.packets.filter(({ from: source }) => source.address === from.host.address(4))
    .flatMap(({ bytes }) => { const message = decodeMessage(bytes); return message.response ? message.answers : []; });
  const of = (records: DnsRecord[], type: number): DnsRecord | undefined => records.findLast((record) => record.type === type);

  it('§3 four kinds are published: PTR, SRV and TXT of user@machine, A or AAAA of machine', async () => {
    const a = await w.box('pronto', { user: 'juliet', port: 5562, txt: buildTxt({ status: 'available', port: 5562 }) });
    await advance(w.clock, 5_000);
    const records = said(a);
    const instance = `juliet@pronto.${SERVICE}`;
    expect(of(records.filter(({ name }) => name === SERVICE), TYPE.PTR)).toMatchObject({ name: SERVICE, data: { target: instance } });
    expect(of(records, TYPE.SRV)).toMatchObject({ name: instance, data: { port: 5562, target: 'pronto.local' } });
    expect(of(records, TYPE.A)).toMatchObject({ name: 'pronto.local', data: { address: a.host.address(4) } });
    const txt = of(records, TYPE.TXT);
    expect(txt).toMatchObject({ name: instance });
    expect([...decodeText(txt?.data.kind === 'bytes' ? txt.data.bytes : Buffer.of())][0]).toEqual(['txtvers', '1']);
  });

  it('§3 the port that a box listens on is the one in SRV, and in port.p2pj of TXT', async () => {
    const streams = new StreamLan();
    const other = await w.box('other');
    const mdns = createMdns({ network: w.lan.host('pronto', 'lan', [4]).network(), clock: w.clock, host: 'pronto', trouble: () => undefined });
    const { link } = await streams.box(1, 'juliet', { mdns });
    await advance(w.clock, 5_000);
    const found = other.peers.get(link.name);
    expect(link.status().port).toBeGreaterThan(0);
    expect([found?.port, txtValue(found, 'port.p2pj')]).toEqual([link.status().port, String(link.status().port)]);
    const records = w.lan.packets.flatMap(({ bytes }) => decodeMessage(bytes).answers).filter(({ name }) => name === `${link.name}.${SERVICE}`);
    expect(of(records, TYPE.SRV)).toMatchObject({ data: { port: link.status().port } });
    const txt = of(records, TYPE.TXT);
    expect(decodeText(txt?.data.kind === 'bytes' ? txt.data.bytes : Buffer.of()).get('port.p2pj')).toBe(String(link.status().port));
    await streams.close();
  });

  it('§3 a TXT record of one zero byte, or none of these keys in it, is a peer that is available', async () => {
    const [a, bare] = [await w.box('a'), await w.box('bare', { user: 'romeo', txt: [] })];
    await advance(w.clock, 5_000);
    const data = of(said(bare), TYPE.TXT)?.data;
    expect(data?.kind === 'bytes' && [...data.bytes]).toEqual([0]);
    const found = a.peers.get('romeo@bare');
    expect(found && readClaims(found.text)).toEqual({ status: 'available', box: false });
  });

  it('§3 a machine name that another has gets -1, then -2', async () => {
    const [a, b, c] = [await w.box('pronto', { user: 'a' }), await w.box('pronto', { user: 'b' }), await w.box('pronto', { user: 'c' })];
    await advance(w.clock, 20_000);
    expect([a, b, c].map(({ publication }) => publication.machine).toSorted()).toEqual(['pronto', 'pronto-1', 'pronto-2']);
  });

  it('§3 a user name that is taken on the machine gets -1', async () => {
    const first = await w.box('pronto', { user: 'juliet' });
    await advance(w.clock, 5_000);
    const second = first.mdns.publish({ user: 'juliet', type: '_presence._tcp', port: 5299, txt: [] });
    await advance(w.clock, 5_000);
    expect(first.publication.instance).toBe('juliet@pronto');
    expect(second.instance).toBe('juliet-1@pronto');
  });

  it('§11.2 a new picture is announced before its hash', async () => {
    const a = await w.box('pronto', { user: 'juliet' });
    await advance(w.clock, 5_000);
    const before = said(a).length;
    a.publication.update(buildTxt({ status: 'available', port: 5298, avatar: avatarHash(PNG) }), [{ type: NULL_RECORD, bytes: PNG }]);
    await advance(w.clock, 5_000);
    const types = said(a).slice(before).map(({ type }) => type).filter((type) => type === TYPE.NULL || type === TYPE.TXT);
    expect(types[0]).toBe(TYPE.NULL);
    expect(types).toContain(TYPE.TXT);
  });

  it('§12 the machine is US-ASCII; the user and the values are UTF-8', async () => {
    const [a, b] = [await w.box('Küche', { user: 'Jülìet 💐', txt: buildTxt({ status: 'away', text: 'beim Müller', port: 1 }) }), await w.box('b')];
    await advance(w.clock, 5_000);
    expect(a.publication.machine).toMatch(/^[\x21-\x7e]+$/);
    const found = b.peers.get(a.publication.instance);
    expect(a.publication.instance).toMatch(/^Jülìet 💐@/);
    expect(found && readClaims(found.text).text).toBe('beim Müller');
  });
});
