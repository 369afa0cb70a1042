// XEP-0060 with a client that none of us wrote: slixmpp's plugin, over a stream of XEP-0174.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { selfSigned } from '../../src/trust/certificate.ts';
import { type Identity, loadIdentity } from '../../src/trust/identity.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { type JsonLines, readJsonLines } from '../support/json-lines.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { ROOT } from '../support/root.ts';

interface Line { readonly event?: string; readonly xml?: string; readonly answer?: string; readonly error?: string[]; readonly reason?: string }

const ENTRY = "<entry xmlns='http://www.w3.org/2005/Atom'><title>Soliloquy</title></entry>";

describe.skipIf(!needs('root', 'python3-zeroconf', 'python3-slixmpp'))('pubsub with slixmpp', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-slixmpp-'));
  let lan: Lan;
  let process: BoxProcess;
  let box: Box;
  let identity: Identity;
  let child: ChildProcessWithoutNullStreams;
  let output: JsonLines<Line>;

  /** What a method of the plugin gives, as XML, or its error. */
  const call = async (method: string, words: Readonly<Record<string, unknown>> = {}): Promise<string> => {
    const after = output.lines.length;
    child.stdin.write(`${JSON.stringify({ do: method, with: words })}\n`);
    const { answer, error } = await output.wait((line) => line.answer !== undefined || line.error !== undefined, { after });
    return answer ?? `error ${String(error?.join(' / '))}`;
  };
  const told = async (event: string, part = ''): Promise<string> => {
    const found = await output.wait((line) => line.event === event && line.xml?.includes(part) === true);
    return found.xml ?? '';
  };

  beforeAll(async () => {
    lan = await createLan(2, { names: ['kitchen', 'snake'] });
    process = await startBox({ dir: join(dir, 'box'), name: 'box', lan, host: 1 });
    box = await process.attach();
    identity = await loadIdentity(dir, { machine: 'test' });
    const pem = join(dir, 'peer.pem');
    writeFileSync(pem, `${identity.key}${await selfSigned(identity.key)}`);
    child = lan.exec(2, '/usr/bin/python3', [join(ROOT, 'test/support/slixmpp-peer.py'), 'ann@snake', lan.address(2), pem, 'box@kitchen']);
    output = readJsonLines<Line>(child, 'slixmpp');
    await output.wait(({ event }) => event === 'ready', { timeout: 30_000 });
    await box.trust.allow(identity.fingerprint, 'write', 'blog/#');
  });
  afterAll(async () => {
    if (child?.exitCode === null) {
      const closed = once(child, 'close');
      child.stdin.write('{"do":"quit"}\n');
      await closed;
    }
    await box?.close();
    await process?.stop();
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  it('goes through the life of a node: created, configured, subscribed to, published to, and all of it told', async () => {
    expect(await call('get_info')).toContain('type="service"');
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
