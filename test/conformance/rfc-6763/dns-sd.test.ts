// oxlint-disable vitest/warn-todo -- what is not done stays visible
import { describe, expect, it } from 'vitest';
import { LanpostError } from '../../../src/errors.ts';
import { txtValue } from '../../support/txt-data.ts';
import { hostLabel, instanceLabel, numbered } from '../../../src/mdns/host-label.ts';
import { makeMessage, TYPE, type DnsRecord } from '../../../src/mdns/message.ts';
import { decodeText, encodeText } from '../../../src/mdns/text.ts';
import { decodeMessage } from '../../../src/mdns/decode.ts';
import { encodeMessage } from '../../../src/mdns/encode.ts';
import { advance, world } from '../../mdns/world.ts';
import { settled } from '../../support/simulated-network.ts';
import { HOST, INSTANCE, OneLink, rr, SERVICE } from '../rfc-6762/one-link.ts';

describe('RFC 6763 DNS-based service discovery', () => {
  it('§4.1.1 an instance is one label of UTF-8: dots, spaces and quotes in it are its own', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    const name = String.raw`john\.doe "x" (2).${SERVICE}`;
    one.answer([rr.ptr(SERVICE, name), rr.srv(name, 'h2.local'), rr.txt(name), rr.a('h2.local', '10.0.0.2')]);
    expect(one.of('found')).toMatchObject([{ service: { name } }]);
  });

  it('§4.1.1 a PTR that leads elsewhere, or to a label that is no UTF-8, is left out', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    one.answer([rr.ptr(SERVICE, 'a._other._tcp.local'), rr.ptr(SERVICE, SERVICE), rr.ptr(SERVICE, `a.b.${SERVICE}`), rr.ptr(SERVICE, String.raw`\255.${SERVICE}`)]);
    one.advance(500);
    expect(one.asked.filter(({ type }) => type === TYPE.SRV)).toEqual([]);
  });

  it('§4.1.1, XEP-0174 §3 an instance has at most 63 bytes; the user gives way, the number stays', () => {
    expect(Buffer.byteLength(instanceLabel('ü'.repeat(60), 0, 'machine'))).toBeLessThanOrEqual(63);
    expect(instanceLabel('u'.repeat(80), 12, 'machine')).toMatch(/^u{52}-12@machine$/);
    expect(numbered('box', 0, 60)).toBe('box');
  });

  it('XEP-0174 §3 the machine is ASCII', () => {
    expect([hostLabel('Küche.lan'), hostLabel('日本'), hostLabel('-a_b-'), hostLabel('')]).toEqual(['Kuche', 'box', 'a-b', 'box']);
  });

  it('§6.1 an empty TXT record is one zero byte', () => {
    expect([...encodeText([])]).toEqual([0]);
  });

  it('§6.4 keys have no case, the first of a repeated one counts, "key", "key=" and "key=v" differ', () => {
    expect([...decodeText(Buffer.from('\u0003A=1\u0003a=2\u0002b=\u0001c'))]).toEqual([['a', '1'], ['b', ''], ['c', true]]);
  });

  it('§6.4 a key is printable ASCII without "="', () => {
    expect(() => encodeText([['a=b', 'c']])).toThrow(LanpostError);
    expect(() => encodeText([['', 'c']])).toThrow(LanpostError);
  });

  it('§9 the enumeration of types names ours', () => {
    const one = OneLink.held();
    one.ask('_services._dns-sd._udp.local', TYPE.PTR);
    one.advance(200);
    expect(one.responses[0]?.message.answers).toMatchObject([{ data: { target: SERVICE } }]);
  });

  it('§12.1 a PTR comes with SRV, TXT and addresses', () => {
    const one = OneLink.held();
    one.ask(SERVICE, TYPE.PTR);
    one.advance(200);
    expect(one.responses[0]?.message.answers).toHaveLength(1);
    expect(one.responses[0]?.message.additionals.map(({ name, type }) => [name, type])).toEqual([
      [INSTANCE, TYPE.SRV], [INSTANCE, TYPE.TXT], [HOST, TYPE.A], [HOST, TYPE.NSEC],
    ]);
  });

  it('§12.2 an SRV comes with addresses', () => {
    const one = OneLink.held();
    one.ask(INSTANCE, TYPE.SRV);
    one.advance(0);
    expect(one.responses[0]?.message.additionals.map(({ type }) => type)).toEqual([TYPE.A, TYPE.NSEC]);
  });

  it('§12 what does not come along is asked for: SRV, TXT, then addresses', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    one.answer([rr.ptr(SERVICE, INSTANCE)]);
    one.advance(150);
    expect(one.asked.filter(({ name }) => name === INSTANCE).map(({ type }) => type)).toEqual([TYPE.SRV, TYPE.TXT]);
    one.answer([rr.srv(INSTANCE, HOST), rr.txt(INSTANCE)]);
    one.advance(1000);
    expect(one.asked.filter(({ name }) => name === HOST).map(({ type }) => type)).toEqual([TYPE.A, TYPE.AAAA]);
    one.answer([rr.a(HOST, '10.0.0.2')]);
    expect(one.of('found')).toHaveLength(1);
  });

  it('§12 an instance that tells nothing is forgotten after five questions', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    one.answer([rr.ptr(SERVICE, INSTANCE)]);
    one.advance(600_000);
    expect(one.asked.filter(({ type }) => type === TYPE.SRV)).toHaveLength(5);
  });

  it('XEP-0174 §3 an instance without TXT is found after a second or two', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(SERVICE, now));
    one.answer([rr.ptr(SERVICE, INSTANCE), rr.srv(INSTANCE, HOST), rr.a(HOST, '10.0.0.2')]);
    one.advance(2000);
    expect(one.of('found')).toMatchObject([{ service: { port: 5298 } }]);
  });

  it('XEP-0174 §6 an avatar is a NULL record at the instance: told, answered, in NSEC, taken back', () => {
    const one = OneLink.held();
    const image = rr.null(INSTANCE, Buffer.alloc(4000, 7));
    const other = rr.null(INSTANCE, Buffer.alloc(6000, 8));
    const offer = (...more: DnsRecord[]): void => one.do((link, now) => {
      const wanted = one.service();
      link.claim({ ...wanted, unique: [...wanted.unique, ...more] }, now);
    });
    offer(image);
    one.advance(20_000);
    expect(one.responses.map(({ message }) => message.answers)).toMatchObject([[image], [image], [image], [image], [image]]);
    one.forgetSent();
    one.ask(INSTANCE, TYPE.NULL);
    one.advance(0);
    expect(one.responses.flatMap(({ message }) => message.answers)).toMatchObject([{ flush: true, ttl: 120, data: image.data }]);
    one.ask(INSTANCE, TYPE.AAAA);
    one.advance(1000);
    expect(one.responses.at(-1)?.message.answers).toMatchObject([{ type: TYPE.NSEC, data: { types: [TYPE.NULL, TYPE.TXT, TYPE.SRV] } }]);
    offer(other);
    one.advance(3000);
    expect(one.responses.at(-1)).toMatchObject({ message: { answers: [other] } });
    expect(one.responses.every(({ length }) => length < 9000 - 48)).toBe(true);
    one.forgetSent();
    offer();
    one.advance(3000);
    expect(one.responses.map(({ message }) => message.answers)).toMatchObject([[{ type: TYPE.NULL, ttl: 0 }]]);
  });

  it('§7.1 a subtype is one more PTR to the instance: told, answered with SRV, TXT and addresses, taken back', async () => {
    const { clock, lan, box } = world();
    const a = await box('h1', { subtypes: ['_box'] });
    await advance(clock, 5000);
    const sub = `_box._sub.${SERVICE}`;
    const told = (): DnsRecord[] => lan.packets.flatMap(({ bytes }) => {
      const { response, answers } = decodeMessage(bytes);
      return response ? answers : [];
    }).filter(({ name }) => name === sub);
    expect(told()).toMatchObject(Array.from({ length: 6 }, () => ({ type: TYPE.PTR, ttl: 4500, flush: false, data: { target: `box@h1.${SERVICE}` } })));
    const before = lan.packets.length;
    lan.transmit({
      segment: 'lan', family: 4, from: { address: '10.77.9.9', port: 5353 }, to: undefined,
      bytes: encodeMessage(makeMessage({ questions: [{ name: sub, type: TYPE.PTR, class: 1, unicast: false }] })),
    });
    await advance(clock, 500);
    const [answer] = lan.packets.slice(before).map(({ bytes }) => decodeMessage(bytes)).filter(({ response }) => response);
    expect(answer?.answers).toMatchObject([{ name: sub, data: { target: `box@h1.${SERVICE}` } }]);
    expect(answer?.additionals.map(({ type }) => type)).toEqual(expect.arrayContaining([TYPE.SRV, TYPE.TXT, TYPE.A]));
    await a.mdns.close();
    await settled();
    expect(told().slice(-2)).toMatchObject([{ ttl: 0 }, { ttl: 0 }]);
  });

  it('§7.1 a subtype can be browsed alone, or beside its type; the enumeration does not name it', async () => {
    const { clock, box } = world();
    const a = await box('h1', { subtypes: ['_box', '_kitchen'] });
    await box('h2');
    const c = await box('h3');
    const events: string[] = [];
    const kitchens = c.mdns.browse('_kitchen._sub._presence._tcp', ({ type, service }) => events.push(`${type} ${service.instance}`));
    const types: string[] = [];
    c.mdns.browseTypes((type, there) => types.push(`${there ? '+' : '-'}${type}`));
    await advance(clock, 3000);
    expect(events).toEqual(['up box@h1']);
    expect([...c.peers.keys()].toSorted()).toEqual(['box@h1', 'box@h2']);
    expect(types).toEqual(['+_presence._tcp']);
    a.publication.update([['status', 'dnd']]);
    await advance(clock, 2000);
    kitchens.stop();
    await advance(clock, 2000);
    a.publication.update([['status', 'away']]);
    await advance(clock, 2000);
    expect(events).toEqual(['up box@h1', 'changed box@h1']);
    expect(txtValue(c.peers.get('box@h1'), 'status')).toBe('away');
    expect(c.events.filter(({ type }) => type === 'down')).toEqual([]);
  });

  it('§7.1 a PTR under a subtype that leads to another type is left out', () => {
    const one = new OneLink();
    one.do((link, now) => link.browse(`_x._sub.${SERVICE}`, now));
    one.answer([rr.ptr(`_x._sub.${SERVICE}`, 'a._other._tcp.local'), rr.ptr(`_x._sub.${SERVICE}`, `a._x._sub.${SERVICE}`)]);
    one.advance(500);
    expect(one.asked.filter(({ type }) => type === TYPE.SRV)).toEqual([]);
  });

  it('§7.1 the end of its subtype is not the end of an instance', () => {
    const one = new OneLink();
    const sub = `_x._sub.${SERVICE}`;
    one.do((link, now) => {
      link.browse(SERVICE, now);
      link.browse(sub, now);
    });
    one.answer([rr.ptr(SERVICE, INSTANCE), rr.ptr(sub, INSTANCE), rr.srv(INSTANCE, HOST), rr.txt(INSTANCE), rr.a(HOST, '10.0.0.2')]);
    expect(one.of('found').at(-1)?.service.types).toEqual([SERVICE, sub]);
    one.answer([rr.ptr(sub, INSTANCE, { ttl: 0 })]);
    one.advance(1500);
    expect(one.of('found').at(-1)?.service.types).toEqual([SERVICE]);
    expect(one.of('lost')).toEqual([]);
    one.answer([rr.ptr(SERVICE, INSTANCE, { ttl: 0 })]);
    one.advance(1500);
    expect(one.of('lost')).toMatchObject([{ name: INSTANCE }]);
  });

  it('§9 the types that others offer are browsed, and end with the last who offers them', async () => {
    const { clock, box } = world();
    const a = await box('h1');
    const b = await box('h2', { type: '_http._tcp' });
    const types: string[] = [];
    const browsing = a.mdns.browseTypes((type, there) => types.push(`${there ? '+' : '-'}${type}`));
    await advance(clock, 3000);
    expect(types).toEqual(['+_http._tcp']);
    const again: string[] = [];
    a.mdns.browseTypes((type) => again.push(type)).stop();
    expect(again).toEqual(['_http._tcp']);
    // Nobody says goodbye for it: others may offer it too. It runs out.
    await b.mdns.close();
    await advance(clock, 4600_000);
    expect(types).toEqual(['+_http._tcp', '-_http._tcp']);
    browsing.stop();
  });

  it.todo('§8 flagship naming: does not apply, XEP-0174 is one protocol under one name');
  // A domain that the owner names is browsed over unicast DNS: test/link/domains.test.ts.
  it.todo('§10 registration in a domain: a box publishes on its links only; who lists it in a domain writes the records there');
  it.todo('§11 domains found by themselves (`b._dns-sd._udp` and its like): the owner names those that are browsed, as a network could name any');
});
