import { describe, expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { CommandOffers } from '../../src/commands/offers.ts';
import { LanpostError } from '../../src/errors.ts';
import { createReceiver } from '../../src/home/receiver.ts';
import type { Element } from '../../src/xml/element.ts';
import { parseElement } from '../../src/xml/parse.ts';
import { serialize } from '../../src/xml/serialize.ts';

const HOME = { jid: 'edge1@home.test', session: 'edge1@home.test/lanpost' };
const offers = new CommandOffers({ clock: createTestClock(), trouble: () => undefined });
offers.offer('who', ({ from, trust, value }) => ({ from: from ?? '', trust, value }), { title: 'Who asks' });
offers.offer('pump/start', ({ value }) => value, { fields: [{ name: 'seconds', kind: 'number', label: 'How long', required: true }, { name: 'mode', kind: 'list', options: ['slow', 'fast'] }] });

const receiver = createReceiver({
  letters: { open: () => undefined, kept: () => { throw new Error('no letter'); }, lost: () => undefined, refused: () => { throw new Error('no letter'); } },
  challenged: () => undefined, received: () => undefined, returned: () => undefined, version: '1', receive: async () => undefined,
  commands: { offers, may: (account, name) => account === 'xmpp:boss@other.test' && name.startsWith('pump/'), answerBytes: 1000 },
});
const ask = async (from: string | undefined, type: string, inner: string, device = false): Promise<string> => {
  let later: ((reply: Element) => void) | undefined;
  const answered = new Promise<Element>((resolve) => { later = resolve; });
  const at = device ? { jid: 'lamp@devices.test', session: 'lamp@devices.test' } : { ...HOME, answer: (reply: Element) => later?.(reply) };
  const reply = await receiver(parseElement(`<iq xmlns='jabber:client' id='1' type='${type}'${from === undefined ? '' : ` from='${from}'`}>${inner}</iq>`), at);
  return serialize(reply ?? await answered);
};
const run = (from: string | undefined, node: string, inner = ''): Promise<string> => ask(from, 'set', `<command xmlns='http://jabber.org/protocol/commands' node='${node}' action='execute'>${inner}</command>`);
const listed = (from: string): Promise<string> => ask(from, 'get', "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>");
const submit = (fields: Record<string, string>): string => `<x xmlns='jabber:x:data' type='submit'>${Object.entries(fields).map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`).join('')}</x>`;

describe('who may run what is offered, by way of a home', () => {
  test.each([undefined, 'edge1@home.test', 'edge1@home.test/phone', 'Edge1@HOME.test/x'])('the own account (%s)', async (from) => {
    expect(await run(from, 'who')).toContain("status='completed'");
  });

  test.each(['boss@home.test/x', 'edge1@other.test', 'home.test', 'edge1@home.test.evil.test/x', 'edge2@home.test/edge1@home.test', '', 'edge1@@home.test', `${'x'.repeat(3000)}@home.test`])('and not %s', async (from) => {
    for (const node of ['who', 'not-there']) expect(await run(from, node)).toContain('forbidden');
    expect(await listed(from)).not.toContain('<item');
  });

  test('and whom the owner lets, what the owner lets', async () => {
    expect(await run('boss@other.test/phone', 'who')).toContain('forbidden');
    expect(await run('boss@other.test/phone', 'pump/start')).toContain("status='executing'");
    expect(await listed('boss@other.test/phone')).toMatch(/^[^]*<item jid='edge1@home.test\/lanpost' node='pump\/start' name='pump\/start'\/><\/query><\/iq>$/);
  });

  test('nobody at the address of a device, which is not the box', async () => {
    for (const from of [undefined, 'lamp@devices.test', 'boss@other.test/phone']) {
      expect(await ask(from, 'set', "<command xmlns='http://jabber.org/protocol/commands' node='pump/start' action='execute'/>", true)).toContain('forbidden');
    }
  });

  test('what follows a command does not wait for it, nor does the session', async () => {
    let end: (() => void) | undefined;
    const offer = offers.offer('slow', () => new Promise((resolve) => { end = () => resolve('at last'); }));
    const slow = run('edge1@home.test/phone', 'slow');
    expect(await ask('edge1@home.test/phone', 'get', "<ping xmlns='urn:xmpp:ping'/>")).toContain("type='result'");
    // Handled as soon as it runs: nothing that came after it is kept from being acknowledged.
    expect(await receiver(parseElement("<iq xmlns='jabber:client' id='2' type='set' from='edge1@home.test/x'><command xmlns='http://jabber.org/protocol/commands' node='slow'/></iq>"), { ...HOME, answer: () => undefined })).toBeUndefined();
    end?.();
    await offer.close();
    expect(await slow).toMatch(/type='error'[^]*recipient-unavailable/);
  });

  test('the command is told who, as the server says', async () => {
    expect(await run('edge1@home.test/phone', 'who')).toContain('xmpp:edge1@home.test/phone');
  });
});

describe('a client that knows no values', () => {
  const own = 'edge1@home.test/phone';

  test('is shown what a command is', async () => {
    const info = await ask(own, 'get', "<query xmlns='http://jabber.org/protocol/disco#info' node='who'/>");
    expect(info).toContain("<identity category='automation' type='command-node' name='Who asks'/>");
    expect(await ask(own, 'get', "<query xmlns='http://jabber.org/protocol/disco#info'/>")).toContain('http://jabber.org/protocol/commands');
  });

  test('fills in a form, which becomes values; what does not fit is told', async () => {
    expect(await run(own, 'pump/start')).toMatch(/<field var='seconds' type='text-single' label='How long'><required\/><\/field>[^]*<option><value>slow<\/value><\/option>/);
    const done = await run(own, 'pump/start', submit({ seconds: '20', mode: 'fast' }));
    expect(done).toContain("<json xmlns='urn:xmpp:json:0'>{\"seconds\":20,\"mode\":\"fast\"}</json>");
    expect(done).toMatch(/<x xmlns='jabber:x:data' type='result'>[^]*<field var='seconds'[^>]*><value>20<\/value>/);
    for (const bad of [{ seconds: 'soon' }, { seconds: '' }, { seconds: '1', mode: 'full' }]) expect(await run(own, 'pump/start', submit(bad))).toMatch(/bad-request[^]*bad-payload/);
  });

  test('what goes wrong is told in words that every parser takes, however it was said', async () => {
    const offer = offers.offer('fails', () => { throw new LanpostError('failed', `the pump\u0000 ${'x'.repeat(300_000)}`); });
    const told = await run(own, 'fails');
    expect(parseElement(told).getChild('error')?.getChildText('text')).toMatch(/^the pump\ufffd x+$/);
    expect(told.length).toBeLessThan(2000);
    await offer.close();
  });

  test('an answer that is too large is refused', async () => {
    expect(await run(own, 'who', `<json xmlns='urn:xmpp:json:0'>"${'x'.repeat(2000)}"</json>`)).toContain('policy-violation');
  });

  test('can give up', async () => {
    expect(await ask(own, 'set', "<command xmlns='http://jabber.org/protocol/commands' node='pump/start' action='cancel' sessionid='s'/>")).toMatch(/sessionid='s' status='canceled'/);
    expect(await run(own, 'not-there')).toContain('item-not-found');
  });
});
