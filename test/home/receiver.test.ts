import { expect, test } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import { createReceiver, type ReceiverParts } from '../../src/home/receiver.ts';
import type { Incoming } from '../../src/mail/inbox.ts';
import { parseElement } from '../../src/xml/parse.ts';
import { stanzaErrorOf } from '../../src/xmpp/stanza-error.ts';
import { serialize } from '../../src/xml/serialize.ts';

const HOME = { jid: 'edge1@home.test', session: 'edge1@home.test/lanpost' };
const boxes = {
  letters: { open: () => undefined, kept: () => { throw new Error('no letter'); }, lost: () => undefined, refused: () => { throw new Error('no letter'); } },
  challenged: () => undefined, received: () => undefined, returned: () => undefined,
} satisfies Omit<ReceiverParts, 'version' | 'receive'>;
const come = async (wire: string, refuse?: LanpostError) => {
  const kept: Incoming[] = [];
  const receiver = createReceiver({ ...boxes, version: '1', receive: async (incoming) => { if (refuse) throw refuse; kept.push(incoming); } });
  const reply = await receiver(parseElement(wire), HOME);
  return { kept, reply: reply && serialize(reply) };
};

test.each(['chat', 'normal'])('a message of type %s is kept, from whom the server says', async (type) => {
  const { kept, reply } = await come(`<message xmlns='jabber:client' type='${type}' from='viewer@home.test/phone' to='${HOME.session}' id='m1'><body>hi</body></message>`);
  expect(kept).toEqual([{ from: 'xmpp:viewer@home.test/phone', to: 'xmpp:edge1@home.test', trust: 'none', body: 'hi', id: 'm1', repeat: expect.stringMatching(/^[0-9a-f]{40}$/) as string }]);
  expect(reply).toBeUndefined();
});

test.each([
  ['an error', `<message xmlns='jabber:client' type='error' from='a@b.test'><body>hi</body></message>`],
  ['a headline', `<message xmlns='jabber:client' type='headline' from='a@b.test'><body>hi</body></message>`],
  ['a message without a body', `<message xmlns='jabber:client' from='a@b.test'><active xmlns='http://jabber.org/protocol/chatstates'/></message>`],
  ['a forged carbon', `<message xmlns='jabber:client' from='mallory@b.test'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='boss@home.test' type='chat'><body>pay</body></message></forwarded></received></message>`],
  ['a subscription request', `<presence xmlns='jabber:client' type='subscribe' from='mallory@b.test'/>`],
])('%s is not kept, and not answered', async (_what, wire) => {
  expect(await come(wire)).toEqual({ kept: [], reply: undefined });
});

test('of a message that came back it is said which, from whom and why', async () => {
  const back: unknown[] = [];
  const receiver = createReceiver({ ...boxes, version: '1', receive: async () => undefined, returned: (from, { condition, type }, id) => { back.push([from, condition, type, id]); } });
  await receiver(parseElement(`<message xmlns='jabber:client' type='error' from='friend@b.test' id='m1'><error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`), HOME);
  expect(back).toEqual([['friend@b.test', 'resource-constraint', 'wait', 'm1']]);
});

test('a ping is answered, anything else that is asked is refused', async () => {
  expect((await come(`<iq xmlns='jabber:client' type='get' id='1' from='home.test'><ping xmlns='urn:xmpp:ping'/></iq>`)).reply).toContain("type='result'");
  expect((await come(`<iq xmlns='jabber:client' type='set' id='1' from='m@b.test'><command xmlns='http://jabber.org/protocol/commands' node='reboot'/></iq>`)).reply).toContain('service-unavailable');
});

