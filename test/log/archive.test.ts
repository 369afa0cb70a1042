import { afterEach, describe, expect, it } from 'vitest';
import { type ArchiveLine, archived, takeIn } from '../../src/log/archive.ts';
import type { Log } from '../../src/log/log.ts';
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

async function filled(): Promise<Log> {
  const { log, clock } = await openMemory();
  await log.append({ topic: 'a', kind: 'configure', config: { maxItems: 50, title: 'A' } });
  const reader = await log.cursor({ name: 'local:app', filter: 'a', from: 'start', durable: true, extra: { maxDeliveries: 3 } });
  await log.cursor({ name: 'peer:x', filter: 'a', from: 'start', durable: true });
  for (let n = 0; n < 10; n++) await log.append(item('a', `${n}`, n % 2 === 0 ? { id: `id${n}` } : {}));
  await log.append({ topic: 'a', kind: 'retract', id: 'id2' });
  clock.jump(-(60 * 365 * 86_400_000));
  await log.append({ topic: 'b/c', kind: 'publish', payload: { contentType: 'application/cbor', bytes: Uint8Array.of(255, 0, 128) }, publisher: 'link:desk', extra: { key: 'ab' } });
  await log.append(item('$inbox', 'not for others'));
  await log.registry.set('trust/ab', { names: ['desk'], grants: [], lastSeen: 1 });
  await log.registry.set('home/x@y', { password: 'secret' });
  await texts(reader, 4);
  await reader.close();
  return log;
}

describe('an export', () => {
  it('has topics, records with ids and stamps, readers and trust, and neither mail nor secrets', async () => {
    const lines = await exported(await filled());
    const parsed = lines.map((line): ArchiveLine => JSON.parse(line));
    expect(parsed[0]).toEqual({ lanpost: 'export', format: 1, box: 'abcdefghijklmnop', exported: 7 });
    expect(lines.join('\n')).not.toMatch(/secret|not for others|peer:x/);
    expect(parsed.filter((line) => 'topic' in line)).toHaveLength(2);
    expect(parsed.find((line) => 'in' in line && line.in === 'b/c')).toMatchObject({ kind: 'publish', type: 'application/cbor', base64: '/wCA', timeTrusted: false, publisher: 'link:desk', extra: { key: 'ab' } });
    // Before the first record that it has not passed.
    const at = parsed.findIndex((line) => 'reader' in line);
    expect(parsed[at + 1]).toMatchObject({ in: 'a', text: '3' });
  });

  it('is taken in whole, with ids, stamps and readers where they were', async () => {
    const log = await filled();
    const lines = await exported(log);
    const there = await openMemory({ boxId: 'qrstuvwxyzabcdef' });
    expect(await takeIn(there.log, numbered(lines))).toEqual({ records: 13, repeated: 0, topics: 2, readers: 1 });
    const was = await log.items('a', { limit: 100 });
    const is = await there.log.items('a', { limit: 100 });
    const told = (records: typeof is) => records.map(({ recordId, id, payload, stamp: { wall, trusted } }) => ({ recordId, id, text: Buffer.from(payload?.bytes ?? []).toString(), wall, trusted }));
    expect(told(is)).toEqual(told(was));
    expect(there.log.topic('a')?.settings).toMatchObject({ maxItems: 50, title: 'A' });
    expect(there.log.registry.get('trust/ab')).toEqual({ names: ['desk'], grants: [], lastSeen: 1 });
    const reader = await there.log.cursor({ name: 'local:app', filter: 'a', from: 'new', durable: true });
    expect((await texts(reader, 8))[0]).toBe('3');
  });

  it('taken in again, or where it came from, changes nothing', async () => {
    const log = await filled();
    const lines = await exported(log);
    const there = await openMemory({ boxId: 'qrstuvwxyzabcdef' });
    await takeIn(there.log, numbered(lines));
    const { head } = there.log;
    expect(await takeIn(there.log, numbered(lines))).toEqual({ records: 0, repeated: 13, topics: 0, readers: 0 });
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
    ['', /empty/], ['x', /line 1 is not JSON/], ['{"topic":"a","settings":{}}', /beginning/], ['{"lanpost":"export","format":2,"box":"b","exported":1}', /format 2/],
  ])('%j is none', async (text, message) => {
    const { log } = await openMemory();
    await expect(takeIn(log, numbered(text === '' ? [] : [text]))).rejects.toThrow(message);
  });

  it.each(['{"topic":"$inbox","settings":{}}', '{"row":"home/x","value":1}', '{"reader":"peer:x","filter":"#"}', '{"record":"b-1.a-1","in":"$mail/x","kind":"publish","time":1}', '{"record":"x","in":"a","kind":"publish","time":1}', '[]', 'null', '{}'])('does not take %s', async (line) => {
    const { log } = await openMemory();
    await expect(takeIn(log, numbered(['{"lanpost":"export","format":1,"box":"b","exported":1}', line]))).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('line 2') });
    expect(log.topicCount).toBe(0);
  });
});
