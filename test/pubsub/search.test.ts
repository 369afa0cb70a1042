import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClassifyOptions, TopicQuery } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { openLog, type Log } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { type Actor, OWNER } from '../../src/pubsub/actor.ts';
import { Broker } from '../../src/pubsub/broker.ts';

const STRANGER: Actor = { kind: 'peer', name: 's@h', fingerprint: 'f'.repeat(64) };
let log: Log;
let broker: Broker;

beforeEach(async () => {
  const clock = createTestClock();
  log = await openLog({ database: new MemoryDatabase(), clock, boxId: 'aaaaaaaaaaaaaaaa', trouble: () => undefined });
  broker = new Broker({ log, clock, trouble: () => undefined, may: (_fingerprint, _right, _topic, open) => open, limits: { itemBytes: 100_000, topics: 100, subscriptions: 3 } });
  await broker.create(OWNER, 'sensors/attic', { title: 'Attic', description: 'under the roof', tags: ['Temperature', 'north'], contentType: 'application/senml+json', type: 'urn:ietf:params:xml:ns:senml', accessModel: 'open' });
  await broker.create(OWNER, 'sensors/cellar', { description: 'Not the ATTIC', tags: ['temperature'], contentType: 'application/json', schema: { type: 'object', required: ['temp'] } });
  await broker.create(OWNER, 'cameras/door', { tags: ['picture'], contentType: 'image/png' });
  await broker.create(OWNER, 'plain');
});
afterEach(() => log.close());

describe('searching topics', () => {
  const found = async (query: TopicQuery, actor: Actor = OWNER): Promise<string[]> => (await broker.find.search(actor, query)).map(({ name }) => name);

  it('finds words in names, titles, descriptions and tags, in any case, first what is called so', async () => {
    expect(await found({ text: 'attic' })).toEqual(['sensors/attic', 'sensors/cellar']);
    expect(await found({ text: 'ROOF sensors' })).toEqual(['sensors/attic']);
    expect(await found({ text: 'roof cellar' })).toEqual([]);
    expect(await found({})).toHaveLength(4);
    expect(await found({ limit: 2 })).toEqual(['cameras/door', 'plain']);
  });

  it('finds by type, media type, tags and filter, all of them together', async () => {
    expect(await found({ tags: ['TEMPERATURE'] })).toEqual(['sensors/attic', 'sensors/cellar']);
    expect(await found({ tags: ['temperature', 'north'] })).toEqual(['sensors/attic']);
    expect(await found({ contentType: 'image/*' })).toEqual(['cameras/door']);
    expect(await found({ contentType: 'application/JSON; charset=utf-8' })).toEqual(['sensors/cellar']);
    expect(await found({ type: 'urn:ietf:params:xml:ns:senml', text: 'attic' })).toEqual(['sensors/attic']);
    expect(await found({ filter: 'cameras/#', tags: ['temperature'] })).toEqual([]);
  });

  it('shows a peer only what it may read', async () => {
    expect(await found({ tags: ['temperature'] }, STRANGER)).toEqual(['sensors/attic']);
    expect(await found({}, { kind: 'peer', name: 'nobody@h' })).toEqual([]);
  });

  it.each([
    [{ limit: 0 }, 'the limit must be'], [{ limit: 1001 }, 'the limit must be'], [{ text: 'x'.repeat(1025) }, 'text has at most'], [{ filter: 'a/#/b' }, 'is not a filter'],
    [{ tags: 'a' as never }, 'tags must be a list'], [{ text: 1 as never }, 'text must be text'],
  ])('%j is refused', async (query, words) => {
    await expect(broker.find.search(OWNER, query)).rejects.toThrow(words);
  });
});

describe('classifying an item', () => {
  const found = async (value: unknown, contentType?: string, options: ClassifyOptions = {}, actor: Actor = OWNER): Promise<string[]> =>
    (await broker.find.classify(actor, toPayload(value as never, contentType), options)).map(({ topic, reasons }) => `${topic.name}: ${reasons.map((one) => ('value' in one ? `${one.kind} ${one.value}` : one.kind)).join(', ')}`);

  it('names the topics that could hold it, with what speaks for each, best first', async () => {
    await broker.create(OWNER, 'json', { contentType: 'application/json', tags: ['north'] });
    expect(await found({ temp: 1 }, undefined, { tags: ['NORTH'] })).toEqual(['sensors/cellar: schema, contentType application/json', 'json: contentType application/json, tag north']);
    expect(await found({ other: 1 })).toEqual(['json: contentType application/json']);
    expect(await found([{ n: 'a', v: 1 }], 'application/senml+json')).toEqual(['sensors/attic: type urn:ietf:params:xml:ns:senml, contentType application/senml+json']);
    expect(await found(Uint8Array.of(1), 'image/png')).toEqual(['cameras/door: contentType image/png']);
    expect(await found('text')).toEqual([]);
    expect(await found({ temp: 1 }, undefined, { filter: 'cameras/#' })).toEqual([]);
  });

  it('knows XML by its namespace, and leaves out a topic that could not hold it', async () => {
    await broker.create(OWNER, 'feed', { type: 'http://www.w3.org/2005/Atom', maxPayload: 60 });
    expect(await found('<entry xmlns="http://www.w3.org/2005/Atom"/>', 'application/xml')).toEqual(['feed: type http://www.w3.org/2005/Atom']);
    expect(await found(`<entry xmlns="http://www.w3.org/2005/Atom">${'x'.repeat(60)}</entry>`, 'application/xml')).toEqual([]);
    await broker.create(OWNER, 'keyed', { lane: 'latest', key: '/sensor', tags: ['k'] });
    expect(await found({ sensor: 1 }, undefined, { tags: ['k'], filter: 'keyed' })).toEqual(['keyed: tag k']);
    expect(await found({ other: 1 }, undefined, { tags: ['k'], filter: 'keyed' })).toEqual([]);
  });

  it('shows a peer only what it may read', async () => {
    expect(await found({ temp: 1 }, undefined, { tags: ['temperature'] }, STRANGER)).toEqual([]);
    expect(await found([{ n: 'a', v: 1 }], 'application/senml+json', {}, STRANGER)).toHaveLength(1);
  });

  it('takes so much time and no more', async () => {
    const slow = { type: 'string', pattern: '^(a+)+$' };
    for (let i = 0; i < 30; i++) await broker.create(OWNER, `slow/${i}`, { schema: slow });
    await expect(found(`${'a'.repeat(60)}b`)).rejects.toMatchObject({ code: 'busy' });
  });
});
