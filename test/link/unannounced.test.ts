import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildMessage } from '../../src/xmpp/stanza.ts';
import { BOX_TEXT } from '../../src/link/claims.ts';
import { acquainted, SimulatedLan } from './fixtures.ts';
import { plainPeer, purpleHeader } from './plain-peer.ts';

let lan: SimulatedLan;
beforeEach(() => { lan = new SimulatedLan(); });
afterEach(() => lan.close());

const say = (body: string): ReturnType<typeof buildMessage> => buildMessage({ type: 'chat', id: body, body });

test('a box whose records have run out is there while its stream answers, and goes with the stream', async () => {
  const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
  await acquainted(a, b);
  await (await a.link.send(b.name, say('one'))).delivered;
  lan.withdraw(b.name);
  await (await a.link.send(b.name, say('two'))).delivered;
  expect(a.link.peers.describe(b.name)).toMatchObject({ connected: true });
  for (const socket of lan.sockets) socket.destroy();
  await lan.until(() => a.link.peers.get(b.name) === undefined);
});

test('it stays when it is announced again', async () => {
  const [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(2, 'b')]);
  await acquainted(a, b);
  await (await a.link.send(b.name, say('one'))).delivered;
  const known = a.link.peers.get(b.name);
  lan.withdraw(b.name);
  if (known) lan.announce({ instance: b.name, host: known.host, port: known.port, text: BOX_TEXT, addresses: known.addresses });
  for (const socket of lan.sockets) socket.destroy();
  await lan.until(() => lan.dials.length === 2 && a.link.peers.describe(b.name)?.connected === true);
  expect(a.link.peers.get(b.name)).toBeDefined();
});

test('a box that answers neither way is gone before its stream is given up', async () => {
  const a = await lan.box(1, 'a', { timing: { answer: 60_000 } });
  const b = await lan.box(2, 'b', { handle: () => new Promise(() => undefined) });
  await acquainted(a, b);
  const { delivered } = await a.link.send(b.name, say('are you there?'));
  lan.withdraw(b.name);
  await lan.until(() => a.link.peers.get(b.name) === undefined);
  await expect(delivered).rejects.toMatchObject({ code: 'disconnected' });
});

test('a peer that confirms nothing is gone with its records, whatever its stream', async () => {
  const a = await lan.box(1, 'a');
  const plain = await plainPeer(lan, 2, 'plain@h2');
  await lan.until(() => a.link.peers.get(plain.name) !== undefined);
  const sending = a.link.send(plain.name, say('one'));
  const stream = await plain.incoming();
  await stream.reads('>');
  stream.write(purpleHeader(plain.name, a.name));
  await sending;
  lan.withdraw(plain.name);
  expect(a.link.peers.get(plain.name)).toBeUndefined();
});
