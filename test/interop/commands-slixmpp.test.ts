// XEP-0050 with a client that none of us wrote: slixmpp's plugin, over a stream of XEP-0174, in both directions.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box, CommandCall } from '../../src/index.ts';
import { selfSigned } from '../../src/trust/certificate.ts';
import { type Identity, loadIdentity } from '../../src/trust/identity.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { type JsonLines, readJsonLines } from '../support/json-lines.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { ROOT } from '../support/root.ts';

interface Line { readonly event?: string; readonly answer?: string; readonly error?: string[]; readonly reason?: string }

describe.skipIf(!needs('root', 'python3-zeroconf', 'python3-slixmpp'))('commands with slixmpp', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-slixmpp-'));
  const calls: Omit<CommandCall, 'signal'>[] = [];
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
    const kept = ({ command, value, from, trust }: CommandCall): void => void calls.push({ command, value, ...(from === undefined ? {} : { from }), trust });
    await box.commands.offer('pump/start', (one) => { kept(one); return { litres: 12, running: true }; }, {
      title: 'Start the pump',
      fields: [{ name: 'seconds', kind: 'number', label: 'How long', required: true }, { name: 'mode', kind: 'list', options: ['slow', 'fast'] }],
    });
    await box.commands.offer('pump/state', () => 'all is well');
    await box.commands.offer('secret', () => 'nobody sees this');
    await box.trust.allow(identity.fingerprint, 'command', 'pump/#');
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

  it('finds what it may run, and only that', async () => {
    const list = await call('get_commands');
    expect(list).toMatch(/node="pump\/start"/);
    expect(list).toMatch(/name="Start the pump"/);
    expect(list).not.toContain('secret');
    expect(await call('get_info', { node: 'pump/start' })).toMatch(/type="command-node"/);
  });

  it('fills in the form that it is shown, and is shown the answer', async () => {
    const asked = await call('send_command', { node: 'pump/start', action: 'execute' });
    expect(asked).toMatch(/status="executing"/);
    expect(asked).toMatch(/<complete/);
    expect(asked).toMatch(/label="How long"/);
    const [, sessionid = ''] = /sessionid="([^"]+)"/.exec(asked) ?? [];
    const done = await call('send_command', { node: 'pump/start', action: 'complete', sessionid, fields: { seconds: '20', mode: 'fast' } });
    expect(done).toMatch(/status="completed"/);
    expect(done).toMatch(/var="litres"[^]*<value>12<\/value>/);
    expect(calls).toEqual([{ command: 'pump/start', value: { seconds: 20, mode: 'fast' }, from: 'link:ann@snake', trust: 'paired' }]);
    expect(await call('send_command', { node: 'pump/state', action: 'execute' })).toMatch(/<note type="info">all is well<\/note>/);
  });

  it('is told why not, in the terms of XEP-0050 §4.4', async () => {
    expect(await call('send_command', { node: 'secret', action: 'execute' })).toBe('error forbidden');
    expect(await call('send_command', { node: 'not/there', action: 'execute' })).toBe('error forbidden');
    expect(await call('send_command', { node: 'pump/none', action: 'execute' })).toBe('error item-not-found');
    expect(await call('send_command', { node: 'pump/start', action: 'complete', fields: { seconds: 'soon' } })).toBe('error bad-request / bad-payload');
    expect(await call('send_command', { node: 'pump/start', action: 'prev' })).toBe('error bad-request / bad-action');
    expect(await call('send_command', { node: 'pump/start', action: 'cancel' })).toMatch(/status="canceled"/);
  });

  it('has commands of its own run by the box: a form filled in by a value, an answer from a note or a form', async () => {
    expect(await box.commands.list('ann@snake')).toEqual([{ name: 'greet', title: 'Greet somebody' }, { name: 'report', title: 'Report' }]);
    expect(await box.commands.run('link:ann@snake', 'greet', { name: 'box' })).toBe('Hello box');
    expect(await box.commands.run('link:ann@snake', 'greet', { name: 'box', loud: true })).toBe('HELLO BOX');
    expect(await box.commands.run('link:ann@snake', 'report')).toEqual({ litres: '12', dry: false });
    await expect(box.commands.run('link:ann@snake', 'greet')).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('name') });
    await expect(box.commands.run('link:ann@snake', 'greet', { name: 'x', colour: 'red' })).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('colour') });
    await expect(box.commands.run('link:ann@snake', 'none')).rejects.toMatchObject({ code: 'not-found' });
    expect(await box.request('link:ann@snake', "<ping xmlns='urn:xmpp:ping'/>", { timeout: 10_000 })).toBeUndefined();
  });
});
