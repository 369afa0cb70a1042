import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openFront, type Front } from '../../src/front/front.ts';
import { createBox, type Box } from '../../src/index.ts';
import { openStatusPage, type StatusPage } from '../../src/web/status-page.ts';

interface Answer { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: string }
interface News { readonly [section: string]: unknown }

let dir: string;
let box: Box;
let front: Front;
let page: StatusPage;
let authorization: string;
const open: (() => void)[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lanpost-page-'));
  box = await createBox({ dir, link: false, control: false });
  front = await openFront({ dir, port: 0 });
  page = openStatusPage({ box, front, limits: { watchers: 2, look: 20 } });
  authorization = `Bearer ${new URL(page.url).searchParams.get('token')}`;
});
afterEach(async () => {
  for (const close of open.splice(0)) close();
  page.close();
  await front.close();
  await box.close();
  await rm(dir, { recursive: true, force: true });
});

const origin = (): string => `http://127.0.0.1:${front.port}`;

function call(method: string, path: string, headers: Record<string, string>, body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: front.port, path, method, headers: { authorization, ...headers }, agent: false }, resolve);
    asked.on('error', reject);
    asked.end(body);
    open.push(() => asked.destroy());
  });
}

async function ask(path: string, headers: Record<string, string> = {}, method = 'GET', body?: string): Promise<Answer> {
  const response = await call(method, path, headers, body);
  let text = '';
  for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  return { status: response.statusCode ?? 0, headers: response.headers, body: text };
}