test.each([
  ['named, by whom the owner lets', 'friend@b.test', HOME.session, "<device xmlns='urn:lanpost:0' from='pump' to='boiler'/>", 'boiler', 'device:pump@xmpp:friend@b.test/x'],
  ['named, by the own account', HOME.jid, HOME.session, "<device xmlns='urn:lanpost:0' to='boiler'/>", 'boiler', 'xmpp:edge1@home.test/x'],
  ['meant by its thread', 'friend@b.test', HOME.session, '<thread>device:boiler</thread>', 'boiler', 'xmpp:friend@b.test/x'],
  ['meant by the resource that it is sent to', 'friend@b.test', `${HOME.jid}/Boiler`, '', 'boiler', 'xmpp:friend@b.test/x'],
  ['meant, by whom the owner does not let: the box has it', 'stranger@b.test', `${HOME.jid}/boiler`, '<thread>device:boiler</thread>', 'box', 'xmpp:stranger@b.test/x'],
  ['meant, and not there: the box has it', 'friend@b.test', `${HOME.jid}/door`, '', 'box', 'xmpp:friend@b.test/x'],
  ['named, by whom the owner does not let', 'stranger@b.test', HOME.session, "<device xmlns='urn:lanpost:0' to='boiler'/>", 'forbidden', ''],
  ['named, and not there, by whom the owner does not let', 'stranger@b.test', HOME.session, "<device xmlns='urn:lanpost:0' to='door'/>", 'forbidden', ''],
  ['named, and not there', 'friend@b.test', HOME.session, "<device xmlns='urn:lanpost:0' to='door'/>", 'item-not-found', ''],
  ['that can be none', 'friend@b.test', HOME.session, "<device xmlns='urn:lanpost:0' to='a/b'/>", 'item-not-found', ''],
])('a device %s', async (_what, from, to, inside, at, sender) => {
  const kept: [string, Incoming][] = [];
  const receiver = createReceiver({
    ...boxes, version: '1', receive: async (incoming) => void kept.push(['box', incoming]),
    devices: { has: (name) => name === 'boiler', receive: async (name, incoming) => void kept.push([name, incoming]), may: ({ account, fingerprint }) => account === 'friend@b.test' && fingerprint === undefined },
  });
  const reply = await receiver(parseElement(`<message xmlns='jabber:client' type='chat' from='${from}/x' to='${to}' id='m1'><body>hi</body>${inside}</message>`), HOME);
  expect(kept.map(([by, { from: said, to: whose }]) => [by, said, whose])).toEqual(sender === '' ? [] : [[at, sender, at === 'box' ? `xmpp:${HOME.jid}` : 'device:boiler']]);
  expect(reply && stanzaErrorOf(reply).condition).toBe(sender === '' ? at : undefined);
});

test.each(['topic-full', 'disk-full', 'busy'] as const)('what finds no room (%s) is told to the sender, and stops nothing else', async (code) => {
  const { reply } = await come(`<message xmlns='jabber:client' type='chat' from='a@b.test' id='m'><body>hi</body></message>`, new LanpostError(code));
  expect(reply).toContain('resource-constraint');
});

test('what can never be kept is told to the sender too', async () => {
  const { reply } = await come(`<message xmlns='jabber:client' type='chat' from='a@b.test' id='m'><body>hi</body></message>`, new LanpostError('too-large'));
  expect(reply).toContain('not-acceptable');
});

test('a log that is closing takes nothing, and the server keeps it', async () => {
  await expect(come(`<message xmlns='jabber:client' type='chat' from='a@b.test' id='m'><body>hi</body></message>`, new LanpostError('closed'))).rejects.toMatchObject({ code: 'closed' });
});

test.each(['', 'a@@b', `${'x'.repeat(3000)}@b.test`])('what comes from %j, no address, is not kept', async (from) => {
  expect((await come(`<message xmlns='jabber:client' type='chat' from='${from}' id='m'><body>hi</body></message>`)).kept).toEqual([]);
});

const sent = async (attributes: string, inside = '', body = 'hi'): Promise<string | undefined> =>
  (await come(`<message xmlns='jabber:client' type='chat' ${attributes}><body>${body}</body>${inside}</message>`)).kept[0]?.repeat;
const stanzaId = (id: string, by = HOME.jid): string => `<stanza-id xmlns='urn:xmpp:sid:0' id='${id}' by='${by}'/>`;

test('a message that the server delivers again is told by the id that the server gave it, else by that of its sender', async () => {
  const first = await sent(`from='v@home.test/x' id='m1'`, stanzaId('s1'));
  expect(await sent(`from='v@home.test/x' id='m1'`, `${stanzaId('s1')}<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>`)).toBe(first);
  // Ids of senders may be used again, as those of a program that has begun anew.
  expect(await sent(`from='v@home.test/x' id='m1'`, stanzaId('s2'))).not.toBe(first);
  // What another server says is its own.
  const plain = await sent(`from='v@home.test/x' id='m1'`);
  expect(await sent(`from='v@home.test/x' id='m1'`, stanzaId('s1', 'mallory@b.test'))).toBe(plain);
  expect([await sent(`from='v@home.test/y' id='m1'`), first, undefined]).not.toContain(plain);
  expect(await sent(`from='v@home.test/x'`)).toBeUndefined();
});
