import { afterEach, beforeEach, expect, it } from 'vitest';
import { OWNER } from '../../src/pubsub/actor.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { parseElement } from '../../src/xmpp/element.ts';
import { seen, SimulatedLan } from './fixtures.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

let lan: SimulatedLan;
let [a, b]: [ServiceBox, ServiceBox] = [] as never;
beforeEach(async () => {
  lan = new SimulatedLan();
  [a, b] = [await serviceBox(lan, 1, 'a'), await serviceBox(lan, 2, 'b')];
  await Promise.all([seen(a, b.link.name), seen(b, a.link.name)]);
  await b.broker.create(OWNER, 'lamps', { lane: 'latest', key: '/lamp', accessModel: 'open' });
});
afterEach(() => lan.close());
const lamp = (name: string, on: boolean): ReturnType<ServiceBox['broker']['publish']> => b.broker.publish(OWNER, 'lamps', toPayload({ lamp: name, on }), {});

it('a peer tells what its topic has: the newest, or by id, with the record that each is', async () => {
  const first = await lamp('x', true);
  const second = await lamp('y', true);
  const at = b.link.name;
  expect(await a.service.items(at, 'lamps', { last: 10 })).toMatchObject([
    { kind: 'item', topic: 'lamps', id: first.id, recordId: first.recordId, seq: first.seq, value: { lamp: 'x', on: true }, contentType: 'application/json', redelivered: false, timeTrusted: true, time: expect.any(Number) },
    { recordId: second.recordId, value: { lamp: 'y', on: true } },
  ]);
  expect(await a.service.items(`link:${at}`, 'lamps', { last: 1 })).toMatchObject([{ recordId: second.recordId }]);
  expect(await a.service.items(at, 'lamps', { ids: [first.id] })).toMatchObject([{ recordId: first.recordId }]);
  // A client that does not ask for records gets none: XEP-0060 §6.5.
  expect((await a.link.request(at, parseElement(`<iq type='get'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items node='lamps'/></pubsub></iq>`))).toString()).not.toContain('record');
  expect(await a.service.topics(at, {})).toMatchObject([{ name: 'lamps', lane: 'latest' }]);
});

it('what cannot be had is refused', async () => {
  await b.broker.create(OWNER, 'secret', {});
  const at = b.link.name;
  await expect(a.service.items(at, 'secret', { last: 1 })).rejects.toMatchObject({ code: expect.stringMatching(/forbidden|not-found/) });
  await expect(a.service.items(at, 'lamps', { last: 101 })).rejects.toMatchObject({ code: 'invalid-value' });
  await expect(a.service.items(at, 'lamps', { from: 'start' })).rejects.toMatchObject({ code: 'unsupported' });
  await expect(a.service.items(at, 'a/#', { last: 1 })).rejects.toMatchObject({ code: 'invalid-topic' });
  await expect(a.service.items('nobody@nowhere', 'lamps', { last: 1 })).rejects.toMatchObject({ code: 'unreachable' });
});
