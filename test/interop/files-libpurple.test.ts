// Files to Pidgin and from it, as XEP-0096 and XEP-0065 are spoken by libpurple's Bonjour.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, FileEvent } from '../../src/index.ts';
import { first, next, outcome } from '../link/files/file-events.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { eventually } from '../support/eventually.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { type Purple, startPurple } from '../support/purple.ts';

const NAMES = ['plain.bin', 'with spaces and ünïcödé 👋.txt', 'a&b<c>"d\'.bin'];

describe.skipIf(!needs('root', 'avahi-daemon', 'libpurple'))('files with libpurple', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-files-purple-'));
  const data = join(dir, 'box');
  let lan: Lan;
  let process: BoxProcess;
  let box: Box;
  let alice: Purple;

  beforeAll(async () => {
    lan = await createLan(2);
    await lan.avahi(2);
    [process, alice] = await Promise.all([startBox({ dir: data, name: 'A', lan, host: 1 }), startPurple(lan, 2, 'alice')]);
    box = await process.attach();
    await alice.event({ event: 'online', buddy: 'A@h1' });
    for await (const { peer } of box.peers.watch({ signal: AbortSignal.timeout(10_000) })) if (peer.name === alice.name) break;
  });
  const policy = async (command: 'accept' | 'decline'): Promise<void> => {
    const after = alice.events.length;
    alice.command(`files ${command}`);
    await alice.event({ event: command === 'accept' ? 'accepting' : 'declining' }, { after });
  };
  afterAll(async () => {
    await box?.close();
    await process?.stop();
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  const listening = async (): Promise<number> => (await lan.run(1, 'ss', ['-ltnH'])).trim().split('\n').length;
  const file = async (name: string, content: Uint8Array): Promise<string> => {
    const path = join(dir, name);
    await writeFile(path, content);
    return path;
  };
  /** What alice offers next is accepted. */
  const taken = async (): Promise<FileEvent> => outcome(box.files.accept((await first(box.files.offers({ signal: AbortSignal.timeout(20_000) }))).id));
  const rightly = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0; // not shown byte by byte

  describe('to it', () => {
    it.each([['text', Buffer.from('grüße\r\nan alle\n')], ['one byte', Buffer.of(0)], ['5 MB', randomBytes(5_000_000)]])('%s', async (_, content) => {
      for (const name of NAMES) {
        const after = alice.events.length;
        const sent = await outcome(box.files.send(alice.name, await file(name, content)));
        expect(sent).toMatchObject({ type: 'done', direction: 'out', peer: alice.name, size: content.length, sent: content.length, trust: 'none' });
        const received = await alice.event({ event: 'file-received', buddy: 'A@h1' }, { after });
        expect(rightly(await readFile(String(received['path'])), content)).toBe(true);
      }
      expect(await listening()).toBe(2); // the two doors for streams, none for files any more
    });

    it('what it declines is told', async () => {
      await policy('decline');
      expect(await outcome(box.files.send(alice.name, { name: 'x', data: randomBytes(10) }))).toMatchObject({ type: 'failed', code: 'forbidden' });
      await policy('accept');
    });

    it('what it ends in the middle is told', async () => {
      const path = await file('big.bin', Buffer.of(1));
      await truncate(path, 3_000_000_000);
      const after = alice.events.length;
      const sending = box.files.send(alice.name, path);
      await next(sending, 'progress');
      await alice.event({ event: 'file-started' }, { after });
      alice.command('cancel A@h1');
      expect(await outcome(sending)).toMatchObject({ type: 'failed', code: 'disconnected' });
      await alice.event({ event: 'file-cancelled' }, { after });
    });

    it('what is ended here in the middle, it hears', async () => {
      const path = join(dir, 'big.bin');
      const after = alice.events.length;
      const sending = box.files.send(alice.name, path);
      await next(sending, 'progress');
      await sending.return?.();
      expect(await alice.event({ event: 'file-cancelled', buddy: 'A@h1' }, { after })).toBeDefined();
    });

    it('an empty file is not sent: it would take its end for a broken transfer', async () => {
      await expect(outcome(box.files.send(alice.name, { name: 'empty', data: new Uint8Array() }))).rejects.toMatchObject({ code: 'unsupported' });
    });
  });

  describe('from it', () => {
    it.each([['text', Buffer.from('grüße\r\nan alle\n')], ['one byte', Buffer.of(0)], ['5 MB', randomBytes(5_000_000)]])('%s', async (what, content) => {
      for (const name of NAMES) {
        const path = await file(`${what} ${name}`, content);
        const after = alice.events.length;
        alice.command(`file A@h1 ${path}`);
        const received = await taken();
        expect(received).toMatchObject({ type: 'done', direction: 'in', peer: alice.name, size: content.length, sent: content.length });
        expect(received.path?.startsWith(join(data, 'files', 'alice@h2', what))).toBe(true);
        expect(rightly(await readFile(received.path ?? ''), content)).toBe(true);
        await alice.event({ event: 'file-sent' }, { after });
      }
    });

    it('an empty file', async () => {
      alice.command(`file A@h1 ${await file('empty', new Uint8Array())}`);
      const received = await taken();
      expect(received).toMatchObject({ type: 'done', size: 0 });
      expect((await stat(received.path ?? '')).size).toBe(0);
    });

    it('what is declined here, it hears', async () => {
      const after = alice.events.length;
      alice.command(`file A@h1 ${await file('unwanted', randomBytes(10))}`);
      const offer = await first(box.files.offers());
      expect(offer).toMatchObject({ peer: alice.name, trust: 'none', name: 'unwanted', size: 10 });
      await box.files.decline(offer.id);
      await alice.event({ event: 'file-cancelled' }, { after });
    });

    it('what either side ends in the middle leaves nothing behind, and the other hears', async () => {
      const path = await file('sixty', randomBytes(60_000_000));
      for (const ends of ['alice', 'box']) {
        const after = alice.events.length;
        alice.command(`file A@h1 ${path}`);
        const { id } = await first(box.files.offers());
        const events = box.files.accept(id);
        await next(events, 'accepted');
        await alice.event({ event: 'file-started' }, { after });
        if (ends === 'alice') alice.command('cancel A@h1');
        else await box.files.decline(id);
        expect(await outcome(events)).toMatchObject({ type: 'failed', code: ends === 'alice' ? 'disconnected' : 'closed' });
        await alice.event({ event: 'file-cancelled' }, { after });
      }
      expect((await readdir(join(data, 'files', 'alice@h2'))).filter((name) => name.startsWith('sixty'))).toEqual([]);
      await eventually(async () => (await readdir(join(data, 'files', '.incoming'))).length === 0);
    });

    it('messages go on meanwhile', async () => {
      alice.command(`file A@h1 ${join(dir, 'sixty')}`);
      const { id } = await first(box.files.offers());
      const events = outcome(box.files.accept(id));
      const after = alice.events.length;
      await (await box.send(`link:${alice.name}`, 'still here')).handed;
      await alice.event(({ event, text }) => event === 'im' && text?.includes('still here') === true, { after });
      expect(await events).toMatchObject({ type: 'done' });
    });
  });
});
