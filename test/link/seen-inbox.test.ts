// What keys that are seen send waits for a reader that is away: who has sent too much is told, and nobody loses a stream by it.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { acquainted, SimulatedLan } from './fixtures.ts';
import { secureCaller } from './secure-caller.ts';
import { type ServiceBox, serviceBox } from './service-box.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;

beforeEach(async () => {
  lan = new SimulatedLan();
  a = await serviceBox(lan, 1, 'a');
  b = await serviceBox(lan, 3, 'b');
  await acquainted(a, b);
  // As a flow that is stopped leaves it.
  const reader = a.mail.messages({ name: 'flow' });
  await reader.ready;
  await reader.close();
});
afterEach(() => lan.close());

/** How often the stream of b was lost. */
const breaks = (): { count: number } => {
  const broken = { count: 0 };
  let connected = false;
  b.link.peers.watch(({ peer }) => {
    if (peer.name !== a.link.name) return;
    if (connected && !peer.connected) broken.count += 1;
    connected = peer.connected;
  });
  return broken;
};
const kinds = (box: ServiceBox): string[] => box.troubles.map(({ kind }) => kind);

test('a stranger has its share, is told that there is no room for more, and leaves the others theirs', async () => {
  const broken = breaks();
  const mallory = await secureCaller(lan, a);
  for (let n = 0; n < 45; n += 1) mallory.write(`<message type='chat' id='m${n}'><body>${'x'.repeat(100_000)}</body></message>`);
  expect(await mallory.reads(/<message type='error' id='m4\d'[^]*<\/message>/)).toMatch(/type='wait'><resource-constraint/);
  await (await b.mail.send('link:a@h1', 'hello')).delivered;
  mallory.write("<iq type='get' id='last'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
  await mallory.reads(/id='last'/);
  expect([kinds(a), kinds(b), broken.count]).toEqual([['mail.inbox-full'], [], 0]);
});

test('the letters of a box that has its share there wait, in order, over the stream there is, and it says why', async () => {
  const broken = breaks();
  const large = (n: number): string => `${n} ${'x'.repeat(120_000)}`;
  const bodies = [...Array.from({ length: 37 }, (_, n) => large(n)), ...Array.from({ length: 20 }, (_, n) => `${37 + n}`)];
  const receipts = [];
  for (const body of bodies) receipts.push(await b.mail.send('link:a@h1', body));
  await lan.until(() => kinds(b).includes('mail.delivery'));
  expect(b.troubles.find(({ kind }) => kind === 'mail.delivery')?.message).toMatch(/a@h1 cannot take it now: resource-constraint/);
  const kept = a.log.topic('$inbox/seen')?.count ?? 0;
  expect(kept).toBeGreaterThan(30);
  expect(kept).toBeLessThan(37);
  const reader = a.mail.messages({ name: 'flow' });
  const read: string[] = [];
  while (read.length < bodies.length) {
    const { value } = await reader.next();
    value?.ack();
    read.push(value?.body.split(' ')[0] ?? '');
  }
  await Promise.all(receipts.map(({ delivered }) => delivered));
  expect(read).toEqual(bodies.map((_, n) => String(n)));
  expect([broken.count, kinds(a).filter((kind) => kind !== 'mail.inbox-full')]).toEqual([0, []]);
  await reader.close();
});

test('what finds no room while the box is leaving is not taken for delivered', async () => {
  const delivered = new Set<string>();
  for (let n = 0; n < 45; n += 1) {
    const receipt = await b.mail.send('link:a@h1', `${n} ${'x'.repeat(120_000)}`);
    void receipt.delivered.then(() => delivered.add(`${n}`), () => undefined);
  }
  await lan.until(() => kinds(a).includes('mail.inbox-full'));
  await a.link.close();
  await lan.until(() => b.link.peers.describe('a@h1')?.connected !== true);
  const kept = (await a.log.items('$inbox/seen', { last: 100 })).map(({ payload }) => new TextDecoder().decode(payload?.bytes).split(' ')[0] ?? '');
  expect(kept.length).toBeGreaterThan(20);
  expect([...delivered].filter((n) => !kept.includes(n))).toEqual([]);
});
