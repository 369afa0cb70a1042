import { afterEach, describe, expect, it } from 'vitest';
import { type ArchiveLine, archived } from '../../src/log/archive.ts';
import { writeSynced } from '../../src/log/database.ts';
import { commitKey, recordKey } from '../../src/log/keys.ts';
import type { Log } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { takeIn } from '../../src/stopped-box.ts';
import { closeAll, item, openMemory, texts } from './log-fixture.ts';

afterEach(closeAll);

async function exported(log: Log): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of archived(log, 7)) lines.push(JSON.stringify(line));
  return lines;
}

async function* numbered(lines: readonly string[]): AsyncIterableIterator<{ number: number; text: string }> {
  for (const [i, text] of lines.entries()) yield { number: i + 1, text };
}

const KEY = 'a'.repeat(64);
const ROW = { names: ['desk'], label: 'desk', level: 'seen', grants: [], denials: [], lastSeen: 1 };

async function filled(): Promise<Log> {
  const { log, clock } = await openMemory();
  await log.append({ topic: 'a', kind: 'configure', config: { maxItems: 50, title: 'A' } });
  const reader = await log.cursor({ name: 'local:app', filter: 'a', from: 'start', durable: true, extra: { maxDeliveries: 3 } });
  await log.cursor({ name: 'peer:x', filter: 'a', from: 'start', durable: true });
  for (let n = 0; n < 10; n++) await log.append(item('a', `${n}`, n % 2 === 0 ? { id: `id${n}` } : {}));
  await log.append({ topic: 'a', kind: 'retract', id: 'id2' });
  clock.jump(-(60 * 365 * 86_400_000));
  await log.append({ topic: 'b/c', kind: 'publish', payload: { contentType: 'application/cbor', bytes: Uint8Array.of(255, 0, 128) }, publisher: 'link:desk\u0085', extra: { key: 'ab' } });
  await log.append(item('$inbox', 'not for others'));
  await log.registry.set(`trust/${KEY}`, ROW);
  await log.registry.set('home/x@y', { password: 'secret' });
  await texts(reader, 4);
  await reader.close();
  return log;
}

