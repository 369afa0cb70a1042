import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { Peer } from '../../src/api.ts';
import { nameAsTyped } from '../../src/cli/commands/peer.ts';
import { printPeerEvent } from '../../src/cli/commands/peers.ts';
import { Output } from '../../src/cli/output.ts';

const peer = (name: string, readsAsJid?: boolean): Peer => ({
  name, address: `link:${name}`, ...(readsAsJid ? { readsAsJid } : {}), status: 'available', host: 'h2.local', port: 5298, addresses: [], box: false, trust: 'none', connected: false,
});

async function printed(json: boolean, one: Peer): Promise<string> {
  const stream = new PassThrough();
  await printPeerEvent(new Output({ stream, json, colour: false }), { type: 'up', peer: one });
  return String(stream.read());
}

describe('a peer whose name reads as a JID', () => {
  it('is shown as it has to be typed, the others by their names', () => {
    expect([peer('romeo@montague.net', true), peer('romeo@pc')].map(nameAsTyped)).toEqual(['link:romeo@montague.net', 'romeo@pc']);
  });

  it('is told so when it comes, and is flagged with --json', async () => {
    expect(await printed(false, peer('romeo@montague.net', true))).toBe('up\tlink:romeo@montague.net\tavailable\n');
    expect(await printed(false, peer('romeo@pc'))).toBe('up\tromeo@pc\tavailable\n');
    expect(JSON.parse(await printed(true, peer('romeo@montague.net', true)))).toMatchObject({ peer: { name: 'romeo@montague.net', readsAsJid: true } });
  });
});
