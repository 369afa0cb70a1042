// oxlint-disable vitest/warn-todo -- what is not done stays visible
// XEP-0050 1.3.0, over a stream. Running commands of others: test/interop/commands-slixmpp.test.ts, test/link/commands.test.ts.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { StanzaError } from '../../../src/xmpp/stanza-error.ts';
import { attr, children, type Element, parseElement, xml } from '../../../src/xmpp/element.ts';
import type { SimulatedLan } from '../../link/fixtures.ts';
import type { ServiceBox } from '../../link/service-box.ts';
import { all, find, type PubsubClient, serviceAndClient } from '../xep-0060/client.ts';
import { shown } from '../xep-0060/shown-error.ts';

const COMMANDS = 'http://jabber.org/protocol/commands';
const FORM = "<x xmlns='jabber:x:data' type='submit'><field var='seconds'><value>20</value></field></x>";

describe('XEP-0050 Ad-Hoc Commands', () => {
  it.todo('§2.4 several stages of one command: an offered command has one form at most');
  it.todo('§4.4 session-expired: no session is kept, each step says all that it needs');
  it.todo('§4.4 bad-locale: forms are in the words of whoever offers them');

  let lan: SimulatedLan;
  let a: ServiceBox;
  let c: PubsubClient;
  beforeEach(async () => {
    ({ lan, a, c } = await serviceAndClient('ann'));
    a.offers.offer('list', () => 'done', { title: 'List' });
    a.offers.offer('config', ({ value }) => value, { title: 'Configure', fields: [{ name: 'seconds', kind: 'number', required: true }] });
    a.offers.offer('secret', () => 1);
    for (const name of ['list', 'config', 'gone']) await a.service.rules.allow(c.fingerprint, 'command', name);
  });
  afterEach(() => lan.close());

  const send = async (attributes: string, inner = ''): Promise<Element> => {
    const answer = await c.box.link.request(a.link.name, xml('iq', { type: 'set' }, parseElement(`<command xmlns='${COMMANDS}' ${attributes}>${inner}</command>`)));
    const [command = answer] = children(answer);
    return command;
  };
  const refused = async (attributes: string, inner = ''): Promise<string> => {
    const error: unknown = await send(attributes, inner).then(() => undefined, (failure: unknown) => failure);
    if (!(error instanceof StanzaError)) throw new Error(`not refused: ${String(error)}`);
    return shown(error);
  };
  const query = (what: 'info' | 'items', node?: string): Promise<Element> => c.query(`<query xmlns='http://jabber.org/protocol/disco#${what}'${node === undefined ? '' : ` node='${node}'`}/>`);

  it('§2.1 support is announced', async () => {
    expect(all(await query('info'), 'feature').map((feature) => attr(feature, 'var'))).toContain(COMMANDS);
  });

  it('§2.2 the list has what the asker may run, each with the box\'s address, node and name', async () => {
    expect(attr(find(await query('info', COMMANDS), 'identity')!, 'type')).toBe('command-list');
    expect(all(await query('items', COMMANDS), 'item').map((item) => item.attrs)).toEqual([
      { jid: a.link.name, node: 'list', name: 'List' }, { jid: a.link.name, node: 'config', name: 'Configure' },
    ]);
  });

  it('§2.3 a command is an automation/command-node with its name, and has the feature', async () => {
    const info = await query('info', 'config');
    expect(find(info, 'identity')?.attrs).toMatchObject({ category: 'automation', type: 'command-node', name: 'Configure' });
    expect(all(info, 'feature').map((feature) => attr(feature, 'var'))).toEqual(expect.arrayContaining([COMMANDS, 'jabber:x:data']));
  });

  it('§2.4.1 a command of one stage is completed at once', async () => {
    expect((await send("node='list' action='execute'")).attrs).toMatchObject({ node: 'list', status: 'completed', sessionid: expect.any(String) });
    expect((await send("node='list'")).attrs).toMatchObject({ status: 'completed' });
  });

  it('§2.4.2, §3.4 one that asks is executing, with a session, the actions that are possible, and the form', async () => {
    const asked = await send("node='config' action='execute'");
    expect(asked.attrs).toMatchObject({ status: 'executing', sessionid: expect.any(String) });
    const actions = asked.getChild('actions')!;
    expect(attr(actions, 'execute')).toBe('complete');
    expect(children(actions).map(({ name }) => name)).toEqual(['complete']);
    expect(attr(find(asked, 'x')!, 'type')).toBe('form');
  });

  it.each(['complete', 'next', 'execute'])('§3.4 it is answered with %s', async (action) => {
    const done = await send(`node='config' sessionid='s1' action='${action}'`, FORM);
    expect(done.attrs).toMatchObject({ status: 'completed', sessionid: 's1' });
    expect(find(done, 'json')?.getText()).toBe('{"seconds":20}');
    expect(attr(find(done, 'x')!, 'type')).toBe('result');
  });

  it('§2.4.4 cancelled by the action, and by a form that is', async () => {
    expect((await send("node='config' sessionid='s1' action='cancel'")).attrs).toMatchObject({ status: 'canceled', sessionid: 's1' });
    expect((await send("node='config' sessionid='s1' action='complete'", "<x xmlns='jabber:x:data' type='cancel'/>")).attrs).toMatchObject({ status: 'canceled' });
  });

  it('§3.5 words are a note of the type info', async () => {
    const note = (await send("node='list'")).getChild('note')!;
    expect([attr(note, 'type'), note.getText()]).toEqual(['info', 'done']);
  });

  it('§4.4 malformed-action, bad-action, bad-payload, bad-sessionid → bad-request', async () => {
    expect(await refused("node='list' action='dance'")).toBe(`modify bad-request / {${COMMANDS}}malformed-action`);
    expect(await refused("node='config' action='prev'")).toBe(`modify bad-request / {${COMMANDS}}bad-action`);
    expect(await refused("node='config' action='complete'", FORM.replace('20', 'soon'))).toBe(`modify bad-request / {${COMMANDS}}bad-payload`);
    expect(await refused(`node='config' sessionid='${'s'.repeat(200)}' action='complete'`, FORM)).toBe(`modify bad-request / {${COMMANDS}}bad-sessionid`);
  });

  it('§4.4 who may not run it → forbidden, whether it is there or not; what is not there → item-not-found', async () => {
    expect(await refused("node='secret'")).toBe('cancel forbidden');
    expect(await refused("node='nothing'")).toBe('cancel forbidden');
    for (const node of ['gone', 'http://jabber.org/protocol/admin#add-user']) expect(await refused(`node='${node}'`)).toBe('cancel item-not-found');
    expect(await refused('')).toBe('modify bad-request');
  });

  it('§8.1 of XEP-0060, get-pending, is there beside them', async () => {
    expect(await refused("node='http://jabber.org/protocol/pubsub#get-pending'")).toBe('cancel forbidden');
  });
});
