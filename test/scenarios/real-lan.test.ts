import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Message, Peer, PeerEvent } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { type Purple, startPurple } from '../support/purple.ts';

/** What everybody must see of everybody, in milliseconds. */
const SOON = 3000;
const TRICKY = 'grüße 👋 <b>&amp; "quoted" \'s</b> ]]> \u2028 end';

/** Peer events as they come, to be waited for; times are of arrival. */
class Watch {
  readonly seen: { event: PeerEvent; at: number }[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(box: Box, signal: AbortSignal) {
    void (async () => {
      for await (const event of box.peers.watch({ signal })) {
        this.seen.push({ event, at: performance.now() });
        for (const look of this.#waiting) look();
      }
    })().catch(() => { /* the box has gone: who waits times out */ });
  }

  /** Resolves with when it was seen; `within` milliseconds from now. */
  async sees(type: PeerEvent['type'], fits: (peer: Peer) => boolean, within: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.seen.find(({ event }) => event.type === type && fits(event.peer));
        if (!found) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(found.at);
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`no "${type}" that fits ${fits.toString()} within ${within} ms; seen: ${JSON.stringify(this.seen.map(({ event }) => [event.type, event.peer.name, event.peer.status, event.peer.statusText]))}`));
      }, within);
      this.#waiting.add(look);
      look();
    });
  }
}

async function nextMessage(box: Box, within = 30_000): Promise<Message> {
  const stream = box.messages({ name: 'test', signal: AbortSignal.timeout(within) });
  for await (const message of stream) {
    message.ack();
    await stream.close();
    return message;
  }
  throw new Error('the messages ended');
}

const named = (name: string) => (peer: Peer): boolean => peer.name === name;
/** What a person sees of the markup that libpurple shows. */
const shown = (markup = ''): string => markup.replaceAll(/<[^>]*>/g, '')
  .replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&apos;', "'").replaceAll('&#39;', "'").replaceAll('&amp;', '&');

describe.skipIf(!needs('root', 'avahi-daemon', 'libpurple'))('boxes A and B and libpurple on a real LAN', () => {
  const dirs: string[] = [];
  const folder = (): string => {
    const dir = mkdtempSync(join(tmpdir(), 'lanpost-lan-box-'));
    dirs.push(dir);
    return dir;
  };
  const stop = new AbortController();
  let lan: Lan;
  let a: BoxProcess, b: BoxProcess, alice: Purple;
  let boxA: Box, boxB: Box, watchA: Watch, watchB: Watch;
  let took: Record<string, number>;

  beforeAll(async () => {
    lan = await createLan(3);
    await lan.avahi(3);
    const begin = performance.now();
    [a, b, alice] = await Promise.all([
      startBox({ dir: folder(), name: 'A', lan, host: 1 }),
      startBox({ dir: folder(), name: 'B', lan, host: 2 }),
      startPurple(lan, 3, 'alice'),
    ]);
    [boxA, boxB] = await Promise.all([a.attach(), b.attach()]);
    const started = performance.now();
    watchA = new Watch(boxA, stop.signal);
    watchB = new Watch(boxB, stop.signal);
    const sighted = (name: string): Promise<number> => alice.event({ event: 'online', buddy: name }, { timeout: SOON }).then(() => performance.now());
    const [aSeesB, aSeesAlice, bSeesA, bSeesAlice, aliceSeesA, aliceSeesB] = await Promise.all([
      watchA.sees('up', named('B@h2'), SOON), watchA.sees('up', named('alice@h3'), SOON),
      watchB.sees('up', named('A@h1'), SOON), watchB.sees('up', named('alice@h3'), SOON), sighted('A@h1'), sighted('B@h2'),
    ]);
    took = Object.fromEntries(Object.entries({ aSeesB, aSeesAlice, bSeesA, bSeesAlice, aliceSeesA, aliceSeesB }).map(([who, at]) => [who, Math.round(at - started)]));
    console.info(`seen after start (ms; the starts took ${Math.round(started - begin)}): ${JSON.stringify(took)}`);
  });
  afterAll(async () => {
    stop.abort();
    await Promise.all([boxA?.close(), boxB?.close()]);
    await lan?.down();
    for (const dir of dirs) rmSync(dir, { recursive: true, force: true });
  });

  it('each discovers the others within 3 s of its start', () => {
    for (const ms of Object.values(took)) expect(ms).toBeLessThanOrEqual(SOON);
  });

  it('sees who is a box and what status they have', async () => {
    const peers = await boxA.peers.list();
    expect(new Set(peers.map((peer) => `${peer.name} ${peer.address} ${peer.box} ${peer.status}`))).toEqual(new Set([
      'B@h2 link:B@h2 true available', 'alice@h3 link:alice@h3 false available',
    ]));
  });

  it('status changes arrive, from libpurple and at libpurple', async () => {
    alice.command('status away gone for lunch');
    await watchA.sees('changed', (peer) => peer.name === 'alice@h3' && peer.statusText === 'gone for lunch' && peer.status !== 'available', 20_000);
    const after = alice.events.length;
    await boxA.setStatus('dnd', 'measuring');
    const seen = await alice.event({ event: 'status', buddy: 'A@h1', message: 'measuring' }, { after, timeout: 20_000 });
    expect(seen.status).toBe('away'); // libpurple's word for dnd
    await watchB.sees('changed', (peer) => peer.name === 'A@h1' && peer.statusText === 'measuring' && peer.status === 'dnd', 20_000);
    await boxA.setStatus('available');
    alice.command('status available');
  });

  it('A writes to alice and alice to A', async () => {
    const after = alice.events.length;
    const receipt = await boxA.send('link:alice@h3', TRICKY);
    await receipt.handed;
    const im = await alice.event({ event: 'im', buddy: 'A@h1' }, { after });
    expect(shown(im.text)).toBe(TRICKY);

    alice.send('A@h1', 'grüße 👋 &lt;b&gt; &amp; "quoted"');
    expect(await nextMessage(boxA)).toMatchObject({ from: 'link:alice@h3', body: 'grüße 👋 <b> & "quoted"', trust: 'none' });
  });

  it('A and B write to each other and know that it was delivered', async () => {
    await (await boxA.send('link:B@h2', TRICKY)).delivered;
    expect(await nextMessage(boxB)).toMatchObject({ from: 'link:A@h1', body: TRICKY });
    await (await boxB.send('link:A@h1', `re: ${TRICKY}`)).delivered;
    expect(await nextMessage(boxA)).toMatchObject({ from: 'link:B@h2', body: `re: ${TRICKY}` });
  });

  it('bodies of 100 kB are intact, to and from both', async () => {
    const body = `${'grüße 👋 an alle & <b>jeden</b> €'.repeat(300)}${'plain text '.repeat(8100)}<end>`;
    expect(Buffer.byteLength(body)).toBeGreaterThanOrEqual(100_000);
    await (await boxA.send('link:B@h2', body)).delivered;
    expect((await nextMessage(boxB)).body).toBe(body);

    const after = alice.events.length;
    await boxA.send('link:alice@h3', body);
    expect(shown((await alice.event({ event: 'im', buddy: 'A@h1' }, { after })).text)).toBe(body);
    alice.send('A@h1', 'x'.repeat(100_000));
    expect((await nextMessage(boxA)).body).toBe('x'.repeat(100_000));
  });

  it('the command line lists the peers, sends and shows', async () => {
    const lines = await a.cli('peers');
    expect(new Set(lines.map((line) => line['name']))).toEqual(new Set(['B@h2', 'alice@h3']));
    await a.cli('send', 'link:B@h2', 'from the command line', '--wait', 'delivered');
    const messages = b.run('messages', '--name', 'cli');
    await messages.line((line) => line['body'] === 'from the command line');
    await messages.stop();
  });

  it('a clean stop is seen within 3 s', async () => {
    const after = alice.events.length;
    const begin = performance.now();
    await boxB.close();
    expect(await b.stop()).toBe(0);
    const stopped = performance.now();
    await Promise.all([
      watchA.sees('down', named('B@h2'), SOON), alice.event({ event: 'removed', buddy: 'B@h2' }, { after, timeout: SOON }),
    ]);
    console.info(`leaving: the stop took ${Math.round(stopped - begin)} ms, seen ${Math.round(performance.now() - stopped)} ms later`);
    await alice.quit();
    await watchA.sees('down', named('alice@h3'), SOON);
  });
});

