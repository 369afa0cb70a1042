// What Pidgin and a box see of each other without a word: names, status, pictures.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, Peer } from '../../src/index.ts';
import { avatarHash } from '../../src/link/avatar.ts';
import { GIF, PNG } from '../link/pictures.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { type Purple, startPurple } from '../support/purple.ts';

const NAME = 'Küche (2)';

describe.skipIf(!needs('root', 'avahi-daemon', 'libpurple'))('presence with libpurple', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-presence-purple-'));
  let lan: Lan;
  let process: BoxProcess;
  let box: Box;
  let alice: Purple;
  const seen = async (fits: (peer: Peer) => boolean): Promise<Peer> => {
    for await (const { peer, type } of box.peers.watch({ signal: AbortSignal.timeout(10_000) })) {
      if (type !== 'down' && peer.name === alice.name && fits(peer)) return peer;
    }
    throw new Error('it ended');
  };

  beforeAll(async () => {
    lan = await createLan(2);
    await lan.avahi(2);
    alice = await startPurple(lan, 2, 'alice');
    process = await startBox({ dir, name: NAME, lan, host: 1, args: ['--nick', 'Kitchen', '--email', 'kitchen@example.org'] });
    box = await process.attach();
  });
  afterAll(async () => {
    await box?.close();
    await process?.stop();
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  // COMPAT(libpurple 2.14): hangs up on whom it has not resolved yet, with the message unread. It must be said as soon as it is seen.
  it('a message to it, said before it can know us, is not lost', async () => {
    await seen(() => true);
    await box.send(`link:${alice.name}`, 'first of all');
    expect(await alice.event(({ event, text }) => event === 'im' && text?.includes('first of all') === true)).toBeDefined();
  });

  it('is read whole of it: names, software, no capabilities', async () => {
    const peer = await seen(() => true);
    expect(peer).toMatchObject({
      box: false, nick: 'alice Purple', first: 'alice', last: 'Purple', status: 'available', calls: ['free'], software: { node: 'libpurple', version: expect.stringMatching(/^2\./) },
    });
    expect(peer).not.toHaveProperty('features');
    expect(peer.software).not.toHaveProperty('hash');
    expect(await process.cli('peers', 'show', alice.name)).toEqual([expect.objectContaining({ name: alice.name, nick: 'alice Purple' })]);
  });

  it('shows in it with our nick and a status with its words, and takes both back', async () => {
    await alice.event({ event: 'online', buddy: box.name });
    const buddy = async (fits: (alias: unknown) => boolean): Promise<void> => {
      const after = alice.events.length;
      alice.command('buddies');
      const { alias } = await alice.event({ event: 'buddy', buddy: box.name }, { after });
      if (!fits(alias)) await alice.event(({ event, buddy: who, alias: now }) => event === 'alias' && who === box.name && fits(now), { after });
    };
    await buddy(alias => alias === 'Kitchen');
    const after = alice.events.length;
    await box.setStatus('dnd', 'cooking <b>');
    await alice.event({ event: 'status', buddy: box.name, status: 'away', message: 'cooking <b>' }, { after });
    await box.setAbout({ personal: false });
    await buddy(alias => alias !== 'Kitchen');
    await box.setStatus('available');
    expect(await alice.event({ event: 'status', buddy: box.name, status: 'available' }, { after })).not.toHaveProperty('message', 'cooking <b>');
  });

  it('its status is seen, and taken back', async () => {
    alice.command('status away gone for lunch');
    expect((await seen(peer => peer.statusText === 'gone for lunch')).status).not.toBe('available');
    alice.command('status available');
    expect(await seen(peer => peer.status === 'available')).not.toHaveProperty('statusText');
  });

  it('our picture is shown by it, and a new one', async () => {
    for (const image of [PNG, GIF]) {
      const after = alice.events.length;
      await box.setAvatar(image);
      expect(await alice.event({ event: 'icon', buddy: box.name, sha1: avatarHash(image) }, { after })).toBeDefined();
    }
  });

  it('its picture comes to us, by the command line too', async () => {
    const file = join(dir, 'alice.png');
    writeFileSync(file, PNG);
    alice.command(`icon ${file}`);
    const { avatar } = await seen(peer => peer.avatar !== undefined);
    const image = await box.peers.avatar(alice.name);
    expect(image && avatarHash(image)).toBe(avatar);
    const [printed] = await process.cli('avatar', 'get', alice.name);
    expect(printed).toEqual({ peer: alice.name, image: { base64: Buffer.from(image ?? []).toString('base64') } });
  });

  it('a box whose name is no JID is written to, and writes', async () => {
    expect(box.name).toBe(`${NAME}@h1`);
    alice.send(box.name, 'to the kitchen');
    for await (const { from, body } of box.messages({ name: 'kitchen', signal: AbortSignal.timeout(10_000) })) {
      if (body !== 'to the kitchen') continue;
      expect(from).toBe(`link:${alice.name}`);
      break;
    }
    const after = alice.events.length;
    await process.cli('send', alice.name, 'from the kitchen', '--wait', 'handed');
    await alice.event(({ event, text, buddy }) => event === 'im' && buddy === box.name && text?.includes('from the kitchen') === true, { after });
  });
});
