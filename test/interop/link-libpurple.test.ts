// What a chat with Pidgin depends on beyond the scenario of test/scenarios/real-lan.test.ts.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Peer } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { type Purple, startPurple } from '../support/purple.ts';

const ROUNDS = 20;

describe.skipIf(!needs('root', 'avahi-daemon', 'libpurple'))('streams with libpurple', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-link-purple-'));
  let lan: Lan;
  let process: BoxProcess;
  let box: Box;
  let alice: Purple;

  const start = async (): Promise<void> => {
    process = await startBox({ dir, name: 'Ünï.Cödé', lan, host: 1 });
    box = await process.attach();
  };
  const seen = async (fits: (peer: Peer) => boolean): Promise<void> => {
    for await (const { peer, type } of box.peers.watch({ signal: AbortSignal.timeout(10_000) })) {
      if (type !== 'down' && peer.name === alice.name && fits(peer)) return;
    }
  };
  const hears = async (text: string, after: number): Promise<string | undefined> =>
    (await alice.event(({ event, text: said }) => event === 'im' && said?.includes(text) === true, { after })).text;

  beforeAll(async () => {
    lan = await createLan(2);
    await lan.avahi(2);
    [, alice] = await Promise.all([start(), startPurple(lan, 2, 'alice')]);
    await Promise.all([seen(() => true), alice.event({ event: 'online', buddy: 'Ünï.Cödé@h1' })]);
  }, 60_000);
  afterAll(async () => {
    await box?.close();
    await process?.stop();
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  it('listens on the addresses of the link and nowhere else', async () => {
    const listening = (await lan.run(1, 'ss', ['-ltnH'])).trim().split('\n').map(line => line.split(/\s+/)[3] ?? '');
    expect(listening.toSorted()).toEqual([expect.stringMatching(/^10\.77\.0\.1:5298$/), expect.stringMatching(/^\[fe80::[^\]]*\]%eth0:5298$/)]);
  });

  it(`of first messages that cross, ${ROUNDS} times, none of ours is lost`, async () => {
    let theirs = 0;
    const messages = box.messages({ name: 'reader' });
    const counting = (async () => {
      for await (const message of messages) { theirs += 1; message.ack(); }
    })();
    for (let round = 0; round < ROUNDS; round += 1) {
      alice.command(`close ${box.name}`);
      await seen(peer => !peer.connected);
      const after = alice.events.length;
      // Who is a little earlier differs from round to round.
      if (round % 2 === 0) alice.send(box.name, `from alice ${round}`);
      await box.send(`link:${alice.name}`, `from the box ${round}.`);
      if (round % 2 === 1) alice.send(box.name, `from alice ${round}`);
      await hears(`from the box ${round}.`, after);
    }
    await messages.close();
    await counting;
    console.info(`crossing: ${ROUNDS} of ${ROUNDS} of ours arrived, ${theirs} of libpurple's (it drops its own call with the message in it)`);
    expect(alice.events.filter(({ event }) => event === 'im')).toHaveLength(ROUNDS);
  }, 120_000);

  it('after it closes the conversation, the next message opens another stream', async () => {
    alice.command(`close ${box.name}`);
    await seen(peer => !peer.connected);
    const after = alice.events.length;
    await (await box.send(`link:${alice.name}`, 'there again')).handed;
    expect(await hears('there again', after)).toBeDefined();
  }, 30_000);

  it('a box that is killed and comes back is talked to again', async () => {
    await box.close();
    await process.kill();
    await start();
    await seen(() => true);
    const after = alice.events.length;
    await (await box.send(`link:${alice.name}`, 'back <now>')).handed;
    expect(await hears('back', after)).toContain('back &lt;now&gt;');
    alice.send(box.name, 'welcome');
    for await (const message of box.messages({ name: 'reader', signal: AbortSignal.timeout(10_000) })) {
      expect(message).toMatchObject({ from: `link:${alice.name}`, trust: 'none' });
      // The kill took what the reader had confirmed last: that comes again, which is what it is promised.
      if (/^from alice \d+$/.test(message.body)) continue;
      expect(message.body).toBe('welcome');
      break;
    }
  }, 60_000);
});
