// Every payload comes out of every road as it went in: the disk, memory, an export, the control socket, a stream between boxes, a home, a carrier.
import * as fc from 'fast-check';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { expect, it } from 'vitest';
import type { Delivery } from '../../src/api.ts';
import { lines } from '../../src/cli/lines.ts';
import { createSystemClock } from '../../src/clock.ts';
import type { CarriedOutbox } from '../../src/home/carried/carried.ts';
import { Carriers } from '../../src/home/carried/carriers.ts';
import { createHomes, type Homes } from '../../src/home/homes.ts';
import { attachBox, createBox, exportBox, importBox } from '../../src/index.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { fromPayload, toPayload } from '../../src/payload/payload.ts';
import { elementToPayload } from '../../src/payload/xml.ts';
import { OWNER } from '../../src/pubsub/actor.ts';
import { type Identity, loadIdentity } from '../../src/trust/identity.ts';
import { Sealer } from '../../src/trust/seal.ts';
import { serializeStandalone } from '../../src/xml/serialize.ts';
import { children, type Element, parseElement } from '../../src/xmpp/element.ts';
import { type FakeHome, startFakeHome } from '../home/fake-home.ts';
import { createRig } from '../home/rig.ts';
import { seen, SimulatedLan } from '../link/fixtures.ts';
import { serviceBox } from '../link/service-box.ts';
import { Bell } from '../support/bell.ts';
import { find, pubsubClient } from '../conformance/xep-0060/client.ts';
import { given, type Given, xml } from './arbitrary.ts';

/** Many at once: what takes time is the road, not the payload. */
const SAMPLE = 250;
/** Of the namespaces that have a meaning here, and nothing that they mean; and without a namespace of its own. */
const ODD = [
  "<other xmlns='urn:lanpost:0' a='1'><x/></other>", "<json xmlns='urn:xmpp:json:0'>{no json</json>", "<json xmlns='urn:xmpp:json:0' a='1'>1</json>", "<text xmlns='urn:lanpost:0'><b/></text>",
  "<data xmlns='urn:lanpost:0' type='no type'>AA==</data>", "<sensml xmlns='urn:ietf:params:xml:ns:senml'><no/></sensml>", '<plain>text</plain>', "<entry xmlns='http://www.w3.org/2005/Atom'><title> a  b </title></entry>",
];
const sample = (): Given[] => fc.sample(given, { numRuns: SAMPLE });

/** How an item looks to whoever gets it. */
interface Came { readonly value: unknown; readonly contentType: string }
const expected = ({ value, contentType }: Given): Came => {
  const payload = toPayload(value, contentType);
  return { value: fromPayload(payload), contentType: payload.contentType };
};
const came = (delivery: Delivery): Came | undefined => (delivery.kind === 'item' ? { value: delivery.value, contentType: delivery.contentType } : undefined);
/** Strict: `-0` is no 0, a Buffer no Uint8Array, and objects have only what they had. */
const odd = (items: readonly Given[], got: readonly (Came | undefined)[]): unknown[] => items.map(expected).filter((one, at) => !isDeepStrictEqual(one, got[at])).concat(got.length === items.length ? [] : [{ value: got.length, contentType: 'count' }]);

it('what is read from a payload is what was published, but for the spelling of XML and the form of SenML', () => {
  fc.assert(fc.property(given, (one) => {
    expect(isDeepStrictEqual(expected(one).value, one.read ?? one.value)).toBe(true);
  }), { numRuns: 1000 });
});

