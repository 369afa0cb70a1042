// oxlint-disable vitest/warn-todo -- what is not done stays visible
import { describe, expect, it } from 'vitest';
import { createTestClock } from '../../../src/clock.ts';
import { LanpostError } from '../../../src/errors.ts';
import { decodeMessage } from '../../../src/mdns/decode.ts';
import { encodeMessage } from '../../../src/mdns/encode.ts';
import { makeMessage, TYPE } from '../../../src/mdns/message.ts';
import { createMdns } from '../../../src/mdns/mdns.ts';
import { settled, SimulatedLan } from '../../support/simulated-network.ts';
import { advance, world } from '../../mdns/world.ts';
import { HOST, INSTANCE, OneLink, OTHER, peer, rr, SERVICE } from './one-link.ts';

describe('RFC 6762 §11 source address check', () => {
  it('§11 what does not come from the link is ignored', async () => {
    const clock = createTestClock();
    const lan = new SimulatedLan(clock);
    const found: string[] = [];
    const host = lan.host('h1');
    const mdns = createMdns({ network: host.network(), clock, host: 'h1', trouble: () => {} });
    mdns.browse('_presence._tcp', ({ service }) => found.push(service.instance));
    await settled();
    const send = (address: string, name: string): void => lan.transmit({
      segment: 'lan', family: 4, from: { address, port: 5353 }, to: undefined,
      bytes: encodeMessage(makeMessage({ response: true, answers: peer(name, 'h2', '10.77.0.200') })),
    });
    send('192.0.2.1', 'far');
    send('10.77.0.200', 'near');
    clock.advance(1000);
    expect(found).toEqual(['near@h2']);
    await mdns.close();
  });
});

describe('RFC 6762 §14–§18 links and packets', () => {
  it('§17 many answers are spread over packets within the MTU', () => {
    const one = new OneLink();
    for (let index = 0; index < 200; index++) {
      const { shared, unique, ...wanted } = one.service();
      const name = `a${index}@h1.${SERVICE}`;
      one.do((link, now) => link.claim({
        ...wanted, name, unique: unique.map((record) => ({ ...record, name })),
        shared: shared.map((record) => (record.name === SERVICE ? { ...record, data: { kind: 'name', target: name } } : record)),
      }, now));
    }
    one.do((link, now) => link.claim(one.host(), now));
    one.advance(20_000);
    one.forgetSent();
    one.ask(SERVICE, TYPE.PTR);
    one.advance(1000);
    expect(one.responses.flatMap(({ message }) => message.answers)).toHaveLength(200);
    expect(one.responses.flatMap(({ message }) => message.additionals).filter(({ type }) => type === TYPE.SRV)).toHaveLength(200);
    expect(Math.max(...one.sent.map(({ length }) => length))).toBeLessThanOrEqual(1452);
  });

  it('§18.1–§18.11 id 0, opcode and rcode 0; AA in responses only', () => {
    const one = new OneLink();
    one.claim();
    one.do((link, now) => link.browse(SERVICE, now));
    one.advance(10_000);
    for (const { message } of one.sent) expect(message).toMatchObject({ id: 0, opcode: 0, rcode: 0, authoritative: message.response });
  });

  it('§18.3, §18.11 a message with another opcode or an rcode is ignored', () => {
    const one = OneLink.held();
    one.ask(HOST, TYPE.A, { opcode: 5 });
    one.ask(HOST, TYPE.A, { rcode: 3 });
    one.advance(2000);
    expect(one.sent).toEqual([]);
  });

  it('§18.1 the id of a multicast message is not looked at', () => {
    const one = OneLink.held();
    one.ask(HOST, TYPE.A, { id: 99 });
    one.advance(0);
    expect(one.responses[0]?.message.id).toBe(0);
  });

  it('§14 only the interfaces that are named are used, and each link has a state of its own', async () => {
    const { clock, lan } = world();
    const host = lan.host('h1');
    host.up('eth1', 'two', [{ address: '10.78.0.1', family: 4, prefix: 16 }]);
    const open = { network: host.network(), clock, host: 'h1', trouble: () => {} };
    const one = createMdns({ ...open, interfaces: ['eth1'] });
    one.publish({ user: 'a', type: '_presence._tcp', port: 5298, txt: [] });
    await advance(clock, 3000);
    expect(new Set(lan.packets.map(({ segment }) => segment))).toEqual(new Set(['two']));
    const both = createMdns(open);
    both.publish({ user: 'b', type: '_presence._tcp', port: 5299, txt: [] });
    await advance(clock, 3000);
    const probes = lan.packets.filter(({ bytes }) => decodeMessage(bytes).authorities.some(({ name }) => name.startsWith('b@h1')));
    expect(new Set(probes.map(({ segment, family }) => `${segment}/${family}`))).toEqual(new Set(['two/4', 'lan/4', 'lan/6']));
    await Promise.all([one.close(), both.close()]);
  });

  it('§16 names are UTF-8 as they are: no punycode, upper and lower case are one in ASCII only', () => {
    const one = OneLink.held();
    const name = `J\u00d6rg@H1.${SERVICE}`;
    one.do((link, now) => {
      const { unique, shared, ...wanted } = one.service();
      link.claim({ ...wanted, name, unique: unique.map((record) => ({ ...record, name })), shared: shared.slice(1) }, now);
    });
    one.advance(10_000);
    one.forgetSent();
    one.ask(`J\u00d6RG@h1.${SERVICE}`, TYPE.SRV);
    one.advance(0);
    expect(one.responses.flatMap(({ message }) => message.answers)).toMatchObject([{ name }]);
    one.forgetSent();
    one.ask(`j\u00f6rg@h1.${SERVICE}`, TYPE.SRV);
    one.ask('xn--jrg@h1-90a', TYPE.SRV);
    one.advance(2000);
    expect(one.sent).toEqual([]);
  });

  it('§17 a message of 9,000 bytes is read, a longer one is not', () => {
    const long = (bytes: number): Buffer => encodeMessage(makeMessage({ response: true, answers: [rr.null(INSTANCE, Buffer.alloc(bytes))] }));
    const spare = long(0).length;
    expect(decodeMessage(Buffer.concat([long(8900), Buffer.alloc(100 - spare)])).answers).toHaveLength(1);
    expect(() => decodeMessage(Buffer.concat([long(8900), Buffer.alloc(101 - spare)]))).toThrow(LanpostError);
    // Nor is one written that would be longer with the headers of IP and UDP.
    expect(() => long(8951)).toThrow(LanpostError);
  });

  it('§18.14 names in SRV are compressed for those who speak multicast DNS, not for plain resolvers', () => {
    const one = OneLink.held();
    one.ask(INSTANCE, TYPE.SRV);
    one.advance(0);
    one.ask(INSTANCE, TYPE.SRV, {}, { ...OTHER, port: 40_000 });
    const [short, plain] = one.responses;
    // `h1.local`: the last label is a pointer in the one, written out in the other, which also repeats the question.
    expect(plain?.length).toBeGreaterThan((short?.length ?? 0) + 4);
    expect(plain?.message.answers).toMatchObject([{ data: { target: HOST } }]);
  });

  it.todo('§4 reverse mapping, PTR records of our addresses: optional, and nobody on XEP-0174 asks for it');
});
