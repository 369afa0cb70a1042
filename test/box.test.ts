import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Box, Item } from '../src/api.ts';
import { createBox } from '../src/box.ts';

let dir: string;
const open: Box[] = [];
const box = async (options: Parameters<typeof createBox>[0] = {}): Promise<Box> => {
  const made = await createBox({ dir, link: false, limits: { diskFloor: 0 }, ...options });
  open.push(made);
  return made;
};
beforeEach(() => { dir = mkdtempSync(join(tmpdir(), 'lanpost-box-')); });
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  rmSync(dir, { recursive: true, force: true });
});

test('what was published is there after a restart; the box is the same, its epoch another', async () => {
  const first = await box();
  const { recordId } = await first.publish('a/b', { x: 1 });
  const { fingerprint } = await first.status();
  await first.close();
  const second = await box();
  expect(await second.items('a/b')).toMatchObject([{ kind: 'item', value: { x: 1 }, recordId }]);
  expect((await second.status()).fingerprint).toBe(fingerprint);
  const next = await second.publish('a/b', 2);
  expect(next.recordId.split('-')[1]).not.toBe(recordId.split('-')[1]);
});

test('a data directory has one box', async () => {
  await box();
  await expect(box()).rejects.toMatchObject({ code: 'locked' });
});

test('the data directory is for its owner only', async () => {
  dir = join(dir, 'made');
  await box();
  expect(statSync(dir).mode & 0o777).toBe(0o700);
});

test('a path of 150 characters works', async () => {
  dir = join(dir, 'x'.repeat(150));
  const one = await box();
  await one.publish('a', 1);
  expect((await one.status()).log.head).toBe(1);
});

test('close is idempotent, and after it everything is refused as closed', async () => {
  const one = await box();
  await Promise.all([one.close(), one.close()]);
  await one.close();
  await expect(one.publish('a', 1)).rejects.toMatchObject({ code: 'closed' });
  await expect(one.topics.list()).rejects.toMatchObject({ code: 'closed' });
  expect(() => one.subscribe('a')).toThrow(expect.objectContaining({ code: 'closed' }));
});

test('aborting a publish stops the waiting, not the item', async () => {
  const one = await box();
  const abort = new AbortController();
  const published = one.publish('a', 1, { signal: abort.signal });
  abort.abort(new Error('enough'));
  await expect(published).rejects.toThrow('enough');
  await one.publish('a', 2);
  expect((await one.items('a')).map((item) => (item as Item).value)).toEqual([1, 2]);
});

test('a message to itself arrives', async () => {
  const one = await box({ name: 'hall' });
  const receipt = await one.send('link:hall', 'note to self');
  await receipt.delivered;
  expect((await one.messages({ name: 'flow' }).next()).value).toMatchObject({ body: 'note to self', from: 'link:hall' });
});

test('without a link nothing is reachable there, and it says so', async () => {
  const one = await box();
  await expect(one.send('link:b@h2', 'x')).rejects.toMatchObject({ code: 'unreachable' });
  await expect(one.send('xmpp:b@h2', 'x')).rejects.toMatchObject({ code: 'unreachable' });
  await expect(one.send('xmpp:b@@h2', 'x')).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('"xmpp:b@@h2" is no JID') as string });
  await expect(one.request('xmpp:b@@h2', '<ping xmlns="urn:xmpp:ping"/>')).rejects.toMatchObject({ code: 'invalid-value' });
  await expect(one.publish('a', 1, { at: 'b@h2' })).rejects.toMatchObject({ code: 'unreachable' });
  await expect(one.subscribe('a', { at: 'b@h2' }).next()).rejects.toMatchObject({ code: 'unreachable' });
  expect((await one.status()).link).toEqual({ state: 'off', interfaces: [] });
});

test('a wrong option is refused before anything is made', async () => {
  await expect(createBox({ dir: join(dir, 'not-made'), name: 'a@b' })).rejects.toMatchObject({ code: 'invalid-value' });
  expect(() => statSync(join(dir, 'not-made'))).toThrow('ENOENT');
});

test('bytes, text, XML, numbers and null come back as they went in', async () => {
  const one = await box();
  const values = [new Uint8Array([0, 255]), 'text', 0, false, null, '', { deep: [1, { x: 'ü' }] }];
  for (const value of values) await one.publish('a', value);
  await one.publish('a', `<b xmlns='urn:x'>1</b>`, { contentType: 'application/xml' });
  const items = (await one.items('a')) as Item[];
  expect(items.map((item) => item.value)).toEqual([...values, `<b xmlns='urn:x'>1</b>`]);
});