const act = (what: string, given: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(`/status/${what}`, { origin: origin(), 'content-type': 'application/json', ...headers }, 'POST', JSON.stringify(given));

/** The stream of a page; `until` gives the newest of each section once they fit. */
async function follow(query = ''): Promise<{ status: number; until: (fits: (news: News) => boolean) => Promise<News> }> {
  const response = await call('GET', `/status/events${query}`, {});
  const news: Record<string, unknown> = {};
  let wake = (): void => undefined;
  let rest = '';
  response.setEncoding('utf8').on('data', (text: string) => {
    const events = (rest + text).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const [, name = '', data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? [];
      if (name !== '') news[name] = JSON.parse(data);
    }
    wake();
  });
  response.on('error', () => undefined);
  return {
    status: response.statusCode ?? 0,
    async until(fits) {
      while (!fits(news)) await new Promise<void>((resolve) => { wake = resolve; });
      return news;
    },
  };
}
const rowsOf = (section: unknown): Record<string, unknown>[] => (section as { rows?: Record<string, unknown>[] } | undefined)?.rows ?? [];

describe('the files of the status page', () => {
  it('are served with a policy that lets nothing in from elsewhere, and nothing inline', async () => {
    const { status, headers, body } = await ask('/status/', { accept: 'text/html' });
    expect(status).toBe(200);
    expect(headers['content-security-policy']).toBe("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'");
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cross-origin-resource-policy': 'same-origin' });
    expect(body).not.toMatch(/<script(?![^>]*src=")|<style|\son\w+=|style=|https?:/);
    for (const [, file] of body.matchAll(/(?:src|href)="([\w.-]+\.\w+)"/g)) expect((await ask(`/status/${file}`)).status).toBe(200);
    expect((await ask('/status/page.js')).headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect((await ask('/status/', { 'if-none-match': String(headers.etag) })).status).toBe(304);
  });

  it('make elements of no text: nothing there takes HTML', async () => {
    for (const file of ['dom', 'groups', 'homes', 'live', 'losses', 'notices', 'page', 'pairing', 'peers', 'readers', 'say', 'topics', 'words']) {
      expect((await ask(`/status/${file}.js`)).body).not.toMatch(/innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|new Function|https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
    }
  });

  it('speak the language that the browser prefers, else English', async () => {
    const words = async (language: string): Promise<{ language?: string; words?: Record<string, string> }> => JSON.parse((await ask('/status/words.json', { 'accept-language': language })).body) as object;
    expect(await words('de-DE,de;q=0.9,en;q=0.8')).toMatchObject({ language: 'de', words: { Peers: 'Peers', Losses: 'Verluste' } });
    for (const other of ['en-GB', 'fr', '*']) expect(await words(other)).toEqual({ language: 'en', words: {} });
    expect((await ask('/status/words.json')).headers['vary']).toContain('Accept-Language');
  });

  it('are these and no others', async () => {
    for (const path of ['/status/../package.json', '/status/%2e%2e/status-page.ts', '/status/page/index.html', '/status/tsconfig.json', '/status/locales/de.json', '/status/words.json%20de', '/status/constructor', '/status/__proto__']) expect((await ask(path)).status).toBe(404);
    expect(await ask('/status')).toMatchObject({ status: 308, headers: { location: '/status/' } });
    expect(await ask('/')).toMatchObject({ status: 302, headers: { location: '/status/' } });
    expect((await ask('/flows')).status).toBe(404);
    expect(await ask('/status/', {}, 'DELETE')).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });

  it('are for nobody without the key, by no other name, from no other page', async () => {
    for (const path of ['/status/', '/status/events', '/metrics']) {
      expect((await ask(path, { authorization: '' })).status).toBe(401);
      expect((await ask(path, { host: 'evil.example' })).status).toBe(403);
      expect((await ask(path, { origin: 'http://evil.example' })).status).toBe(403);
    }
  });
});

describe('the stream of news', () => {
  it('brings all sections, then what changes', async () => {
    await box.publish('sensors/attic', 21.5);
    const { until } = await follow();
    const news = await until((one) => one['topics'] !== undefined);
    expect(Object.keys(news).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['box', 'homes', 'losses', 'pairings', 'peers', 'subscriptions', 'topics', 'visitor']);
    expect(rowsOf(news['topics'])).toMatchObject([{ name: 'sensors/attic', last: { value: '21.5' } }]);
    await box.publish('sensors/attic', { now: true });
    await until((one) => JSON.stringify(one['topics']).includes('now'));
    await box.subscribe('#', { durable: 'archive' }).close();
    await until((one) => rowsOf(one['subscriptions']).length === 1);
    expect(JSON.stringify(news)).not.toContain('undefined');
  });

  it('brings of topics those that are looked for', async () => {
    await box.publish('a', 1);
    await box.publish('b', 1);
    const { until } = await follow('?topics=B');
    const news = await until((one) => one['topics'] !== undefined);
    expect(rowsOf(news['topics'])).toMatchObject([{ name: 'b' }]);
  });

  it('is for a bounded number of pages, and a page that is closed makes room', async () => {
    await follow();
    const second = await call('GET', '/status/events', {});
    expect((await follow()).status).toBe(503);
    second.destroy();
    let { status } = await follow();
    while (status === 503) ({ status } = await follow());
    expect(status).toBe(200);
  });

  it('says of a loss whose it is', async () => {
    await box.subscribe('orders', { durable: 'till' }).close();
    for (let n = 0; n < 4; n++) await box.publish('orders', n);
    // Given after that, the bound drops them in one turn.
    await box.subscribe('orders', { durable: 'till', maxBacklog: { records: 1 } }).close();
    const { until } = await follow();
    const news = await until((one) => rowsOf(one['losses']).length === 1);
    expect(rowsOf(news['losses'])).toMatchObject([{ reader: 'till', topic: 'orders', count: 3, reason: 'overflow' }]);
  });
});

describe('what a page may have done', () => {
  it('drops a reader', async () => {
    await box.subscribe('#', { durable: 'archive' }).close();
    expect(await act('drop', { name: 'archive' })).toMatchObject({ status: 200 });
    expect(await box.subscriptions.list()).toEqual([]);
    expect(await act('drop', { name: 'archive' })).toMatchObject({ status: 404, body: expect.stringContaining('archive') });
  });

  it('pauses a home and resumes it', async () => {
    await box.homes.add({ jid: 'me@home.invalid', password: 'secret', host: '127.0.0.1', port: 1 });
    expect(await act('pause', { home: 'me@home.invalid' })).toMatchObject({ status: 200 });
    expect(await box.homes.list()).toMatchObject([{ state: 'paused' }]);
    expect(await act('resume', { home: 'me@home.invalid' })).toMatchObject({ status: 200 });
    expect((await box.homes.list())[0]?.state).not.toBe('paused');
    expect(await act('pause', { home: 'nobody@home.invalid' })).toMatchObject({ status: 404 });
    expect(await act('pause', {})).toMatchObject({ status: 400 });
  });

  it('is done for no other page, no form, no link, and no body that is not as it has to be', async () => {
    await box.subscribe('#', { durable: 'archive' }).close();
    const drop = { name: 'archive' };
    expect((await act('drop', drop, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await act('drop', drop, { origin: 'null' })).status).toBe(403);
    expect((await ask('/status/drop', { 'content-type': 'application/json' }, 'POST', JSON.stringify(drop))).status).toBe(403);
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/jsonp']) expect((await act('drop', drop, { 'content-type': type })).status).toBe(415);
    expect(await ask('/status/drop?name=archive')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    for (const body of [null, 1, [], { name: 1 }, {}]) expect((await act('drop', body)).status).toBe(400);
    expect((await act('drop', { name: 'x'.repeat(5000) })).status).toBe(413);
    expect((await ask('/status/drop', { origin: origin(), 'content-type': 'application/json' }, 'POST', '{')).status).toBe(400);
    expect((await act('answer', { id: 'p1', words: 'ladder', same: true })).status).toBe(400);
    expect((await act('answer', { id: 'p1', words: ['ladder'], same: 'yes' })).status).toBe(400);
    expect((await act('answer', { id: 'p1', words: ['ladder'], same: true })).status).toBe(404);
    expect((await act('launch', {})).status).toBe(405);
    expect((await box.subscriptions.list()).map(({ name }) => name)).toEqual(['archive']);
  });

  it('tells every page of a pairing, and why it cannot be', async () => {
    const { until } = await follow();
    expect((await act('pair', { peer: 'nobody' })).status).toBe(200);
    const news = await until((one) => JSON.stringify(one['pairings']).includes('failed'));
    const [{ id = '', reason = '' } = {}] = news['pairings'] as { id?: string; reason?: string }[];
    expect(reason).not.toBe('');
    expect((await act('stop', { id })).status).toBe(200);
    await until((one) => JSON.stringify(one['pairings']) === '[]');
  });
});

describe('/metrics', () => {
  it('has the numbers of the box in the text format, for the key of that alone, too', async () => {
    await box.publish('a"b\\c', 1);
    await box.publish('a"b\\c', 2);
    await box.subscribe('#', { durable: 'archive', from: 'start' }).close();
    const metrics = `Bearer ${(await readFile(join(dir, 'web', 'metrics-token'), 'utf8')).trim()}`;
    const { status, headers, body } = await ask('/metrics', { authorization: metrics });
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(body).toContain('lanpost_topic_records_total{topic="a\\"b\\\\c"} 2\n');
    expect(body).toContain('lanpost_subscription_pending_records{subscription="archive",filter="#"} 2\n');
    expect(body).toMatch(/^lanpost_log_open 1$/m);
    for (const line of body.trimEnd().split('\n')) expect(line).toMatch(/^(?:# (?:HELP|TYPE) [a-z_]+ .+|[a-z_]+(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (?:\d+(?:\.\d+)?(?:e[+-]?\d+)?))$/);
    expect((await ask('/metrics', {}, 'POST')).status).toBe(405);
    expect((await ask('/status/', { authorization: metrics })).status).toBe(401);
  });

  it('counts what waits for a group once, wherever it is summed up', async () => {
    const member = { password: 'secret', host: '127.0.0.1', port: 1, topics: ['group/#'], group: 'plant' };
    await box.homes.add({ ...member, jid: 'one@home.invalid', rank: 0 });
    await box.homes.add({ ...member, jid: 'two@home.invalid', rank: 1 });
    try {
      await box.publish('group/a', 1);
      const homes = (await box.homes.list()).filter(({ group }) => group?.name === 'plant');
      expect(homes.map(({ queued }) => queued)).toEqual([1, 1]);
      const { readersOf } = await import(new URL('../../src/web/page/groups.js', import.meta.url).href) as { readersOf: (all: unknown[]) => { jid: string }[] };
      expect(readersOf(homes).map(({ jid }) => jid)).toEqual(['one@home.invalid']);
      expect(readersOf(homes.toReversed()).map(({ jid }) => jid)).toEqual(['one@home.invalid']);
      expect(readersOf(homes.map((home) => ({ ...home, group: { name: 'plant', rank: 0, active: false } }))).length).toBe(1);
      await expect.poll(async () => (await ask('/metrics')).body).toContain('lanpost_home_queued_records{home="one@home.invalid"} 1\n');
      const { body } = await ask('/metrics');
      expect(body).toContain('lanpost_home_poison_records{home="one@home.invalid"} 0\n');
      expect(body).toContain('lanpost_home_state{home="two@home.invalid",state=');
      expect(body).not.toMatch(/^lanpost_home_(?:queued_records|queued_bytes|oldest_age_seconds|poison_records|drains_seconds|room_seconds)\{home="two@/m);
    } finally {
      for (const { jid } of await box.homes.list()) if (jid.endsWith('@home.invalid') && jid !== 'me@home.invalid') await box.homes.remove(jid);
    }
  });
});
