import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { HomeOptions, HomeStatus, Trouble } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { createHomes, type Homes } from '../../src/home/homes.ts';
import { ResumeUnanswered } from '../../src/home/loss.ts';
import { negotiate, type Negotiated, type NegotiateOptions } from '../../src/home/negotiate.ts';
import { parseProxy } from '../../src/home/proxy.ts';
import { openLog, type Log } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { parseJid } from '../../src/xmpp/jid.ts';
import { Bell } from '../support/bell.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { startProxy } from '../support/proxy.ts';
import { openReader } from './reader.ts';

interface TestBox extends AsyncDisposable { readonly homes: Homes; readonly log: Log; readonly troubles: Trouble[]; until(fits: (status: HomeStatus | undefined) => boolean): Promise<void>; publish(topic: string, count: number): Promise<void> }

async function box(): Promise<TestBox> {
  const bell = new Bell();
  const clock = bell.heard(createSystemClock());
  const troubles: Trouble[] = [];
  const trouble = (one: Trouble): void => {
    troubles.push(one);
    bell.ring();
  };
  const log = await openLog({ database: new MemoryDatabase(), clock, boxId: 'aaaabbbbccccdddd', trouble });
  // Of what was on its way when a session is taken up again ejabberd loses answers at times: then it is looked what is there.
  const homes = createHomes({ log, clock, trouble, boxId: log.boxId, opened: bell.ring, limits: { settle: 300, overdue: 5_000 }, random: () => 0 });
  return {
    homes, log, troubles,
    until: (fits) => bell.until(async () => fits((await homes.list())[0])),
    publish: async (topic, count) => { await Promise.all(Array.from({ length: count }, (_, i) => log.append({ topic, kind: 'publish', payload: toPayload(`${i} ü`) }))); },
    async [Symbol.asyncDispose]() {
      await homes.close();
      await log.close();
    },
  };
}

describe.each((['prosody', 'ejabberd'] as const).filter((kind) => needs(kind)))('a home on %s', (kind) => {
  let server: HomeServer;
  beforeAll(async () => {
    server = await createHomeServer(kind);
    await server.start();
  });
  afterAll(() => server.down());
  let round = 0;
  afterEach(() => { round++; });

  const account = (): HomeOptions => ({ ...server.account('edge1'), ca: readFileSync(server.ca, 'utf8'), topics: ['#'] });
  /** Everything that a home's client may want to reach, by the names it would have in the world. */
  const book = (): Record<string, number> => ({
    [`${server.domain}:5222`]: server.port, [`${server.domain}:5223`]: server.port + 1, [`${server.domain}:443`]: server.web.port,
    [`${server.domain}:${server.web.port}`]: server.web.port,
  });

  it.each([
    ['starttls', {}], ['tls', {}], ['websocket', { url: () => server.web.websocket }], ['bosh', { url: () => server.web.bosh }],
  ] as const)('is carried to by %s, and after a cut it is called again and gets the rest, all through the proxy', async (transport, how) => {
    await using proxy = await startProxy({ kind: round % 2 === 0 ? 'http' : 'socks5', book: book(), user: 'me', password: 'p@ss:w' });
    await using rig = await box();
    const topic = `t/${transport}`;
    await rig.homes.add({ ...account(), transport, proxy: proxy.url, ...('url' in how ? { url: how.url() } : {}) });
    await rig.until((status) => status?.state === 'online');
    const [status] = await rig.homes.list();
    expect(status?.over).toMatch(new RegExp(`^${transport} `));
    await rig.publish(topic, 50);
    await rig.until((now) => now?.queued === 0);
    proxy.cut();
    await rig.publish(topic, 50);
    await rig.until((now) => now?.queued === 0);
    await using reader = await openReader(server);
    const items = await reader.items(topic);
    expect(items.length).toBe(100);
    expect(proxy.asked.length).toBeGreaterThan(1);
    expect(new Set(proxy.asked.map((to) => to.split(':')[0]))).toEqual(new Set([server.domain]));
    expect(Buffer.concat(proxy.carried).includes('edge1')).toBe(false);
    expect(rig.troubles).toEqual([]);
  });

  it.each(['starttls', 'tls', 'websocket', 'bosh'] as const)('a session over %s that was cut is resumed by the server', async (transport) => {
    const address = parseJid(server.account('edge1').jid);
    if (!address) throw new Error('no address');
    await using proxy = await startProxy({ kind: 'socks5', book: book() });
    const where: Partial<NegotiateOptions> = { proxy: parseProxy(proxy.url), ...(transport === 'websocket' || transport === 'bosh' ? { url: server.web[transport] } : {}) };
    const login = (more: Partial<NegotiateOptions>): Promise<Negotiated> => negotiate({
      jid: address, password: server.account('edge1').password, resource: `r-${transport}`, transport, ...where, ca: readFileSync(server.ca, 'utf8'),
      clock: createSystemClock(), deadline: 10_000, stanzaBytes: 1 << 20, onClose: () => undefined, signal: new AbortController().signal, ...more,
    });
    const first = await login({});
    expect(first.bound).toBe(`${server.account('edge1').jid}/r-${transport}`);
    const id = first.sm?.id ?? '';
    expect(id).not.toBe('');
    // What was taken of these is the bound one, where there is TLS of its own to bind to.
    expect(first.known.mechanisms.includes('SCRAM-SHA-1-PLUS')).toBe(kind === 'ejabberd' && where.url === undefined);
    first.socket.destroy();
    // Prosody 0.12 says so too, and then fails over BOSH: the next session is another.
    const fails = kind === 'prosody' && transport === 'bosh';
    const outcomes: unknown[] = [];
    // Once with waiting for each offer, once without: the server takes both.
    for (const known of fails ? [undefined] : [undefined, first.known]) {
      try {
        const again = await login({ resume: { id, h: 0 }, known });
        outcomes.push(again.resumed);
        again.socket.destroy();
      } catch (error) {
        outcomes.push(error instanceof ResumeUnanswered ? 'unanswered' : error);
      }
    }
    expect(outcomes).toEqual(fails ? ['unanswered'] : [0, 0]);
    const fresh = await login({ known: first.known, resource: `s-${transport}` });
    expect(fresh.bound).toBe(`${server.account('edge1').jid}/s-${transport}`);
    expect(fresh.sm?.id).toBeDefined();
    await fresh.socket.close();
  });
});

