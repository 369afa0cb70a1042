import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BoxProcess, startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';

/** A publisher that is killed and comes back under another name: whoever reads there has nothing but its key to know it by. */
describe.runIf(needs('root'))('a box that is killed and renamed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-renamed-'));
  let lan: Lan;
  let a: BoxProcess, b: BoxProcess;

  beforeAll(async () => {
    lan = await createLan(3);
    [a, b] = await Promise.all([1, 2].map((host) => startBox({ dir: join(dir, `${host}`), name: host === 1 ? 'A' : 'B', lan, host }))) as [BoxProcess, BoxProcess];
  });

  afterAll(async () => {
    await Promise.all([a?.stop(), b?.stop()]);
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  test('its readers go on with what it publishes under its new name, and say of whom they read', async () => {
    await using api = await b.attach();
    await using publisher = await a.attach();
    await publisher.trust.allow((await api.status()).fingerprint, 'read', '#');
    for await (const { type, peer } of api.peers.watch({ signal: AbortSignal.timeout(10_000) })) if (type !== 'down' && peer.name === 'A@h1') break;
    await using reader = api.subscribe('load/#', { durable: 'program', at: 'link:A@h1', from: 'start', signal: AbortSignal.timeout(55_000) });
    await reader.ready;
    await publisher.publish('load/x', 1);
    expect((await reader.next()).value).toMatchObject({ value: 1 });

    // At another address, too: nothing that is remembered of it leads there.
    await a.kill();
    a = await startBox({ dir: join(dir, '1'), name: 'Anew', lan, host: 3 });
    await using again = await a.attach();
    expect((await again.status()).name).toBe('Anew@h3');
    await again.publish('load/x', 2);
    const begin = performance.now();
    expect((await reader.next()).value).toMatchObject({ value: 2 });
    console.info(`read on ${Math.round(performance.now() - begin)} ms after it was published under the new name`);
    expect((await api.subscriptions.list()).filter(({ source }) => source)).toMatchObject([{ source: { peer: 'Anew@h3', fingerprint: (await again.status()).fingerprint, askedAs: 'A@h1' } }]);
  });
});
