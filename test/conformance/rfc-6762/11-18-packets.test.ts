// oxlint-disable vitest/warn-todo -- what is not done stays visible
import { describe, expect, it } from 'vitest';
import { createTestClock } from '../../../src/clock.ts';
import { encodeMessage } from '../../../src/mdns/encode.ts';
import { makeMessage, TYPE } from '../../../src/mdns/message.ts';
import { createMdns } from '../../../src/mdns/mdns.ts';
import { settled, SimulatedLan } from '../../support/simulated-network.ts';
import { HOST, OneLink, peer, SERVICE } from './one-link.ts';

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

  it.todo('§12 reverse mapping: PTR records of our addresses (needed by nobody on XEP-0174)');
  it.todo('§14 enabling and disabling interfaces by policy at run time');
  it.todo('§3.. unicast DNS-SD for a browse domain (wide area)');
});
