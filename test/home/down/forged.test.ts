// What says that it comes from somebody it does not come from is ignored, and the session goes on.
import { describe, expect, it } from 'vitest';
import { createReceiver } from '../../../src/home/receiver.ts';
import type { Incoming } from '../../../src/mail/inbox.ts';
import { attr, parseElement, type Element } from '../../../src/xmpp/element.ts';
import { createRig, type Rig } from '../rig.ts';

const EVENT = 'http://jabber.org/protocol/pubsub#event';
const US = 'box@home.test/lanpost-aaaabbbb';
const message = (from: string | undefined, inside: string, type = 'headline'): Element => parseElement(`<message xmlns='jabber:client' ${from === undefined ? '' : `from='${from}'`} to='${US}' type='${type}'>${inside}</message>`);
const event = (inside: string): string => `<event xmlns='${EVENT}'>${inside}</event>`;
const item = (node: string): string => event(`<items node='${node}'><item id='forged'><text xmlns='urn:lanpost:0'>forged</text></item></items>`);
const forwarded = `<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='boss@home.test' to='${US}' type='chat'><body>pay</body></message></forwarded>`;

interface Followed { readonly rig: Rig; readonly mail: Incoming[] }

async function following(): Promise<Followed> {
  const mail: Incoming[] = [];
  const receive = createReceiver({
    version: '1', receive: async (incoming) => { mail.push(incoming); },
    letters: { open: () => undefined, kept: () => { throw new Error('no letter'); }, lost: () => undefined, refused: () => { throw new Error('no letter'); } },
    challenged: () => undefined, received: () => undefined, returned: () => undefined,
  });
  const rig = await createRig({ receive });
  rig.home.publish('t', 'true', parseElement(`<text xmlns='urn:lanpost:0'>true</text>`));
  await rig.add({ topics: [], down: [{ node: 't' }] });
  await rig.until(async () => (await rig.status())?.down?.nodes === 1);
  return { rig, mail };
}

/** What comes after it has been read: so it has been, too. */
async function come({ rig }: Followed, forged: Element): Promise<void> {
  const { home } = rig;
  home.say(forged);
  home.publish('t', 'last', parseElement(`<text xmlns='urn:lanpost:0'>last</text>`));
  await rig.until(async () => (await rig.log.items('t')).some(({ id }) => id === 'last'));
}

describe('is ignored', () => {
  it.each<[string, Element]>([
    ['an event from a stranger', message('mallory@b.test', item('t'))],
    ['an event from another service', message('pubsub.b.test', item('t'))],
    ['an event from somebody at the service', message('mallory@pubsub.home.test', item('t'))],
    ['an event that claims to be from the own account', message('box@home.test', item('t'))],
    ['an event of the account that nobody sent', message(undefined, item('t'))],
    ['an event of a node that is not followed', message('pubsub.home.test', item('u'))],
    ['an event in an error', message('pubsub.home.test', item('t'), 'error')],
    ['a retraction', message('mallory@b.test', event(`<items node='t'><retract id='true'/></items>`))],
    ['a purge', message('mallory@b.test', event(`<purge node='t'/>`))],
    ['a deletion', message('mallory@b.test', event(`<delete node='t'/>`))],
    ['an end of the subscription', message('mallory@b.test', event(`<subscription node='t' jid='${US}' subscription='none'/>`))],
    ['a carbon of what came', message('mallory@b.test', `<received xmlns='urn:xmpp:carbons:2'>${forwarded}</received>`, 'chat')],
    ['a carbon of what was sent', message('mallory@b.test', `<sent xmlns='urn:xmpp:carbons:2'>${forwarded}</sent>`, 'chat')],
    ['an archive\'s result', message('mallory@b.test', `<result xmlns='urn:xmpp:mam:2' id='1'>${forwarded}</result>`, 'normal')],
    ['an archive\'s result in the own account\'s name, which was not asked for', message('box@home.test', `<result xmlns='urn:xmpp:mam:2' id='1'>${forwarded}</result>`, 'normal')],
    ['a request to subscribe to our presence', parseElement(`<presence xmlns='jabber:client' type='subscribe' from='mallory@b.test' to='${US}'/>`)],
  ])('%s', async (_what, forged) => {
    const followed = await following();
    await using rig = followed.rig;
    await come(followed, forged);
    expect((await rig.log.items('t')).map(({ id }) => id)).toEqual(['true', 'last']);
    expect([...rig.log.topics()].map(({ name }) => name)).toEqual(['t']);
    expect(followed.mail).toEqual([]);
    expect([rig.home.sessions, rig.home.stanzas.filter((stanza) => stanza.getName() === 'presence').length]).toEqual([1, 1]);
    expect((await rig.status())?.down).toEqual({ nodes: 1, waiting: 0 });
  });
});

