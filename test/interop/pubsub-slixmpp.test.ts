// XEP-0060 with a client that none of us wrote: slixmpp's plugin, over a stream of XEP-0174.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { selfSigned } from '../../src/trust/certificate.ts';
import { type Identity, loadIdentity } from '../../src/trust/identity.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { readJsonLines } from '../support/json-lines.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { ROOT } from '../support/root.ts';

interface Line { readonly event?: string; readonly xml?: string; readonly answer?: string; readonly error?: string[]; readonly reason?: string }

const ENTRY = "<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title></entry>";

/** A peer on slixmpp's plugins, with a key of its own. */
interface Slixmpp {
  readonly identity: Identity;
  /** What a method of the plugin gives, as XML, or its error. */
  call(method: string, words?: Readonly<Record<string, unknown>>): Promise<string>;
  /** The first of what it was told, or asked, that holds `part`. */
  told(event: string, part?: string): Promise<string>;
  quit(): Promise<void>;
}

async function slixmpp(lan: Lan, dir: string, name: string): Promise<Slixmpp> {
  const own = join(dir, name);
  mkdirSync(own);
  const identity = await loadIdentity(own, { machine: 'test' });
  const pem = join(own, 'peer.pem');
  writeFileSync(pem, `${identity.key}${await selfSigned(identity.key)}`);
  const child = lan.exec(2, '/usr/bin/python3', [join(ROOT, 'test/support/slixmpp-peer.py'), name, lan.address(2), pem, 'box@kitchen']);
  const output = readJsonLines<Line>(child, name);
  await output.wait(({ event }) => event === 'ready', { timeout: 30_000 });
  return {
    identity,
    async call(method, words = {}) {
      const after = output.lines.length;
      child.stdin.write(`${JSON.stringify({ do: method, with: words })}\n`);
      const { answer, error } = await output.wait((line) => line.answer !== undefined || line.error !== undefined, { after });
      return answer ?? `error ${String(error?.join(' / '))}`;
    },
    async told(event, part = '') {
      const found = await output.wait((line) => line.event === event && line.xml?.includes(part) === true);
      return found.xml ?? '';
    },
    async quit() {
      if (child.exitCode !== null) return;
      const closed = once(child, 'close');
      child.stdin.write('{"do":"quit"}\n');
      await closed;
    },
  };
}

