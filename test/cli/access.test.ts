import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { attachBox, type Box, createBox } from '../../src/index.ts';
import { lanpost, type Ran } from './lanpost.ts';

let dir: string;
let box: Box;
const run = (...args: string[]): Promise<Ran> => lanpost([...args, '--dir', dir]);
const KEY = 'ab'.repeat(32);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lanpost-access-'));
  box = await createBox({ dir, link: false, name: 'shed' });
  await box.topics.create('alarms', { accessModel: 'authorize' });
});
afterAll(async () => {
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

describe('lanpost access', () => {
  it('says who stands how to a topic, and takes it back', async () => {
    expect(await run('access', 'set', 'alarms', KEY, 'publisher')).toEqual({ code: 0, err: '', out: `${KEY}\tpublisher\t${KEY}\n` });
    expect((await run('access', 'set', 'alarms', 'xmpp:romeo@example.org', 'member')).out).toContain('xmpp:romeo@example.org\tmember\t-\n');
    expect((await run('access', 'set', 'alarms', KEY, 'none')).out).not.toContain(KEY);
    expect((await run('access', 'list', 'alarms')).out).toBe('xmpp:romeo@example.org\tmember\t-\n');
  });

  it('refuses what is no affiliation, a class, and a topic that is not there', async () => {
    expect(await run('access', 'set', 'alarms', KEY, 'boss')).toMatchObject({ code: 2 });
    expect(await run('access', 'set', 'alarms', 'class:seen', 'member')).toMatchObject({ code: 1, err: expect.stringContaining('grants') });
    expect(await run('access', 'list', 'nothing')).toMatchObject({ code: 1 });
  });

  it('says who waits, and that nobody does', async () => {
    expect(await run('access', 'requests')).toMatchObject({ code: 0, out: '' });
    expect(await run('access', 'approve', 'alarms', KEY)).toMatchObject({ code: 1, err: expect.stringContaining('waits') });
    expect(await run('access', 'deny', 'alarms', KEY)).toMatchObject({ code: 1 });
  });

  it('is the same through the socket', async () => {
    await using attached = await attachBox({ dir });
    await attached.topics.setAffiliation('alarms', KEY, 'owner');
    expect(await attached.topics.affiliations('alarms')).toContainEqual({ peer: KEY, fingerprint: KEY, affiliation: 'owner' });
    expect(await attached.topics.requests()).toEqual([]);
    await expect(attached.topics.setAffiliation('alarms', KEY, 'boss' as never)).rejects.toThrow(TypeError);
  });
});