describe.skipIf(!needs('ejabberd'))('a network that lets only HTTPS out', () => {
  let server: HomeServer;
  beforeAll(async () => {
    server = await createHomeServer('ejabberd', { env: { FAIL2BAN: 'mod_fail2ban: {c2s_max_auth_failures: 1}' } });
    await server.start();
  });
  afterAll(() => server.down());

  it('is no wall: the domain\'s host-meta names the WebSocket service, which is tried first the next time', async () => {
    await using proxy = await startProxy({ kind: 'http', book: { [`${server.domain}:443`]: server.web.port, [`${server.domain}:${server.web.port}`]: server.web.port } });
    await using rig = await box();
    await rig.homes.add({ ...server.account('edge1'), ca: readFileSync(server.ca, 'utf8'), topics: ['#'], proxy: proxy.url });
    await rig.until((status) => status?.state === 'online');
    expect((await rig.homes.list())[0]?.over).toBe(`websocket ${server.web.websocket}`);
    const [meta, service] = [`${server.domain}:443`, `${server.domain}:${server.web.port}`];
    expect(proxy.asked).toEqual([`${server.domain}:5223`, `${server.domain}:5222`, meta, service]);
    proxy.cut();
    await rig.publish('walled', 3);
    await rig.until((status) => status?.queued === 0);
    expect(proxy.asked.slice(4)).toEqual([meta, service]);
  });

  // Last: from here on the server speaks with nobody from this address.
  it('a ban of mod_fail2ban is known for one: it is said, and waited out for an hour', async () => {
    await using rig = await box();
    const account = { ...server.account('edge2'), host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8') };
    await rig.homes.add({ ...account, password: 'wrong' });
    await rig.until((status) => status?.state === 'refused');
    await rig.homes.add({ ...account, password: 'wrong too' });
    await rig.until((status) => status?.state === 'refused');
    await rig.homes.add(account);
    await rig.until((status) => status?.state === 'refused');
    const [status] = await rig.homes.list();
    expect(status?.reason).toMatch(/policy-violation/);
    expect((status?.nextAttempt ?? 0) - Date.now()).toBeGreaterThan(3_500_000);
    expect(rig.troubles.at(-1)?.kind).toBe('home.banned');
  });
});