it('the disk, after a restart, and the control socket, both ways', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-roads-'));
  const items = sample();
  const through = sample();
  try {
    {
      await using box = await createBox({ dir, link: false });
      await using attached = await attachBox({ dir });
      for (const { value, contentType } of items) await box.publish('t', value, contentType === undefined ? {} : { contentType });
      for (const { value, contentType } of through) await attached.publish('u', value, contentType === undefined ? {} : { contentType });
      expect(odd(items, (await attached.items('t', { from: 'start', limit: 1000 })).map(came))).toEqual([]);
      const reader = attached.subscribe('u', { from: 'start' });
      const got: (Came | undefined)[] = [];
      for await (const delivery of reader) if (got.push(came(delivery)) === through.length) break;
      expect(odd(through, got)).toEqual([]);
    }
    await using again = await createBox({ dir, link: false });
    expect(odd(items, (await again.items('t', { from: 'start', limit: 1000 })).map(came))).toEqual([]);
    expect(odd(through, (await again.items('u', { from: 'start', limit: 1000 })).map(came))).toEqual([]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

/** As a file has them. */
async function* withEnds(all: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of all) yield `${line}\n`;
}

it('an export, taken into another box', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lanpost-roads-'));
  const [from, to] = [{ dir: join(folder, 'from') }, { dir: join(folder, 'to') }];
  const items = sample();
  try {
    {
      await using box = await createBox({ ...from, link: false, control: false });
      for (const [at, { value, contentType }] of items.entries()) await box.publish('t', value, { id: `i${at}`, ...(contentType === undefined ? {} : { contentType }) });
    }
    expect(await importBox(to, lines(withEnds(exportBox(from))))).toMatchObject({ records: items.length, ended: true });
    await using box = await createBox({ ...to, link: false, control: false });
    const there = await box.items('t', { from: 'start', limit: 1000 });
    expect(odd(items, there.map(came))).toEqual([]);
    expect(there.map((one) => one.kind === 'item' && one.id)).toEqual(items.map((_, at) => `i${at}`));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

it('a topic in memory: to who reads it, who asks, and who is attached', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-roads-'));
  const items = sample();
  try {
    await using box = await createBox({ dir, link: false });
    await using attached = await attachBox({ dir });
    await box.topics.create('m', { storage: 'memory' });
    for (const reads of [box, attached]) {
      const reader = reads.subscribe('m');
      await reader.ready;
      for (const { value, contentType } of items) await reads.publish('m', value, contentType === undefined ? {} : { contentType });
      const got: (Came | undefined)[] = [];
      for await (const delivery of reader) if (got.push(came(delivery)) === items.length) break;
      expect(odd(items, got)).toEqual([]);
      expect(odd(items, (await reads.items('m', { last: items.length })).map(came))).toEqual([]);
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

it('a stream between two boxes: subscribed to, and published at the other', async () => {
  const lan = new SimulatedLan();
  try {
    const a = await serviceBox(lan, 1, 'a');
    const b = await serviceBox(lan, 2, 'b');
    await Promise.all([seen(a, b.link.name), seen(b, a.link.name)]);
    await a.trust.allow(b.identity.fingerprint, 'read', '#');
    await a.trust.allow(b.identity.fingerprint, 'write', '#');
    const items = sample();
    const reader = b.service.subscribe(a.link.name, 't', { durable: 'r', from: 'start' });
    await reader.ready;
    for (const { value, contentType } of items) await a.broker.publish(OWNER, 't', toPayload(value, contentType));
    const got: (Came | undefined)[] = [];
    for await (const delivery of reader) if (got.push(came(delivery)) === items.length) break;
    expect(odd(items, got)).toEqual([]);
    for (const { value, contentType } of items) await b.service.publish(a.link.name, 'u', toPayload(value, contentType), undefined);
    expect(odd(items, (await a.broker.items(OWNER, 'u', { from: 'start', limit: 1000 })).map(came))).toEqual([]);
  } finally {
    await lan.close();
  }
});

it('XML of a client, of any kind, to another client and to a program', async () => {
  const lan = new SimulatedLan();
  try {
    const a = await serviceBox(lan, 1, 'a');
    const [one, other] = [await pubsubClient(lan, a, 2, 'one'), await pubsubClient(lan, a, 3, 'other')];
    await a.broker.create(OWNER, 't', { accessModel: 'open', publishModel: 'open' });
    await other.ask('set', `<subscribe node='t' jid='${other.name}'/>`);
    const payloads = [...fc.sample(xml, { numRuns: 100 }), ...ODD];
    for (const payload of payloads) await one.ask('set', `<publish node='t'><item>${payload}</item></publish>`);
    const items = await a.broker.items(OWNER, 't', { from: 'start', limit: 1000 });
    const within = (element: Element | undefined): string => (element ? children(element) : []).map(serializeStandalone).join('');
    const spelled = payloads.map((payload) => within(parseElement(`<item xmlns='http://jabber.org/protocol/pubsub'>${payload}</item>`)));
    for (const text of spelled) expect(within(find(await other.next(), 'item'))).toBe(text);
    expect(items.map(came)).toEqual(spelled.map((value) => ({ value, contentType: 'application/xml' })));
  } finally {
    await lan.close();
  }
});

it('a home', async () => {
  await using rig = await createRig();
  await rig.add();
  await rig.state('online');
  const items = sample();
  for (const [at, { value, contentType }] of items.entries()) await rig.log.append({ topic: 't', kind: 'publish', id: `i${at}`, payload: toPayload(value, contentType) });
  await rig.until(() => rig.count('t') === items.length);
  expect(odd(items, items.map((_, at) => atHome(rig.home, `i${at}`)))).toEqual([]);
});

it('a box that carries to a home what waits for it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-roads-'));
  const bell = new Bell();
  const home = await startFakeHome(bell);
  const boxes: { readonly identity: Identity; readonly log: Log; readonly homes: Homes; readonly outbox: CarriedOutbox }[] = [];
  const opened = async (name: string): Promise<(typeof boxes)[number]> => {
    const identity = await loadIdentity(await mkdtemp(join(dir, name)), { machine: 'test' });
    const clock = bell.heard(createSystemClock());
    const log = await openLog({ database: new MemoryDatabase(), clock, boxId: identity.boxId, trouble: bell.ring });
    const homes = createHomes({ log, clock, trouble: bell.ring, boxId: identity.boxId, limits: { settle: 100 }, random: () => 0, opened: bell.ring });
    const one = { identity, log, homes, outbox: await homes.outbox({ identity, sealer: new Sealer(identity), isPaired: () => true, nameOf: () => 'other' }) };
    boxes.push(one);
    return one;
  };
  try {
    const [author, carrier] = [await opened('author'), await opened('carrier')];
    // The author does not reach its home.
    await author.homes.add({ ...home.account, port: 1, topics: ['t'] });
    await carrier.homes.add({ ...home.account, jid: 'other@home.test' });
    const { fingerprint, spki } = carrier.identity;
    await new Carriers(author.log.registry).add({ fingerprint, spki, account: 'other@home.test', jid: home.account.jid });
    home.nodes.set('t', new Map());
    const items = sample();
    const appended = await Promise.all(items.map(({ value, contentType }) => author.log.append({ topic: 't', kind: 'publish', payload: toPayload(value, contentType) })));
    expect(await author.outbox.export(join(dir, 'out'), fingerprint)).toMatchObject({ records: items.length, more: false });
    expect(await carrier.outbox.import(join(dir, 'out'), join(dir, 'confirmed'), new AbortController().signal)).toMatchObject({ published: items.length, refused: 0 });
    expect(odd(items, appended.map(({ recordId }) => atHome(home, recordId)))).toEqual([]);
  } finally {
    for (const { homes, log } of boxes) {
      await homes.close();
      await log.close();
    }
    await home.close();
    await rm(dir, { recursive: true, force: true });
  }
});

function atHome({ nodes }: FakeHome, id: string): Came | undefined {
  const item = nodes.get('t')?.get(id);
  const [element] = item ? children(item) : [];
  const payload = element && elementToPayload(element);
  return payload && { value: fromPayload(payload), contentType: payload.contentType };
}