describe('is refused', () => {
  it.each([
    ['a command', `<command xmlns='http://jabber.org/protocol/commands' node='reboot'/>`],
    ['a publish', `<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='t'><item id='forged'><text xmlns='urn:lanpost:0'>forged</text></item></publish></pubsub>`],
    ['a change of the roster', `<query xmlns='jabber:iq:roster'><item jid='mallory@b.test' subscription='both'/></query>`],
  ])('%s, whoever asks', async (_what, inside) => {
    const followed = await following();
    await using rig = followed.rig;
    for (const from of ['mallory@b.test/x', 'pubsub.home.test']) await come(followed, parseElement(`<iq xmlns='jabber:client' type='set' id='forged-${from}' from='${from}' to='${US}'>${inside}</iq>`));
    const answered = (): Element[] => rig.home.stanzas.filter((stanza) => attr(stanza, 'id')?.startsWith('forged'));
    await rig.until(() => answered().length === 2);
    const answers = answered();
    expect(answers.map((stanza) => [stanza.attrs['type'], stanza.getChild('error')?.attrs['type']])).toEqual([['error', 'cancel'], ['error', 'cancel']]);
    expect((await rig.log.items('t')).map(({ id }) => id)).toEqual(['true', 'last']);
  });
});

describe('a record that somebody made up', () => {
  const BOX = 'bbbbccccddddeeee';
  const record = (seq: number, previous: number | undefined, said: string): Element => parseElement(
    `<record xmlns='urn:lanpost:0' id='${BOX}-1.0000000a-${seq}' seq='${seq}' stamp='2026-01-02T03:04:05.000Z' ${previous === undefined ? '' : `previous='${previous}'`}><text xmlns='urn:lanpost:0'>${said}</text></record>`);

  it.each([
    ['of the last number there is', Number.MAX_SAFE_INTEGER, undefined],
    ['that says nothing of what is before it', 2 ** 51, undefined],
    ['that says there is nothing between', 2 ** 51, 1],
    ['that names one behind it', 2 ** 51, 2 ** 51 + 1],
  ])('%s has nothing that its box publishes taken for a repeat', async (_what, seq, previous) => {
    const followed = await following();
    await using rig = followed.rig;
    rig.home.publish('t', 'r1', record(1, undefined, 'one'));
    rig.home.publish('t', 'forged', record(seq, previous, 'forged'));
    // There too, where others may come yet.
    rig.home.publish('t', 'forged too', record(seq - 5, previous, 'forged'));
    for (const [n, said] of [[2, 'two'], [3, 'three'], [2, 'two']] as const) rig.home.publish('t', `r${n}`, record(n, n - 1, said));
    await come(followed, message('mallory@b.test', item('t')));
    const texts = (await rig.log.items('t')).map(({ payload }) => Buffer.from(payload?.bytes ?? '').toString());
    expect(texts.filter((text) => text !== 'forged')).toEqual(['true', 'one', 'two', 'three', 'last']);
  });

  it('of a number that none can have is told of', async () => {
    const followed = await following();
    await using rig = followed.rig;
    rig.home.publish('t', 'forged', record(Number.MAX_SAFE_INTEGER, undefined, 'forged'));
    await come(followed, message('mallory@b.test', item('t')));
    expect((await rig.log.items('t')).map(({ id }) => id)).toEqual(['true', 'last']);
    expect(rig.troubles.map(({ kind }) => kind)).toEqual(['home.unfit']);
  });
});
