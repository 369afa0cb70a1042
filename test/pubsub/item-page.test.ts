import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Log } from '../../src/log/log.ts';
import { changesSince } from '../../src/pubsub/changes.ts';
import { itemPage, type ItemPageRequest } from '../../src/pubsub/item-page.ts';
import { closeAll, openMemory } from '../log/log-fixture.ts';

let log: Log;
beforeEach(async () => { ({ log } = await openMemory()); });
afterEach(closeAll);

const publish = (id: string) => log.append({ topic: 't', kind: 'publish', id, payload: { contentType: 'text/plain', bytes: Buffer.from(id) } });
const ids = async (request: ItemPageRequest): Promise<unknown> => {
  const { records, index, count } = await itemPage(log, 't', request);
  return [records.map(({ id }) => id).join(''), index, count];
};

test('pages of a topic, with the place of the first and how many there are', async () => {
  for (const id of 'abcdef') await publish(id);
  expect(await ids({ max: 2 })).toEqual(['ab', 0, 6]);
  expect(await ids({ max: 2, after: 'b' })).toEqual(['cd', 2, 6]);
  expect(await ids({ max: 4, after: 'e' })).toEqual(['f', 5, 6]);
  expect(await ids({ max: 2, before: '' })).toEqual(['ef', 4, 6]);
  expect(await ids({ max: 2, before: 'c' })).toEqual(['ab', 0, 6]);
  expect(await ids({ max: 9, before: 'a' })).toEqual(['', undefined, 6]);
  expect(await ids({ max: 2, index: 3 })).toEqual(['de', 3, 6]);
  expect(await ids({ max: 0 })).toEqual(['', undefined, 6]);
  await expect(ids({ max: 2, after: 'x' })).rejects.toMatchObject({ code: 'not-found' });
  await expect(ids({ max: 2, index: 10_001 })).rejects.toMatchObject({ code: 'unsupported' });
});

test('what the view has given up is in no page, however late it is trimmed', async () => {
  await log.append({ topic: 't', kind: 'configure', config: { maxItems: 3 } });
  for (const id of 'abcdef') await publish(id);
  expect(await ids({ max: 2 })).toEqual(['de', 0, 3]);
  expect(await ids({ max: 9, before: 'f' })).toEqual(['de', 0, 3]);
  expect(await ids({ max: 9, index: 1 })).toEqual(['ef', 1, 3]);
});

test('over several pages of the index', async () => {
  await Promise.all(Array.from({ length: 600 }, (_, i) => publish(`i${i}`)));
  const { records, index, count } = await itemPage(log, 't', { max: 3, after: 'i520' });
  expect([records.map(({ id }) => id), index, count]).toEqual([['i521', 'i522', 'i523'], 521, 600]);
  const back = await itemPage(log, 't', { max: 300, before: 'i400' });
  expect([back.records.length, back.records[0]?.id, back.index]).toEqual([300, 'i100', 100]);
});

test('changes since a position: the newest of each, and what was taken back; or that nobody knows', async () => {
  const { seq } = await publish('a');
  await publish('b');
  await publish('b');
  await log.append({ topic: 't', kind: 'retract', id: 'a' });
  await log.append({ topic: 'other', kind: 'publish', payload: { contentType: 'text/plain', bytes: Buffer.of() } });
  expect((await changesSince(log, 't', seq)).map(({ kind, id }) => `${kind} ${id}`)).toEqual(['publish b', 'retract a']);
  expect(await changesSince(log, 't', log.topic('t')?.last ?? 0)).toEqual([]);
  for (const version of [0, seq + 99]) await expect(changesSince(log, 't', version === 0 ? 12_345 : version)).rejects.toMatchObject({ code: 'not-found' });
  await log.append({ topic: 't', kind: 'purge' });
  await expect(changesSince(log, 't', seq)).rejects.toMatchObject({ code: 'not-found' });
});