describe.skipIf(!needs('root'))('two hosts of one name', () => {
  const dirs: string[] = [];
  afterEach(() => { for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true }); });

  it('one of them is called -1, both are seen under the names they have, and it keeps its name over a restart, alone too', async () => {
    const lan = await createLan(2, { names: ['twin', 'twin'] });
    try {
      const boxes: BoxProcess[] = [];
      const places = [1, 2].map((host) => ({ host, dir: mkdtempSync(join(tmpdir(), 'lanpost-lan-box-')) }));
      dirs.push(...places.map(({ dir }) => dir));
      for (const place of places) boxes.push(await startBox({ ...place, name: 'A', lan }));
      const apis = await Promise.all(boxes.map((box) => box.attach()));
      // The second has met the first by the time that each sees the other.
      const names = await Promise.all(apis.map(async (api) => {
        for await (const { peer, type } of api.peers.watch({ signal: AbortSignal.timeout(10_000) })) if (type !== 'down') return peer.name;
        return undefined;
      }));
      const own = await Promise.all(apis.map(async (api) => (await api.status()).name));
      expect(own).toContain('A@twin');
      expect(own.filter((name) => name.includes('-1'))).toHaveLength(1);
      expect(new Set(names)).toEqual(new Set(own));
      await Promise.all(apis.map((api) => api.close()));

      // Nobody has the other name by now; still it is not another box to those who knew it.
      for (const box of boxes) await box.stop();
      const renamed = own.find((name) => name.includes('-1'));
      const place = places[own.indexOf(String(renamed))] ?? { host: 0, dir: '' };
      for (const end of ['stop', 'kill'] as const) {
        const again = await startBox({ ...place, name: 'A', lan });
        const api = await again.attach();
        expect((await api.status()).name).toBe(renamed);
        await expect.poll(async () => (await api.status()).link.state).toBe('up');
        expect((await api.status()).name).toBe(renamed);
        await api.close();
        await again[end]();
      }
    } finally {
      await lan.down();
    }
  });
});
