import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBox, TOPIC_FIELDS, type Box } from '../../src/index.ts';
import { optionOf, SETTING_OPTIONS } from '../../src/cli/topic-setting.ts';
import { lanpost, objects, type Ran } from './lanpost.ts';

let dir: string;
let box: Box;
const run = (...args: string[]): Promise<Ran> => lanpost([...args, '--dir', dir]);
const done = (out: string): Ran => ({ code: 0, out, err: '' });

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lanpost-topic-'));
  box = await createBox({ dir, link: false, name: 'shed' });
});
afterAll(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

describe('lanpost topic', () => {
  it('has an option for every setting, with what it takes', async () => {
    expect(Object.keys(SETTING_OPTIONS)).toEqual(Object.keys(TOPIC_FIELDS).map(optionOf));
    const { out } = await run('topic', 'set', '--help');
    expect(out).toContain('--max-items N');
    expect(out).toMatch(/--access-model open\|presence\|.* who may read it/);
  });

  it('creates, shows, changes, lists and deletes', async () => {
    expect(objects((await run('topic', 'create', 'sensors/attic', '--title', 'Attic', '--max-items', '5', '--json')).out)).toMatchObject([{ name: 'sensors/attic', title: 'Attic', maxItems: 5, accessModel: 'whitelist' }]);
    expect(await run('topic', 'create', 'sensors/attic')).toMatchObject({ code: 1, err: expect.stringContaining('exists already') });
    expect((await run('topic', 'set', 'sensors/attic', '--lane', 'latest', '--access-model', 'open')).out).toBe('access-model\topen\nlane\tlatest\n');
    expect((await run('topic', 'create', 'sensors/loft', '--title', 'Loft')).out).toBe('topic\tsensors/loft\ntitle\tLoft\n');
    expect((await run('topic', 'set', 'sensors/loft', '--title', '', '--max-items', 'none')).out).toBe('title\t-\nmax-items\t1000\n');
    await run('topic', 'delete', 'sensors/loft');
    await box.publish('sensors/attic', 21);
    const shown = (await run('topic', 'show', 'sensors/attic')).out;
    expect(shown).toMatch(/^topic\tsensors\/attic\nitems\t1\nsize\t\d+ B\nposition\t\d+\ntitle\tAttic\n/);
    expect((await run('topic', 'list', 'sensors/#')).out).toMatch(/^sensors\/attic\t1\t\d+ B\t\d+\topen\tpublishers\tlatest\tAttic\n$/);
    expect(await run('topic', 'delete', 'sensors/attic')).toEqual(done('sensors/attic is deleted\n'));
    expect(await run('topic', 'list')).toEqual(done(''));
  });

  it('takes a setting back by an empty text, or none', async () => {
    await box.topics.create('back', { title: 'Back', maxItems: 7 });
    await run('topic', 'set', 'back', '--tags', 'hall, north', '--notify-sub', 'yes', '--max-payload', '64KiB');
    expect((await run('topic', 'show', 'back')).out).toMatch(/tags\thall, north\n[^]*max-payload\t64KiB\n[^]*notify-sub\tyes\n/);
    await run('topic', 'set', 'back', '--title', '', '--max-items', 'none', '--tags', '', '--max-payload', 'none', '--notify-sub', 'none');
    const info = await box.topics.get('back');
    expect(info).toMatchObject({ maxItems: 1000, tags: [], notifySub: false });
    expect(info).not.toHaveProperty('maxPayload');
    expect(info).not.toHaveProperty('title');
  });

  it('takes a schema from a file', async () => {
    const file = join(dir, 'schema.json');
    await writeFile(file, '{"type":"object","required":["temp"]}');
    expect((await run('topic', 'create', 'checked', '--schema', file)).out).toContain('schema\t{"type":"object","required":["temp"]}\n');
    expect(await run('publish', 'checked', '{}')).toMatchObject({ code: 1, err: 'lanpost: the item does not fit the schema of checked: it must have "temp"\n' });
    await writeFile(file, '{"type":"float"}');
    expect(await run('topic', 'set', 'checked', '--schema', file)).toMatchObject({ code: 1, err: expect.stringContaining('topic setting "schema": /type must be') });
    await writeFile(file, '{');
    expect(await run('topic', 'set', 'checked', '--schema', file)).toMatchObject({ code: 2, err: expect.stringContaining('cannot be read as JSON') });
    await run('topic', 'set', 'checked', '--schema', 'none');
    expect(await box.topics.get('checked')).not.toHaveProperty('schema');
  });

  it('finds topics, and says which could hold an item', async () => {
    await box.topics.create('rooms/hall', { title: 'Hall', tags: ['north'], contentType: 'application/json', schema: { required: ['temp'] } });
    await box.topics.create('rooms/loft', { description: 'above the hall' });
    expect((await run('topic', 'find', 'hall')).out).toBe('rooms/hall\t0\tapplication/json\tnorth\tHall\nrooms/loft\t0\t-\t-\t-\n');
    expect((await run('topic', 'find', '--tag', 'North', '--content-type', 'application/*')).out).toMatch(/^rooms\/hall\t/);
    expect(await run('topic', 'find', 'nothing')).toEqual(done(''));
    const file = join(dir, 'reading.json');
    await writeFile(file, '{"temp": 21}\n');
    expect((await run('topic', 'classify', file, '--tag', 'north')).out).toBe('rooms/hall\tit fits the schema, it is application/json, tag north\tHall\n');
    expect((await lanpost(['topic', 'classify', '-', '--filter', 'rooms/#', '--json', '--dir', dir], '{"temp": 21}')).out).toContain('"reasons":[{"kind":"schema"},{"kind":"contentType","value":"application/json"}]');
    expect((await lanpost(['topic', 'classify', '-', '--dir', dir], '{}')).out).toBe('');
    expect(await run('topic', 'classify', join(dir, 'none'))).toMatchObject({ code: 2, err: expect.stringContaining('cannot be read: there is no such file') });
    await box.topics.delete('rooms/hall');
  });

  it.each([
    [['topic', 'set', 'back'], 2, /nothing is to be changed: name a setting/],
    [['topic', 'set', 'back', '--lane', 'fast'], 2, /--lane is one of history, latest, not "fast"/],
    [['topic', 'set', 'back', '--max-items', 'many'], 2, /--max-items takes a whole number, not "many"/],
    [['topic', 'set', 'back', '--max-items', '0'], 1, /"maxItems" must be a whole number from 1/],
    [['topic', 'set', 'nowhere', '--title', 'x'], 1, /there is no topic nowhere/],
    [['topic', 'show', 'nowhere'], 1, /there is no topic nowhere: see `lanpost topic list --dir/],
    [['topic', 'create', 'a//b'], 2, /is not a topic name/],
    [['topic'], 2, /one of topic list, topic show, topic create, topic set, topic delete,.* topic find, topic classify/],
    [['items', 'nowhere'], 1, /there is no topic nowhere: see `lanpost topic list --dir/],
    [['items', 'back', '--last', '1', '--after', '2'], 2, /--last and --after exclude each other/],
    [['items', 'back', '--from', 'new'], 2, /--from is start, a position or a time here/],
    [['retract', 'back', 'x'], 1, /has no item "x"/],
    [['purge', 'nowhere'], 1, /there is no topic nowhere/],
    [['subscriptions', 'drop', 'x'], 1, /no durable subscription "x": see `lanpost subscriptions list --dir/],
    [['publish', 'back', '-', '--id', 'x'], 2, /--id names one item/],
  ])('%j is refused in one line', async (args, code, words) => {
    const ran = await run(...args);
    expect(ran).toMatchObject({ code, out: '' });
    expect(ran.err).toMatch(words);
    expect(ran.err.trim().split('\n')).toHaveLength(1);
  });
});

describe('lanpost items', () => {
  it('prints what the topic holds, by all its ways', async () => {
    const seqs: number[] = [];
    for (let i = 1; i <= 4; i++) seqs.push((await box.publish('held', { n: i }, { id: `i${i}` })).seq);
    expect(await run('items', 'held')).toEqual(done('i1\t{"n":1}\ni2\t{"n":2}\ni3\t{"n":3}\ni4\t{"n":4}\n'));
    expect((await run('items', 'held', '--last', '2')).out).toBe('i3\t{"n":3}\ni4\t{"n":4}\n');
    expect((await run('items', 'held', '--after', String(seqs[2]))).out).toBe('i4\t{"n":4}\n');
    expect((await run('items', 'held', '--from', String(seqs[2]))).out).toBe('i3\t{"n":3}\ni4\t{"n":4}\n');
    expect((await run('items', 'held', '--from', 'start', '--limit', '1')).out).toBe('i1\t{"n":1}\n');
    expect((await run('items', 'held', '--from', '2001-01-01T00:00:00Z', '--limit', '1')).out).toBe('i1\t{"n":1}\n');
    expect((await run('items', 'held', '--id', 'i4', '--id', 'i1')).out).toBe('i1\t{"n":1}\ni4\t{"n":4}\n');
    expect(objects((await run('items', 'held', '--last', '1', '--json')).out)).toMatchObject([{ topic: 'held', kind: 'item', id: 'i4', value: { n: 4 }, seq: seqs[3] }]);
  });

  it('and retract and purge take them back', async () => {
    expect(await run('retract', 'held', 'i2')).toEqual(done('i2 is taken back from held\n'));
    expect((await run('items', 'held')).out).toBe('i1\t{"n":1}\ni3\t{"n":3}\ni4\t{"n":4}\n');
    expect(await run('purge', 'held')).toEqual(done('held is empty\n'));
    expect(await run('items', 'held')).toEqual(done(''));
  });

  it('of a media type that is said come as they were given', async () => {
    expect((await run('publish', 'typed', '21', '--content-type', 'text/plain', '--id', 'a')).out).toBe('a\n');
    expect((await run('publish', 'typed', '<a xmlns="urn:a"/>', '--content-type', 'application/atom+xml')).code).toBe(0);
    expect(await run('publish', 'typed', '<a>', '--content-type', 'application/xml')).toMatchObject({ code: 1, err: expect.stringContaining('Not one well-formed XML element') });
    expect(await box.items('typed')).toMatchObject([{ value: '21', contentType: 'text/plain', id: 'a' }, { value: "<a xmlns='urn:a'/>", contentType: 'application/atom+xml' }]);
  });
});

describe('lanpost subscriptions', () => {
  it('lists durable readers, and forgets one', async () => {
    expect(await run('subscriptions', 'list')).toEqual(done(''));
    await box.publish('held', 'first');
    const reader = box.subscribe('held', { durable: 'archive', from: 'start' });
    await reader.ready;
    await reader.close();
    expect((await run('subscriptions', 'list')).out).toMatch(/^archive\theld\tlocal\t-\t\d+\t[\d.]+ (?:Ki)?B\t\d+ s\t-\t\d+\t-\tsince \S+ \S+\t-\n$/);
    expect((await run('subscribe', 'held', '--durable', 'archive', '--max-backlog', '5', '--max-backlog', '64KiB', '--max-backlog', '2h', '--count', '1')).code).toBe(0);
    expect(await box.subscriptions.list()).toMatchObject([{ maxBacklog: { records: 5, bytes: 65_536, age: 7_200_000 } }]);
    expect((await run('subscriptions', 'list')).out).toContain('\t5, 64KiB, 2h\t');
    expect(await run('subscribe', 'held', '--durable', 'archive', '--max-backlog', 'none', '--max-backlog', '5')).toMatchObject({ code: 2, err: expect.stringContaining('none stands alone') });
    expect(await run('subscribe', 'held', '--durable', 'archive', '--max-backlog', 'much')).toMatchObject({ code: 2, err: expect.stringContaining('--max-backlog takes a span') });
    await box.publish('held', 'last');
    await run('subscribe', 'held', '--durable', 'archive', '--max-backlog', 'none', '--count', '1');
    expect((await box.subscriptions.list())[0]).not.toHaveProperty('maxBacklog');
    expect(await run('subscriptions', 'drop', 'archive')).toEqual(done('archive is forgotten; should it come back, it begins anew\n'));
    expect(await box.subscriptions.list()).toEqual([]);
  });

  it('sends one elsewhere, and lists, retries and drops what it could not take', async () => {
    for (const value of [1, 2]) await box.publish('work', value);
    const options = { durable: 'worker', from: 'start', ack: 'manual', maxDeliveries: 1 } as const;
    const read = async (count: number, confirm: boolean): Promise<unknown[]> => {
      await using reader = box.subscribe('work', options);
      const found: unknown[] = [];
      while (found.length < count) {
        const { value: item } = await reader.next();
        if (item?.kind !== 'item') throw new Error('something else came');
        found.push(item.value);
        if (confirm) item.ack();
      }
      return found;
    };
    await read(2, false);
    await box.publish('work', 3);
    expect(await read(1, true)).toEqual([3]);
    const listed = (await run('poison', 'list', 'worker')).out.split('\n');
    expect(listed[0]).toMatch(/^\d+\t\S+ \S+\t1\twork\thanded out once and never confirmed\t1$/);
    expect(listed).toHaveLength(3);
    expect((await run('poison', 'list')).out.split('\n')[0]).toBe(`worker\t${listed[0]}`);
    const position = listed[0]?.split('\t')[0] ?? '';
    expect(await run('poison', 'retry', 'worker', position)).toEqual(done('1 item goes to worker once more\n'));
    expect(await read(1, true)).toEqual([1]);
    expect(await run('poison', 'drop', 'worker')).toEqual(done('1 item is given up; worker will not get it\n'));
    expect(await run('poison', 'list', 'worker')).toEqual(done(''));
    expect(await run('poison', 'drop', 'worker', 'all')).toMatchObject({ code: 2, err: expect.stringContaining('POSITION is a number') });
    expect(await run('poison', 'list', 'nobody')).toMatchObject({ code: 1, err: expect.stringContaining('no durable subscription "nobody"') });
    expect(await run('subscriptions', 'seek', 'worker', 'start')).toEqual(done('worker goes on from start\n'));
    expect(await read(3, true)).toEqual([1, 2, 3]);
    expect(await run('subscriptions', 'seek', 'worker', 'yesterday')).toMatchObject({ code: 2, err: expect.stringContaining('WHERE is new') });
    await box.subscriptions.drop('worker');
  });
});
