// What a chat with Pidgin depends on beyond the scenario of test/scenarios/real-lan.test.ts.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Message, Peer } from '../../src/index.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { eventually } from '../support/eventually.ts';
import { needs } from '../support/needs.ts';
import { type Purple, startPurple } from '../support/purple.ts';

const ROUNDS = 50;
/** Conversations that are closed while we write. */
const FAREWELLS = 40;

describe.skipIf(!needs('root', 'avahi-daemon', 'libpurple', 'nftables'))('streams with libpurple', () => {
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

  /** What it has shown of ours that begins so, in order. */
  const arrived = (begin: string): string[] => alice.events.flatMap(({ event, text = '' }) => (event === 'im' && text.startsWith(begin) ? [text] : []));
  /** The next message of those that begin so. */
  const told = async (begin: string): Promise<Message> => {
    for await (const one of box.messages({ name: 'told', signal: AbortSignal.timeout(10_000) })) if (one.body.startsWith(begin)) return one;
    throw new Error('it ended');
  };

  /** How many connections the box has begun. */
  const calls = async (): Promise<number> => Number(/packets (\d+)/.exec(await lan.run(1, 'nft', ['list', 'table', 'inet', 'calls']))?.[1]);

  beforeAll(async () => {
    lan = await createLan(3);
    await lan.run(1, 'nft', ['add table inet calls; add chain inet calls out { type filter hook output priority 0; }; add rule inet calls out tcp flags & (syn | ack) == syn counter']);
    await Promise.all([lan.avahi(2), lan.avahi(3)]);
    [, alice] = await Promise.all([start(), startPurple(lan, 2, 'alice')]);
    await Promise.all([seen(() => true), alice.event({ event: 'online', buddy: 'Ünï.Cödé@h1' })]);
  });
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
      alice.close(box.name);
      await seen(peer => !peer.connected);
      const after = alice.events.length;
      const before = await calls();
      // It calls before it can have seen that it is called. Whether it was told to before that differs from round to round.
      alice.freeze();
      if (round % 2 === 0) alice.send(box.name, `from alice ${round}`);
      await box.send(`link:${alice.name}`, `from the box ${round}.`);
      await eventually(async () => await calls() > before, { every: 5 });
      if (round % 2 === 1) alice.send(box.name, `from alice ${round}`);
      alice.thaw();
      await hears(`from the box ${round}.`, after);
    }
    await messages.close();
    await counting;
    const shown = arrived('from the box');
    const ours = Array.from({ length: ROUNDS }, (_, round) => `from the box ${round}.`);
    const came = ours.filter(text => shown.includes(text));
    console.info(`crossing: ${came.length} of ${ROUNDS} of ours arrived, ${shown.length - came.length} shown twice; ${theirs} of libpurple's (it drops its own call with the message in it)`);
    // It has called as well: that is what it drops, and the message with it, when it is called.
    expect(theirs).toBeLessThan(ROUNDS / 5);
    expect(came).toEqual(ours);
    expect([...new Set(shown)]).toEqual(ours);
  });

  it(`of messages that cross its closing of the conversation, ${FAREWELLS} times, none is lost, nor overtaken by the next`, async () => {
    const sent: string[] = [];
    for (let round = 0; round < FAREWELLS; round += 1) {
      const [first, second] = [`farewell ${round}.a`, `farewell ${round}.b`];
      const after = alice.events.length;
      await box.send(`link:${alice.name}`, first);
      await hears(first, after);
      // The closer they are together, the more often they cross.
      if (round % 4 === 0) alice.close(box.name);
      const sending = box.send(`link:${alice.name}`, second);
      if (round % 4 === 1) alice.close(box.name);
      await sending;
      if (round % 4 >= 2) alice.close(box.name);
      await hears(second, after);
      sent.push(first, second);
    }
    const shown = arrived('farewell');
    console.info(`closing while we write: ${new Set(shown).size} of ${sent.length} arrived, ${shown.length - sent.length} shown twice`);
    expect(sent.filter(text => !shown.includes(text))).toEqual([]);
    expect([...new Set(shown)]).toEqual(sent);
  });

  it('markup is shown as it was written, and what it writes in markup is taken as text', async () => {
    const after = alice.events.length;
    await box.send(`link:${alice.name}`, '<b>bold?</b> &lt; "q"');
    expect(await hears('bold?', after)).toContain('&lt;b&gt;bold?&lt;/b&gt; &amp;lt;');
    alice.send(box.name, '<b>one</b> &amp; <i>two</i>');
    expect((await told('one')).body).toBe('one & two');
  });

  it('what XML cannot carry never reaches a stream, which would be deaf from then on', async () => {
    const receipt = await box.send(`link:${alice.name}`, 'a\u0000b');
    await expect(receipt.handed).rejects.toMatchObject({ name: 'LanpostError' });
    const after = alice.events.length;
    await box.send(`link:${alice.name}`, 'not deaf');
    expect(await hears('not deaf', after)).toBeDefined();
  });

  it('a name that it does not escape in its header is called, and calls', async () => {
    const odd = await startPurple(lan, 3, 'q"uo&te<d>');
    await Promise.all([
      odd.event({ event: 'online', buddy: box.name }),
      (async () => { for await (const { peer } of box.peers.watch({ signal: AbortSignal.timeout(10_000) })) if (peer.name === odd.name) return; })(),
    ]);
    await box.send(`link:${odd.name}`, 'hello odd');
    await odd.event(({ event, text }) => event === 'im' && text?.includes('hello odd') === true);
    odd.close(box.name);
    odd.send(box.name, 'odd indeed');
    expect((await told('odd indeed')).from).toBe(`link:${odd.name}`);
    await odd.quit();
  });

  it('after it closes the conversation, the next message opens another stream', async () => {
    alice.close(box.name);
    await seen(peer => !peer.connected);
    const after = alice.events.length;
    await (await box.send(`link:${alice.name}`, 'there again')).handed;
    expect(await hears('there again', after)).toBeDefined();
  });

  it('a box that is killed and comes back is talked to again', async () => {
    await box.close();
    await process.kill();
    await start();
    await seen(() => true);
    const after = alice.events.length;
    await (await box.send(`link:${alice.name}`, 'back <now>')).handed;
    expect(await hears('back', after)).toContain('back &lt;now&gt;');
    alice.send(box.name, 'welcome');
    expect(await told('welcome')).toMatchObject({ from: `link:${alice.name}`, trust: 'none' });
  });
});
