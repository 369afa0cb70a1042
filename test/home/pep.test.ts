// XEP-0163 1.2.2, and what of XEP-0060 it stands on.
import { describe, expect, it } from 'vitest';
import { attr, xml, type Element } from '../../src/xmpp/element.ts';
import { iqResult } from '../../src/xmpp/stanza.ts';
import { PEP } from './fake-home.ts';
import { createRig, type Rig } from './rig.ts';

const ITEMS = 'http://jabber.org/protocol/disco#items';
const toService = (iq: Element): boolean => attr(iq, 'to') === 'pubsub.home.test';

/** As Prosody: an ordinary account makes no nodes; those that are there are somebody's. */
function ordinary(rig: Rig): void {
  rig.home.set.pep = true;
  rig.home.set.answer = (iq, what) => (what === 'create' && toService(iq) ? 'forbidden' : undefined);
}

/** A server without the service. */
function without(rig: Rig): void {
  rig.home.set.pep = true;
  rig.home.set.answer = (iq) => (iq.getChild('query', ITEMS) ? iqResult(iq, xml('query', { xmlns: ITEMS }, xml('item', { jid: 'upload.home.test' }))) : toService(iq) ? 'remote-server-not-found' : undefined);
}

describe('the account\'s own service (PEP)', () => {
  it('takes what the account may make no node for, and that is said, kept and left so', async () => {
    await using rig = await createRig();
    ordinary(rig);
    rig.home.nodes.set('made', new Map());
    await rig.add({ service: undefined });
    await rig.publish('a', 1);
    await rig.publish('made', 2);
    await rig.drained();
    expect([rig.count('a'), rig.count(`${PEP}a`), rig.count('made'), rig.count(`${PEP}made`)]).toEqual([0, 1, 1, 0]);
    expect((await rig.status())?.pep).toEqual({ reason: 'the account may make no node: forbidden', topics: ['a'] });
    expect(rig.troubles.filter(({ kind }) => kind === 'home.pep').map(({ message }) => message)).toEqual([expect.stringContaining('a goes to the account\'s own service')]);
    // It may now; whoever reads it knows where it is.
    rig.home.set.answer = () => undefined;
    await rig.restart();
    await rig.publish('a', 3);
    await rig.drained();
    expect([rig.count('a'), rig.count(`${PEP}a`)]).toEqual([0, 2]);
    expect(rig.troubles.filter(({ kind }) => kind === 'home.pep')).toHaveLength(1);
    // Until the owner says otherwise.
    await rig.add();
    await rig.publish('a', 4);
    await rig.drained();
    expect(rig.count('a')).toBe(1);
  });

  it('takes everything where the server has no service', async () => {
    await using rig = await createRig();
    without(rig);
    await rig.add({ service: undefined });
    await rig.publish('a', 1);
    await rig.publish('b', 2);
    await rig.drained();
    expect([rig.count(`${PEP}a`), rig.count(`${PEP}b`)]).toEqual([1, 1]);
    expect((await rig.status())?.pep).toEqual({ reason: expect.stringContaining('there is no service pubsub.home.test') as string });
  });

  it('takes nothing of a service that is away: one that has taken something before, or that the server has', async () => {
    await using rig = await createRig();
    rig.home.set.pep = true;
    await rig.add({ service: undefined });
    await rig.publish('a', 1);
    await rig.drained();
    without(rig);
    await rig.publish('new', 1);
    await rig.until(() => rig.troubles.some(({ kind }) => kind === 'home.service'));
    await rig.homes.remove('box@home.test');
    await rig.add({ service: undefined });
    rig.home.set.answer = (iq) => (!iq.getChild('query', ITEMS) && toService(iq) ? 'remote-server-not-found' : undefined);
    rig.home.nodes.set('x', new Map());
    await rig.publish('b', 1);
    await rig.until(() => rig.troubles.filter(({ kind }) => kind === 'home.service').length > 1);
    expect((await rig.status())?.pep).toBeUndefined();
    expect(rig.count(`${PEP}b`)).toBe(0);
  });

  it('is not asked for where the owner names the service, nor where the account has none', async () => {
    await using rig = await createRig();
    ordinary(rig);
    await rig.add();
    await rig.publish('a', 1);
    await rig.until(() => rig.troubles.some(({ kind }) => kind === 'home.held'));
    rig.home.set.pep = false;
    await rig.add({ service: undefined });
    await rig.until(() => rig.troubles.filter(({ kind }) => kind === 'home.held').length > 1);
    expect(rig.count(`${PEP}a`)).toBe(0);
  });

  it('is where all goes when the owner says so', async () => {
    await using rig = await createRig();
    rig.home.set.pep = true;
    expect(await rig.add({ service: 'pep' })).toMatchObject({ service: 'box@home.test', pep: { reason: 'the owner said so' } });
    await rig.item('a', 'x', 1);
    await rig.log.append({ topic: 'a', kind: 'retract', id: 'x' });
    await rig.publish('a', 2);
    await rig.drained();
    expect([rig.count(`${PEP}a`), rig.home.nodes.has('a')]).toEqual([1, false]);
  });

  it('that makes no node when asked makes it by publishing, as the options say (XEP-0060 §7.1.5)', async () => {
    await using rig = await createRig();
    rig.home.set.pep = true;
    rig.home.set.answer = (iq, what, node) => {
      if (what === 'publish' && !rig.home.nodes.has(node) && iq.getChild('pubsub')?.getChild('publish-options')) rig.home.nodes.set(node, new Map());
      return what === 'create' ? 'feature-not-implemented' : undefined;
    };
    await rig.log.append({ topic: 'a', kind: 'configure', config: { accessModel: 'open' } });
    await rig.add({ service: 'pep' });
    await rig.publish('a', 1);
    await rig.drained();
    const [publish] = rig.home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('publish'));
    const options = publish?.getChild('pubsub')?.getChild('publish-options')?.getChild('x', 'jabber:x:data')?.getChildren('field').map((field) => [attr(field, 'var'), field.getChildText('value')]);
    expect(options).toEqual([['FORM_TYPE', 'http://jabber.org/protocol/pubsub#publish-options'], ['pubsub#persist_items', '1'], ['pubsub#access_model', 'open']]);
  });

  it('what it had acknowledged and lost is sent again', async () => {
    await using rig = await createRig({ limits: { settle: 60_000 } });
    ordinary(rig);
    await rig.add({ service: undefined });
    await rig.publish('a', 1, 2, 3);
    await rig.acknowledged(`${PEP}a`, 3);
    const items = rig.home.nodes.get(`${PEP}a`);
    items?.delete([...items.keys()].at(-1) ?? '');
    await rig.restart();
    await rig.until(() => rig.count(`${PEP}a`) === 3);
    expect(rig.count('a')).toBe(0);
  });
});
