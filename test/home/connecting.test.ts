import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HomeOptions } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { createHomes } from '../../src/home/homes.ts';
import { openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { xml } from '../../src/xmpp/element.ts';
import { spkiPin } from '../../src/xmpp/tls.ts';
import { Bell } from '../support/bell.ts';
import { startProxy } from '../support/proxy.ts';
import { startFakeHome } from './fake-home.ts';
import { createRig } from './rig.ts';

const OTHER_PIN = `${'A'.repeat(43)}=`;

describe('the certificate', () => {
  it('of somebody else: refused, said so, nothing sent', async () => {
    await using rig = await createRig();
    let heard = 0;
    rig.home.set.wire = ({ name }) => { if (name !== 'starttls') heard++; };
    // The right name, but signed by whom nobody here knows: the system's authorities do not.
    const { ca: _ca, ...account } = rig.home.account;
    await rig.homes.add({ ...account, topics: ['#'] });
    await rig.publish('t', 1);
    await rig.state('refused');
    expect((await rig.status())?.reason).toBe("the server's certificate was not accepted: no authority signed it");
    expect(rig.troubles.map(({ kind, message }) => `${kind} ${message}`)).toEqual([expect.stringMatching(/^home\.config box@home\.test: the server's certificate was not accepted/)]);
    expect([heard, rig.home.logins, rig.home.stanzas]).toEqual([0, 0, []]);
  });

  it('of the right authority with another key than the pinned: refused, the key it showed is said, nothing sent', async () => {
    await using rig = await createRig();
    const shown = spkiPin(Buffer.from(rig.home.account.ca.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64'));
    await rig.add({ pin: [OTHER_PIN] });
    await rig.state('refused');
    expect((await rig.status())?.reason).toContain(shown);
    expect([rig.home.logins, rig.home.stanzas]).toEqual([0, []]);
    await rig.add({ pin: [OTHER_PIN, shown] });
    await rig.state('online');
    expect((await rig.status())?.over).toBe(`starttls 127.0.0.1:${rig.home.account.port}`);
  });
});

describe('PLAIN', () => {
  it('is used only where the owner says so, and there is nothing better', async () => {
    await using rig = await createRig();
    rig.home.set.mechanisms = ['PLAIN'];
    let said = '';
    rig.home.set.wire = (element) => { if (element.name === 'auth') said += `${String(element.attrs['mechanism'])} `; };
    await rig.add();
    await rig.state('refused');
    expect(said).toBe('');
    await rig.add({ plain: true });
    await rig.until(() => said !== '');
    await rig.state('refused');
    rig.home.set.mechanisms = ['PLAIN', 'SCRAM-SHA-256'];
    await rig.add({ plain: true });
    await rig.state('online');
    expect(said).toBe('PLAIN SCRAM-SHA-256 ');
  });
});

describe('a home that offers something else than before', () => {
  it('is not logged in to by what it offered then, other kinds of channel binding included', async () => {
    await using rig = await createRig();
    rig.home.set.resumable = false;
    await rig.add();
    await rig.state('online');
    rig.home.set.bindings = ['tls-exporter'];
    rig.home.cut();
    await rig.until(() => rig.home.sessions === 2);
    // The one that began too soon was given up, no refusal of the account.
    expect([rig.home.logins, rig.troubles]).toEqual([3, []]);
  });
});

describe('a home that logged the box in by SCRAM', () => {
  it('is not shown the password itself when it offers nothing else any more, over restarts too, until its owner adds it again', async () => {
    await using rig = await createRig();
    await rig.add({ plain: true });
    await rig.state('online');
    let shown = 0;
    rig.home.set.mechanisms = ['PLAIN'];
    rig.home.set.wire = (element) => { if (element.name === 'auth' && element.attrs['mechanism'] === 'PLAIN') shown++; };
    rig.home.cut();
    await rig.state('refused');
    // A program says it at each of its starts.
    await rig.restart({ accounts: [{ ...rig.home.account, service: 'pubsub.home.test', topics: ['#'], plain: true }] });
    await rig.homes.pause(rig.home.account.jid);
    await rig.homes.resume(rig.home.account.jid);
    await rig.state('refused');
    expect(shown).toBe(0);
    await rig.add({ plain: true });
    await rig.until(() => shown === 1);
  });
});

describe('over days', () => {
  /** A clock that stands still, moved on by whatever waits longest. */
  async function days(change: (home: Awaited<ReturnType<typeof startFakeHome>>) => Partial<HomeOptions>, hours: number): Promise<{ attempts: number; states: Set<string> }> {
    const bell = new Bell();
    const home = await startFakeHome(bell);
    const clock = createTestClock();
    const log = await openLog({ database: new MemoryDatabase(), clock, boxId: 'aaaabbbbccccdddd', trouble: bell.ring });
    const homes = createHomes({ log, clock: bell.heard(clock), trouble: bell.ring, boxId: log.boxId });
    const account = { ...home.account, ...change(home) };
    const status = async () => (await homes.list())[0];
    const end = clock.wall() + hours * 3_600_000;
    const states = new Set<string>();
    let attempts = 0;
    await homes.add(account);
    while (clock.wall() < end) {
      await bell.until(async () => ['waiting', 'refused', 'online'].includes((await status())?.state ?? ''));
      const now = await status();
      states.add(now?.state ?? '');
      attempts++;
      // It is told in whole milliseconds.
      clock.advance(Math.max(1, (now?.nextAttempt ?? end) - clock.wall() + 1));
      await bell.until(async () => (await status())?.nextAttempt !== now?.nextAttempt || clock.wall() >= end);
    }
    await homes.close();
    await log.close();
    await home.close();
    return { attempts, states };
  }

  it('a wrong password is tried fewer than 30 times a day, and the state says why', async () => {
    let logins = (): number => 0;
    const { states, attempts } = await days((home) => {
      logins = () => home.logins;
      return { password: 'wrong' };
    }, 24);
    expect([...states]).toEqual(['refused']);
    expect(attempts).toBeLessThan(30);
    expect(logins()).toBe(attempts);
    expect(attempts).toBeGreaterThan(15);
  });
});

it('a home that cannot be reached is told of in words: where, and what is the matter', async () => {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  await once(free, 'close');
  await using rig = await createRig();
  const { host: _host, port: _port, ...account } = rig.home.account;
  await rig.homes.add({ ...account, host: '127.0.0.1', port });
  await rig.state('waiting');
  expect((await rig.status())?.reason).toBe(`127.0.0.1:${port}: the call is refused: nothing listens there, or a firewall refuses`);
  await rig.homes.add({ ...account, proxy: `http://127.0.0.1:${port}` });
  await rig.until(async () => (await rig.status())?.reason?.startsWith('the proxy ') === true);
  expect((await rig.status())?.reason).toBe(`the proxy 127.0.0.1:${port}: the call is refused: nothing listens there, or a firewall refuses`);
});

describe('a proxy', () => {
  it.each(['http', 'socks5'] as const)('%s is asked with its credentials; when they are wrong, that is said without them', async (kind) => {
    await using rig = await createRig();
    const { host: _host, port, ...account } = rig.home.account;
    await using proxy = await startProxy({ kind, book: { 'home.test:5222': port }, user: 'me', password: 's3cret' });
    await rig.homes.add({ ...account, transport: 'starttls', proxy: proxy.url.replace('s3cret', 'wr0ng') });
    await rig.state('refused');
    const refused = await rig.status();
    expect(refused?.reason).toMatch(/credentials/);
    await rig.homes.add({ ...account, transport: 'starttls', proxy: proxy.url });
    await rig.state('online');
    // Its name was not looked up here: nobody but the proxy knows it.
    expect(proxy.asked).toEqual(['home.test:5222']);
    expect(JSON.stringify([refused, await rig.status(), rig.troubles])).not.toMatch(/wr0ng|s3cret/);
  });

  it('that says nothing is waited for, not for long', async () => {
    await using rig = await createRig({ limits: { connect: 100 } });
    await using proxy = await startProxy({ kind: 'http', book: {} });
    proxy.mute = true;
    const { host: _host, port: _port, ...account } = rig.home.account;
    await rig.homes.add({ ...account, transport: 'starttls', proxy: proxy.url });
    await rig.state('waiting');
    expect((await rig.status())?.reason).toMatch(/within/);
  });
});

describe('host-meta', () => {
  let files: { key: Buffer; cert: Buffer };
  beforeAll(() => {
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-meta-'));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=home.test', '-addext', 'subjectAltName=DNS:home.test', '-keyout', join(dir, 'key'), '-out', join(dir, 'cert')], { stdio: 'ignore' });
    files = { key: readFileSync(join(dir, 'key')), cert: readFileSync(join(dir, 'cert')) };
    rmSync(dir, { recursive: true });
  });
  const closers: (() => void)[] = [];
  afterAll(() => { for (const close of closers) close(); });

  it.each<[string, string, RegExp]>([
    ['is longer than its bound', 'x'.repeat(100_000), /more than 65536 bytes/], ['is no JSON', '{', /JSON/], ['names nothing', '{"links":[]}', /no WebSocket service/],
  ])('that %s leads nowhere, and that is said', async (_name, body, reason) => {
    const web = createHttps(files, (request, answer) => {
      if (request.url?.endsWith('.json') === true) answer.end(body);
      else answer.writeHead(404).end();
    }).listen(0, '127.0.0.1');
    await once(web, 'listening');
    closers.push(() => web.close());
    await using rig = await createRig();
    await using proxy = await startProxy({ kind: 'socks5', book: { 'home.test:443': (web.address() as AddressInfo).port } });
    const { jid, password } = rig.home.account;
    await rig.homes.add({ jid, password, ca: files.cert.toString(), transport: 'websocket', proxy: proxy.url });
    await rig.until(async () => (await rig.status())?.reason !== undefined);
    expect((await rig.status())?.reason).toMatch(reason);
    expect(proxy.asked).toEqual(['home.test:443', 'home.test:443']);
  });
});

describe('a way that leads nowhere', () => {
  it('does not keep the next from being tried, and what only the owner can mend is what is told', async () => {
    await using rig = await createRig();
    const mute = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    const { host: _host, port, ...account } = rig.home.account;
    // At 5223 somebody hangs up, at 5222 the server is.
    await using proxy = await startProxy({ kind: 'http', book: { 'home.test:5223': (mute.address() as AddressInfo).port, 'home.test:5222': port } });
    await rig.homes.add({ ...account, proxy: proxy.url });
    await rig.state('online');
    expect(proxy.asked).toEqual(['home.test:5223', 'home.test:5222']);
    expect((await rig.status())?.over).toBe('starttls home.test:5222');
    mute.close();
  });
});

describe('a session taken up again', () => {
  it('gets what waited for it, however many stanzas stand behind the server\'s answer', async () => {
    let came = 0;
    await using rig = await createRig({ receive: async () => { came++; return undefined; } });
    await rig.add();
    await rig.state('online');
    rig.home.cut();
    for (let i = 0; i < 900; i++) rig.home.say(xml('message', { type: 'chat', from: 'friend@home.test/x' }, xml('body', {}, String(i))));
    await rig.until(() => came === 900);
    expect([rig.home.sessions, rig.home.resumed]).toEqual([1, 1]);
  });
});