describe.skipIf(!needs('root', 'python3-zeroconf', 'python3-slixmpp'))('pubsub with slixmpp', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-slixmpp-'));
  let lan: Lan;
  let process: BoxProcess;
  let box: Box;
  let ann: Slixmpp;
  /** Has a key, and no grant. */
  let bob: Slixmpp;
  const call: Slixmpp['call'] = (...asked) => ann.call(...asked);
  const told: Slixmpp['told'] = (...what) => ann.told(...what);

  beforeAll(async () => {
    lan = await createLan(2, { names: ['kitchen', 'snake'] });
    process = await startBox({ dir: join(dir, 'box'), name: 'box', lan, host: 1 });
    box = await process.attach();
    ann = await slixmpp(lan, dir, 'ann@snake');
    bob = await slixmpp(lan, dir, 'bob@snake');
    await box.trust.allow(ann.identity.fingerprint, 'write', 'blog/#');
  });
  afterAll(async () => {
    await ann?.quit();
    await bob?.quit();
    await box?.close();
    await process?.stop();
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  it('goes through the life of a node: created, configured, subscribed to, published to, and all of it told', async () => {
    expect(await call('get_info')).toMatch(/type="service"[^]*type="pep"[^]*pubsub#access-presence/);
    expect(await call('create_node', { node: 'blog/a', config: { title: 'A blog', access_model: 'open', notify_retract: '1' } })).not.toContain('error');
    expect((await box.topics.get('blog/a'))?.title).toBe('A blog');
    expect(await call('get_node_config', { node: 'blog/a' })).toContain('A blog');
    expect(await call('set_node_config', { node: 'blog/a', config: { title: 'Musings' } })).not.toContain('error');
    expect((await box.topics.get('blog/a'))?.title).toBe('Musings');
    expect(await call('get_nodes')).toContain('blog/');
    expect(await call('subscribe', { node: 'blog/a' })).toContain('subscription="subscribed"');
    expect(await call('get_subscriptions')).toContain('node="blog/a"');

    expect(await call('publish', { node: 'blog/a', id: 'i1', payload: ENTRY })).toContain('i1');
    expect(await told('publish', 'i1')).toContain('Soliloquy');
    expect(await call('get_item', { node: 'blog/a', item_id: 'i1' })).toContain('Soliloquy');
    expect(await box.items('blog/a')).toMatchObject([{ id: 'i1', contentType: 'application/xml' }]);
    await box.publish('blog/a', { from: 'the box' }, { id: 'i2' });
    expect(await told('publish', 'i2')).toContain('from');
    expect(await call('get_items', { node: 'blog/a', max_items: 1 })).not.toContain('i1');
    expect(await call('get_items', { node: 'blog/a', iterator: true })).toMatch(/i1[^]*i2/);

    expect(await call('retract', { node: 'blog/a', id: 'i1', notify: '1' })).not.toContain('error');
    expect(await told('retract')).toContain('i1');
    expect(await call('purge', { node: 'blog/a' })).not.toContain('error');
    expect(await told('purge')).toContain('blog/a');
    expect(await box.items('blog/a')).toEqual([]);
    expect(await call('delete_node', { node: 'blog/a' })).not.toContain('error');
    expect(await told('delete')).toContain('blog/a');
    expect(await box.topics.get('blog/a')).toBeUndefined();
  });

  it('owns what it made: it says who else may read and write there', async () => {
    await call('create_node', { node: 'blog/b' });
    expect(await call('get_affiliations')).toMatch(/node="blog\/b"[^>]*owner|affiliation="owner"[^>]*blog\/b/);
    expect(await call('get_node_affiliations', { node: 'blog/b' })).toContain('owner');
  });

  it('subscribes with options, and unsubscribes', async () => {
    await call('create_node', { node: 'blog/c' });
    expect(await call('subscribe', { node: 'blog/c', options: { include_body: '1' } })).toContain('include_body');
    await box.publish('blog/c', 'for people', { id: 'c1' });
    expect(await told('publish', 'c1')).toContain('<body>for people</body>');
    expect(await call('get_subscription_options', { node: 'blog/c', user_jid: 'ann@snake' })).toContain('show-values');
    expect(await call('unsubscribe', { node: 'blog/c' })).not.toContain('error');
    expect(await call('get_subscriptions', { node: 'blog/c' })).not.toContain('subscribed');
  });

  it('is asked whether somebody may subscribe, and says so; as the owner it sees who has, and ends it', async () => {
    await call('create_node', { node: 'blog/d', config: { access_model: 'authorize' } });
    expect(await bob.call('subscribe', { node: 'blog/d' })).toContain('subscription="pending"');
    expect(await bob.call('subscribe', { node: 'blog/d' })).toBe('error not-authorized / pending-subscription');
    expect(await bob.call('get_items', { node: 'blog/d' })).toBe('error not-authorized / not-subscribed');
    expect(await call('get_node_subscriptions', { node: 'blog/d' })).not.toContain('bob@snake');
    expect(await told('form', 'bob@snake')).toContain('pubsub#subscribe_authorization');
    expect(await call('answer_form', { fields: { 'pubsub#allow': true } })).toContain('submit');
    expect(await bob.told('subscription', 'blog/d')).toContain('subscription="subscribed"');
    await box.publish('blog/d', 'let in', { id: 'd1' });
    expect(await bob.told('publish', 'd1')).toContain('let in');
    expect(await call('get_node_subscriptions', { node: 'blog/d' })).toMatch(/jid="bob@snake"[^>]*subscription="subscribed"|subscription="subscribed"[^>]*jid="bob@snake"/);
    expect(await call('modify_subscriptions', { node: 'blog/d', subscriptions: [['bob@snake', 'none']] })).not.toContain('error');
    expect(await bob.told('subscription', 'subscription="none"')).toContain('blog/d');
    expect(await call('get_node_subscriptions', { node: 'blog/d' })).not.toContain('bob@snake');
  });

  it('says how others stand to its node', async () => {
    await call('create_node', { node: 'blog/e' });
    expect(await bob.call('publish', { node: 'blog/e', payload: ENTRY })).toBe('error forbidden');
    expect(await call('modify_affiliations', { node: 'blog/e', affiliations: [['bob@snake', 'publisher']] })).not.toContain('error');
    expect(await bob.call('get_affiliations', { node: 'blog/e' })).toContain('affiliation="publisher"');
    expect(await bob.call('publish', { node: 'blog/e', id: 'e1', payload: ENTRY })).toContain('e1');
    expect(await call('get_node_affiliations', { node: 'blog/e' })).toContain('bob@snake');
    expect(await call('modify_affiliations', { node: 'blog/e', affiliations: [['bob@snake', 'outcast']] })).not.toContain('error');
    expect(await bob.call('get_items', { node: 'blog/e' })).toBe('error forbidden');
    expect(await call('modify_affiliations', { node: 'blog/e', affiliations: [['nobody@nowhere', 'member']] })).toBe('error not-acceptable');
    expect(await bob.call('modify_affiliations', { node: 'blog/e', affiliations: [['bob@snake', 'owner']] })).toBe('error forbidden');
  });

  it('publishes with options: they make the node, and are a condition of one that is there', async () => {
    expect(await call('publish', { node: 'blog/f', id: 'f1', payload: ENTRY, options: { access_model: 'open', max_items: '3' } })).toContain('f1');
    expect(await box.topics.get('blog/f')).toMatchObject({ accessModel: 'open', maxItems: 3 });
    expect(await call('publish', { node: 'blog/f', id: 'f2', payload: ENTRY, options: { max_items: '3' } })).toContain('f2');
    expect(await call('publish', { node: 'blog/f', id: 'f3', payload: ENTRY, options: { access_model: 'whitelist' } })).toBe('error conflict / precondition-not-met');
    expect((await box.items('blog/f')).map((item) => 'id' in item && item.id)).toEqual(['f1', 'f2']);
  });

  it('is shown how a node is set up of which nothing is said', async () => {
    const form = await bob.call('get_node_config');
    expect(form).toContain('http://jabber.org/protocol/pubsub#node_config');
    expect(form).toMatch(/var="pubsub#access_model"[^]*?<value>whitelist<\/value>/);
  });

  it('deletes a node and says where it is from then on', async () => {
    await call('create_node', { node: 'blog/g', config: { access_model: 'open' } });
    await bob.call('subscribe', { node: 'blog/g' });
    expect(await call('delete_node', { node: 'blog/g', redirect: 'xmpp:ann@home.example?;node=g' })).not.toContain('error');
    expect(await bob.told('delete', 'blog/g')).toContain('uri="xmpp:ann@home.example?;node=g"');
    expect(await bob.call('subscribe', { node: 'blog/g' })).toBe('error gone');
  });

  it('is told why not', async () => {
    await box.topics.create('private');
    expect(await call('subscribe', { node: 'private' })).toBe('error not-allowed / closed-node');
    expect(await call('get_items', { node: 'private' })).toBe('error not-allowed / closed-node');
    expect(await call('publish', { node: 'private', payload: ENTRY })).toBe('error forbidden');
    expect(await call('create_node', { node: 'blog/b' })).toBe('error conflict');
    expect(await call('unsubscribe', { node: 'blog/b' })).toBe('error unexpected-request / not-subscribed');
    expect(await call('subscribe', { node: 'blog/b', subscribee: 'somebody@else' })).toBe('error bad-request / invalid-jid');
  });
});
