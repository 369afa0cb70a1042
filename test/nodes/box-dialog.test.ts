import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { applyHomes, homeOptions } from '../../nodes/shared/home-accounts.ts';
import { createBox, type Box } from '../../src/index.ts';
import { useEmbeddingBox } from './embedding-box.ts';
import { useFlows } from './flow-kit.ts';

const { flows, dir, load } = useFlows();
const openBox = useEmbeddingBox(flows);
const opened: Box[] = [];
afterEach(async () => { for (const box of opened.splice(0)) await box.close(); });
const tab = { id: 'f', type: 'tab', label: 'test' };
const config = { id: 'box', type: 'lanpost box', mode: 'auto', dir: '', boxName: '', link: true };
const KEY = 'ab'.repeat(32);

interface Answer { readonly status: number; readonly body: Record<string, never> }
const at = (path: string): string => `/lanpost/boxes/box/${path}`;
const get = (path: string): Promise<Answer> => flows.request().get(at(path)) as Promise<Answer>;
const post = (path: string, body: object): Promise<Answer> => flows.request().post(path).send(body) as Promise<Answer>;

describe('the running box in its dialog', () => {
  it('says how it stands, with its homes, and nothing that is secret', async () => {
    const box = await openBox({ homes: [{ jid: 'me@home.invalid', password: 'hunter2', host: '127.0.0.1', port: 1 }] });
    await load([tab, config], { lanpost: { box } });
    const { status, body } = await get('status');
    expect(status).toBe(200);
    expect(body).toMatchObject({ name: 'me', fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/), link: { state: 'off' }, peers: 0, log: { state: 'open' }, homes: [{ jid: 'me@home.invalid' }] });
    expect(JSON.stringify(body)).not.toContain('hunter2');
  });

  it('is told whom to trust, and takes it back; what is wrong is said in words', async () => {
    const box = await openBox();
    await load([tab, config], { lanpost: { box } });
    expect((await post(at('trust'), { what: 'allow', peer: KEY, right: 'command', filter: 'pump/#' })).status).toBe(200);
    expect((await post(at('trust'), { what: 'deny', peer: 'class:plain', right: 'chat' })).status).toBe(200);
    expect((await get('trust')).body).toMatchObject({ entries: [{ fingerprint: KEY, grants: [{ right: 'command', filter: 'pump/#' }] }], accounts: [] });
    expect(await box.trust.classes()).toContainEqual({ name: 'class:plain', grants: [], denials: [{ right: 'chat' }] });
    for (const wrong of [{}, { peer: KEY, right: 'fly' }, { peer: KEY, right: 'read' }, { peer: { a: 1 }, right: 'chat' }]) {
      expect((await post(at('trust'), wrong))).toMatchObject({ status: 503, body: { reason: expect.any(String) } });
    }
    expect((await flows.request().delete(at(`trust/${KEY}`)) as Answer).status).toBe(200);
    expect((await get('trust')).body).toMatchObject({ entries: [{ grants: [] }] });
  });

  it('a box that runs elsewhere is tried before it is deployed', async () => {
    await load([tab]);
    expect(await post('/lanpost/test', { dir: 'elsewhere' })).toMatchObject({ status: 503, body: { reason: expect.stringContaining('no box is running') } });
    opened.push(await createBox({ dir: join(dir(), 'elsewhere'), link: false, name: 'there' }));
    expect(await post('/lanpost/test', { dir: 'elsewhere' })).toMatchObject({ status: 200, body: { name: 'there' } });
    expect(await post('/lanpost/test', {})).toMatchObject({ status: 400 });
  });
});

describe('home accounts', () => {
  beforeAll(() => { process.env['LANPOST_TEST_ACCOUNT'] = 'edge'; });
  afterAll(() => { delete process.env['LANPOST_TEST_ACCOUNT']; });
  const homes = [{ slot: 3, jid: '${LANPOST_TEST_ACCOUNT}@home.invalid', host: '127.0.0.1:1', topics: 'up/#, alarms' }];

  it('are added with the password of their slot, filled in from the flow', async () => {
    const box = await openBox();
    await load([tab, { ...config, homes }], { lanpost: { box } }, [], { box: { password3: 'secret' } });
    await expect.poll(async () => (await box.homes.list()).map(({ jid, topics }) => [jid, topics]), { timeout: 20_000 }).toEqual([['edge@home.invalid', ['alarms', 'up/#']]]);
  });

  it.each([[{}], ['x'], [null], [[null, 7, {}, { slot: '0', jid: 'a@home.invalid' }, { slot: 0, jid: 'a@home.invalid', host: 5 }]]])('that a flow has in another form, as %j, are said and harm nobody', async (saved) => {
    const box = await openBox();
    const said: string[] = [];
    await applyHomes(box, saved, { password0: 'x' }, { said: new Set(), failed: (words) => { said.push(words); }, signal: new AbortController().signal });
    expect(said).toHaveLength(Array.isArray(saved) ? saved.length : 0);
    expect(await box.homes.list()).toEqual([]);
  });

  it('of one without a password it is said, and the others are there', async () => {
    const box = await openBox();
    await load([tab, { ...config, homes: [{ slot: 0, jid: 'a@home.invalid' }, { slot: 1, jid: 'b@home.invalid', host: '127.0.0.1:1' }] }], { lanpost: { box } }, [], { box: { password1: 'secret' } });
    await expect.poll(async () => (await box.homes.list()).map(({ jid }) => jid), { timeout: 20_000 }).toEqual(['b@home.invalid']);
  });

  it.each([
    [{ host: 'a.example:5222' }, { host: 'a.example', port: 5222 }],
    [{ host: 'a.example' }, { host: 'a.example' }],
    [{ topics: ' a/# ,, b ' }, { topics: ['a/#', 'b'] }],
    [{ pin: 'aaa=, bbb=' }, { pin: ['aaa=', 'bbb='] }],
    [{ ca: '-----BEGIN CERTIFICATE-----' }, { ca: '-----BEGIN CERTIFICATE-----' }],
    [{}, {}],
  ])('%o are %o', async (saved, options) => {
    expect(await homeOptions({ slot: 2, jid: 'a@b.example', ...saved }, { password2: 'p' })).toEqual({ jid: 'a@b.example', password: 'p', ...options });
  });

  it('the file of an authority is read when it is deployed; one that is not there is told', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'lanpost-'));
    const ca = join(folder, 'ca.pem');
    await writeFile(ca, 'PEM');
    expect(await homeOptions({ slot: 2, jid: 'a@b.example', ca }, { password2: 'p' })).toMatchObject({ ca: 'PEM' });
    await expect(homeOptions({ slot: 2, jid: 'a@b.example', ca: `${ca}.not` }, { password2: 'p' })).rejects.toThrow('ca.pem.not');
    await rm(folder, { recursive: true });
  });
});