describe('an export', () => {
  it('has topics, records with ids and stamps, readers and trust, and neither mail nor secrets', async () => {
    const lines = await exported(await filled());
    const parsed = lines.map((line): ArchiveLine => JSON.parse(line));
    expect(parsed[0]).toEqual({ lanpost: 'export', format: 2, box: 'abcdefghijklmnop', exported: 7 });
    expect(lines.join('\n')).not.toMatch(/secret|not for others|peer:x/);
    expect(parsed.filter((line) => 'topic' in line)).toHaveLength(2);
    expect(parsed.find((line) => 'in' in line && line.in === 'b/c')).toMatchObject({ kind: 'publish', type: 'application/cbor', base64: '/wCA', timeTrusted: false, publisher: 'link:desk\u0085', extra: { key: 'ab' } });
    // Before the first record that it has not passed.
    const at = parsed.findIndex((line) => 'reader' in line);
    expect(parsed[at + 1]).toMatchObject({ in: 'a', text: '3' });
  });

  it('is taken in whole, with ids, stamps and readers where they were', async () => {
    const log = await filled();
    const lines = await exported(log);
    const there = await openMemory({ boxId: 'qrstuvwxyzabcdef' });
    expect(await takeIn(there.log, numbered(lines))).toEqual({ records: 13, repeated: 0, topics: 2, readers: 1, ended: true });
    const was = await log.items('a', { limit: 100 });
    const is = await there.log.items('a', { limit: 100 });
    const told = (records: typeof is) => records.map(({ recordId, id = recordId, payload, stamp: { wall, trusted } }) => ({ recordId, id, text: Buffer.from(payload?.bytes ?? []).toString(), wall, trusted }));
    expect(told(is)).toEqual(told(was));
    expect(there.log.topic('a')?.settings).toMatchObject({ maxItems: 50, title: 'A' });
    expect(there.log.registry.get(`trust/${KEY}`)).toEqual(ROW);
    const reader = await there.log.cursor({ name: 'local:app', filter: 'a', from: 'new', durable: true });
    expect((await texts(reader, 8))[0]).toBe('3');
  });

  it('taken in again, or where it came from, changes nothing', async () => {
    const log = await filled();
    const lines = await exported(log);
    const there = await openMemory({ boxId: 'qrstuvwxyzabcdef' });
    await takeIn(there.log, numbered(lines));
    const { head } = there.log;
    expect(await takeIn(there.log, numbered(lines))).toEqual({ records: 0, repeated: 13, topics: 0, readers: 0, ended: true });
    expect(there.log.head).toBe(head);
    const before = log.head;
    expect(await takeIn(log, numbered(lines))).toMatchObject({ records: 0, topics: 0, readers: 0 });
    expect(log.head).toBe(before);
    // And what came from there to a third one is still the same record.
    const third = await openMemory({ boxId: 'ponmlkjihgfedcba' });
    await takeIn(third.log, numbered(await exported(there.log)));
    expect(await takeIn(third.log, numbered(lines))).toMatchObject({ records: 0 });
  });

  it.each([
    ['', /empty/], ['x', /line 1 is not JSON/], ['{"topic":"a","settings":{}}', /beginning/], ['{"lanpost":"export","format":3,"box":"b","exported":1}', /format 3/],
  ])('%j is none', async (text, message) => {
    const { log } = await openMemory();
    await expect(takeIn(log, numbered(text === '' ? [] : [text]))).rejects.toThrow(message);
  });

  it.each(['{"topic":"$inbox","settings":{}}', '{"row":"home/x","value":1}', '{"reader":"peer:x","filter":"#"}', '{"record":"aaaabbbbccccdddd-1.0011aabb-1","in":"$mail/x","kind":"publish","time":1}', '{"record":"x","in":"a","kind":"publish","time":1}', '[]', 'null', '{}'])('does not take %s', async (line) => {
    const { log } = await openMemory();
    await expect(takeIn(log, numbered(['{"lanpost":"export","format":1,"box":"b","exported":1}', line]))).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('line 2') });
    expect(log.topicCount).toBe(0);
  });

  it.each([
    { in: 'a/+/b' }, { id: '' }, { id: '\0k' }, { id: 5 }, { id: 'x'.repeat(1025) }, { expires: 'x' }, { text: 5 }, { type: 5 }, { base64: 7, text: undefined }, { config: 5, kind: 'configure' }, { config: { maxItems: -1 }, kind: 'configure' },
    { config: { nonsense: 1 }, kind: 'configure' }, { kind: 'configure' }, { kind: 'gap' }, { publisher: 7 }, { previous: -1 }, { previous: 1.5 }, { time: 1e300 }, { kind: 'retract' }, { record: 'aaaabbbbccccdddd-1.0011aabb-0' }, { record: 'b-1.a-2' }, { topic: 'b', settings: { full: 'maybe' } }, { topic: 'b', settings: { key: '/x' } },
  ])('refuses the line with %j, and takes what was before it', async (more) => {
    const { log } = await openMemory();
    const good = (seq: number): Record<string, unknown> => ({ record: `aaaabbbbccccdddd-1.0011aabb-${seq}`, in: 'a', kind: 'publish', time: 1, timeTrusted: true, type: 'text/plain', text: `${seq}` });
    const lines = [{ lanpost: 'export', format: 1, box: 'b', exported: 1 }, good(1), { ...good(2), ...more }, good(3)].map((line) => JSON.stringify(line));
    await expect(takeIn(log, numbered(lines))).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('line 3') });
    expect(log.state).toBe('open');
    expect(await takeIn(log, numbered(lines.filter((_, i) => i !== 2)))).toMatchObject({ records: 1, repeated: 1 });
    expect((await log.items('a')).map(({ id }) => id)).toEqual(['aaaabbbbccccdddd-1.0011aabb-1', 'aaaabbbbccccdddd-1.0011aabb-3']);
  });

  const known = { ...ROW, level: 'paired', grants: [{ right: 'read', filter: 'a/#' }] };
  it.each([
    [`trust/${KEY}`, { ...known, denials: 5 }], [`trust/${KEY}`, { ...known, names: [7] }], [`trust/${KEY}`, { ...known, level: 'owner' }], [`trust/${KEY}`, { ...known, grants: [{ right: 'all' }] }],
    [`trust/${KEY}`, { ...known, tenure: 'long' }], [`trust/${KEY}`, null], ['trust/x', known],
    ['policy/class:seen', { grants: [null], denials: [] }], ['policy/class:seen', { grants: [] }], ['policy/all', { grants: [], denials: [] }], ['access/a', { nobody: 'owner' }], ['access/a', []], ['access/a', { [KEY]: 'king' }],
  ])('refuses the row %s with %j', async (row, value) => {
    const { log } = await openMemory();
    await expect(takeIn(log, numbered(['{"lanpost":"export","format":1,"box":"b","exported":1}', JSON.stringify({ row, value })]))).rejects.toMatchObject({ code: 'invalid-value', message: 'line 2 is no row as a box keeps it' });
    expect(log.registry.get(row)).toBeUndefined();
  });

  it.each([[`trust/${KEY}`, known], [`trust/${KEY}`, { names: [], label: 'x', level: 'seen', grants: [], lastSeen: 1 }], ['policy/class:seen', { grants: [{ right: 'files' }], denials: [] }]])('takes the row %s with %j', async (row, value) => {
    const { log } = await openMemory();
    await takeIn(log, numbered(['{"lanpost":"export","format":1,"box":"b","exported":1}', JSON.stringify({ row, value })]));
    expect(log.registry.get(row)).toEqual(value);
  });

  it('keeps the newest of each key', async () => {
    const { log } = await openMemory();
    await log.append({ topic: 't', kind: 'configure', config: { lane: 'latest', key: '/k' } });
    for (const k of ['a', 'b', 'c']) await log.append({ topic: 't', kind: 'publish', key: JSON.stringify(k), payload: { contentType: 'application/json', bytes: Buffer.from(JSON.stringify({ k })) } });
    const there = await openMemory({ boxId: 'qrstuvwxyzabcdef' });
    await takeIn(there.log, numbered(await exported(log)));
    expect(await there.log.items('t')).toHaveLength(3);
    await there.log.append({ topic: 't', kind: 'publish', key: '"b"', payload: { contentType: 'application/json', bytes: Buffer.from('{"k":"b","n":2}') } });
    expect(await there.log.items('t')).toHaveLength(3);
  });

  it('brings items that go by the ids of their records: they are found by them, and stay retracted', async () => {
    const { log } = await openMemory();
    await log.cursor({ name: 'local:slow', filter: 't', from: 'start', durable: true });
    const [{ recordId }, { recordId: kept }] = await Promise.all([log.append(item('t', '1')), log.append(item('t', '2'))]);
    await log.append({ topic: 't', kind: 'retract', id: recordId });
    const there = await openMemory({ boxId: 'qrstuvwxyzabcdef' });
    await takeIn(there.log, numbered(await exported(log)));
    expect((await there.log.items('t')).map((record) => record.recordId)).toEqual([kept]);
    expect(await there.log.items('t', { ids: [kept] })).toHaveLength(1);
  });

  it('of a box that was started often is known again, too', async () => {
    const database = new MemoryDatabase();
    for (let n = 0; n < 80; n++) {
      const { log } = await openMemory({ database });
      await log.append(item('t', `${n}`));
      await log.close();
    }
    const lines = await exported((await openMemory({ database })).log);
    const there = await openMemory({ boxId: 'qrstuvwxyzabcdef' });
    expect(await takeIn(there.log, numbered(lines))).toMatchObject({ records: 80 });
    expect(await takeIn(there.log, numbered(lines))).toMatchObject({ records: 0, repeated: 80 });
  });

  it('leaves what a box has accepted itself as it is', async () => {
    const { log } = await openMemory();
    await log.cursor({ name: 'local:slow', filter: '#', from: 'start', durable: true });
    await log.append(item('t', 'theirs', { id: 'x' }));
    await log.append({ topic: 't', kind: 'purge' });
    await log.append({ topic: 't', kind: 'configure', config: { maxItems: 1 } });
    await log.append(item('t', 'also theirs', { id: 'x' }));
    await log.append(item('t', 'new', { id: 'y' }));
    await log.append({ topic: 'd', kind: 'delete' });
    const there = await openMemory({ boxId: 'qrstuvwxyzabcdef' });
    for (const topic of ['t', 'd']) for (const id of ['x', 'z']) await there.log.append(item(topic, 'mine', { id }));
    await takeIn(there.log, numbered(await exported(log)));
    const told = async (topic: string) => (await there.log.items(topic)).map(({ id, payload }) => `${id} ${Buffer.from(payload?.bytes ?? []).toString()}`);
    expect(await told('t')).toEqual(['x mine', 'z mine', 'y new']);
    expect(await told('d')).toEqual(['x mine', 'z mine']);
  });

  it.each([{}, { key: '/k' }])('leaves the newest value that a box has accepted itself: %j', async (more) => {
    const told = { contentType: 'application/json', bytes: Buffer.from('{"k":"x"}') };
    const one = { topic: 't', kind: 'publish', payload: told, ...('key' in more && { key: '"x"' }) } as const;
    const [{ log }, there] = [await openMemory(), await openMemory({ boxId: 'qrstuvwxyzabcdef' })];
    for (const each of [log, there.log]) await each.append({ topic: 't', kind: 'configure', config: { lane: 'latest', ...more } });
    await log.append(one);
    const { recordId } = await there.log.append(one);
    await takeIn(there.log, numbered(await exported(log)));
    expect((await there.log.items('t')).map((record) => record.recordId)).toEqual([recordId]);
  });

  it('leaves the settings of a topic that was there, also when nothing is in it', async () => {
    const [{ log }, there] = [await openMemory(), await openMemory({ boxId: 'qrstuvwxyzabcdef' })];
    for (const topic of ['u', 'd']) {
      await log.append(item(topic, '1'));
      await log.append({ topic, kind: 'configure', config: { maxItems: 3 } });
      await there.log.append({ topic, kind: 'configure', config: { maxItems: 7 } });
    }
    await log.cursor({ name: 'local:slow', filter: '#', from: 'start', durable: true });
    await log.append({ topic: 'd', kind: 'delete' });
    await takeIn(there.log, numbered(await exported(log)));
    expect(['u', 'd'].map((topic) => there.log.topic(topic))).toMatchObject([{ settings: { maxItems: 7 } }, { settings: { maxItems: 7 }, deleted: false }]);
  });

  it('brings a topic that was deleted there back as it is set up, also without the record of that', async () => {
    const [{ log }, there] = [await openMemory(), await openMemory({ boxId: 'qrstuvwxyzabcdef' })];
    await log.append({ topic: 't', kind: 'configure', config: { accessModel: 'whitelist', lane: 'latest' } });
    for (const text of ['1', '2']) await log.append(item('t', text));
    await there.log.append(item('t', 'old'));
    await there.log.append({ topic: 't', kind: 'delete' });
    const lines = (await exported(log)).filter((line) => !/"kind":"configure"|"lanpost":"end"/.test(line));
    lines.push(JSON.stringify({ lanpost: 'end', lines: lines.length }));
    expect(await takeIn(there.log, numbered(lines))).toMatchObject({ records: 1, topics: 1 });
    expect(there.log.topic('t')).toMatchObject({ deleted: false, settings: { accessModel: 'whitelist', lane: 'latest' } });
  });

  it('does not bring a topic back that was deleted since, where it had been taken in or came from', async () => {
    const [{ log }, there] = [await openMemory(), await openMemory({ boxId: 'qrstuvwxyzabcdef' })];
    await log.append({ topic: 't', kind: 'configure', config: { maxItems: 3 } });
    await log.append(item('t', '1'));
    const lines = await exported(log);
    await takeIn(there.log, numbered(lines));
    for (const each of [log, there.log]) {
      await each.append({ topic: 't', kind: 'delete' });
      expect(await takeIn(each, numbered(lines))).toMatchObject({ records: 0, repeated: 2, topics: 0 });
      expect(each.topic('t')?.deleted).toBe(true);
    }
  });

  it('brings back what its box has lost since, once', async () => {
    const { log, database } = await openMemory();
    for (let n = 1; n <= 5; n++) await log.append(item('t', `${n}`));
    const older = database.fork();
    for (let n = 6; n <= 9; n++) await log.append(item('t', `${n}`));
    const lines = await exported(log);
    const holed = database.fork();
    await holed.open();
    await writeSynced(holed, [2, 3].flatMap((seq) => [{ key: commitKey(seq) }, { key: recordKey(seq) }]));
    for (const [copy, lost] of [[holed, 2], [older, 4]] as const) {
      const there = await openMemory({ database: copy });
      expect(await takeIn(there.log, numbered(lines))).toMatchObject({ records: lost, repeated: 9 - lost });
      expect(await takeIn(there.log, numbered(lines))).toMatchObject({ records: 0, repeated: 9 });
      expect((await there.log.items('t')).map(({ payload }) => Buffer.from(payload?.bytes ?? []).toString()).toSorted()).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9']);
    }
  });

  it('that was cut off, or lacks lines, is said to be so, and what it has is taken in', async () => {
    const { log } = await openMemory();
    for (let n = 0; n < 5; n++) await log.append(item('t', `${n}`));
    const lines = await exported(log);
    expect(lines.at(-1)).toBe(JSON.stringify({ lanpost: 'end', lines: lines.length - 1 }));
    for (const some of [lines.slice(0, -2), lines.toSpliced(3, 1), [...lines, lines[3] ?? '']]) {
      const there = await openMemory({ boxId: 'qrstuvwxyzabcdef' });
      await expect(takeIn(there.log, numbered(some))).rejects.toMatchObject({ code: 'invalid-value' });
      expect((await there.log.items('t')).length).toBeGreaterThan(2);
    }
  });

  it('brings how much may wait for a reader', async () => {
    const [{ log }, there] = [await openMemory(), await openMemory({ boxId: 'qrstuvwxyzabcdef' })];
    await log.cursor({ name: 'local:app', filter: 'a', from: 'start', durable: true, maxBacklog: { records: 5, age: 1000 } });
    await takeIn(there.log, numbered(await exported(log)));
    expect([...there.log.cursors()]).toMatchObject([{ name: 'local:app', maxBacklog: { records: 5, age: 1000 } }]);
  });

  it('waits while too much waits for the disk', async () => {
    const { log } = await openMemory();
    for (let n = 0; n < 100; n++) await log.append(item('t', 'x'.repeat(1000)));
    const there = await openMemory({ boxId: 'qrstuvwxyzabcdef', limits: { roomyBytes: 5000, pendingBytes: 10_000 } });
    expect(await takeIn(there.log, numbered(await exported(log)))).toMatchObject({ records: 100 });
  });

  it.each([
    { topic: 'a\uffff', settings: {} }, { topic: '', settings: {} }, { topic: 'a/#', settings: {} },
    { reader: 'local:', filter: '#' }, ...[5, null, { records: -1 }, { bytes: 1.5 }, { more: 1 }].map((maxBacklog) => ({ reader: 'local:a', filter: '#', maxBacklog })), { reader: `local:${'x'.repeat(1000)}`, filter: '#' }, { reader: 'local:\u0001', filter: '#' },
    { record: 'a\u0001b-e-1' }, { record: `${'a'.repeat(100_000)}-e-1` }, { record: 'aaaabbbbccccdddd-1.0011aabb-0' }, { record: 'AAAABBBBCCCCDDDD-1.0011aabb-1' },
    { in: 'a\uffff' }, { id: 'a\uffff' }, { id: 'a\ud800' }, { publisher: '\u0000' }, { publisher: 'x'.repeat(100_000) }, { type: 'text/plain\u0001' }, { type: 'x'.repeat(100_000) },
    { time: '7' },
  ])('takes nothing that no box can say, or find again: %j', async (hostile) => {
    const { log } = await openMemory();
    const record = { record: 'aaaabbbbccccdddd-1.0011aabb-5', in: 't', kind: 'publish', time: 1.7e12, timeTrusted: true, id: 'x', type: 'application/json', text: '1' };
    const line = JSON.stringify('topic' in hostile || 'reader' in hostile ? hostile : { ...record, ...hostile });
    await expect(takeIn(log, numbered(['{"lanpost":"export","format":1,"box":"aaaabbbbccccdddd","exported":1}', line]))).rejects.toMatchObject({ code: expect.stringMatching(/^invalid-/) as string });
    expect([...log.topics()].filter(({ name }) => !name.startsWith('$'))).toEqual([]);
    expect([...log.cursors()]).toEqual([]);
  });
});
