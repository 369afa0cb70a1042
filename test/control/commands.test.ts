// One suite for commands of the box in this process and of the box at the other end of the socket: the same Box.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { attachService } from '../../src/control/attachment.ts';
import { CONTROL_LIMITS } from '../../src/control/limits.ts';
import { take } from '../../src/control/take.ts';
import { attachBox, createBox, LanpostError, type Box, type CommandCall } from '../../src/index.ts';

describe.each(['in this process', 'attached'])('commands of a box %s', (where) => {
  let dir: string;
  let owner: Box;
  let box: Box;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'lanpost-box-'));
    owner = await createBox({ dir, link: false, name: 'test' });
    box = where === 'attached' ? await attachBox({ dir }) : owner;
  });
  afterEach(async () => {
    await box.close();
    await owner.close();
    await rm(dir, { recursive: true, force: true });
  });

  it('are offered, listed, run by the box itself, and taken back', async () => {
    const offer = await box.commands.offer('echo', ({ value, command }) => ({ value, command }), { title: 'Echo' });
    expect(offer.name).toBe('echo');
    expect(await owner.commands.list()).toEqual([{ name: 'echo', title: 'Echo' }]);
    expect(await box.commands.list()).toEqual([{ name: 'echo', title: 'Echo' }]);
    for (const runner of [owner, box]) {
      expect(await runner.commands.run('link:test', 'echo', { a: [0, ''] })).toEqual({ value: { a: [0, ''] }, command: 'echo' });
      expect(await runner.commands.run('link:test', 'echo')).toEqual({ value: null, command: 'echo' });
    }
    await expect(box.commands.offer('echo', () => 1)).rejects.toMatchObject({ code: 'conflict' });
    await offer.close();
    await offer.ended;
    expect(await owner.commands.list()).toEqual([]);
    await expect(box.commands.run('link:test', 'echo')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('give bytes as they are, and nothing as nothing', async () => {
    const answers = new Map<string, unknown>([['bytes', Uint8Array.of(0, 255)], ['nothing', undefined], ['null', null], ['empty', '']]);
    for (const [name, answer] of answers) await box.commands.offer(name, () => answer as never);
    for (const [name, answer] of answers) expect(await box.commands.run('link:test', name)).toEqual(answer);
  });

  it('fail with the code and the words that they mean to be told, and no others', async () => {
    await box.commands.offer('meant', () => { throw new LanpostError('conflict', 'somebody else is at it'); });
    await box.commands.offer('not-meant', () => { throw new Error('a secret'); });
    await expect(box.commands.run('link:test', 'meant')).rejects.toMatchObject({ code: 'conflict', message: 'somebody else is at it' });
    await expect(box.commands.run('link:test', 'not-meant')).rejects.toMatchObject({ code: 'failed', message: expect.not.stringContaining('secret') });
    expect((await owner.status()).troubles).toMatchObject({ 'commands.failed': 1 });
  });

  it.runIf(where === 'attached')('that give what cannot be handed over fail at once, and say why', async () => {
    await box.commands.offer('much', () => 'x'.repeat(CONTROL_LIMITS.frameBytes + 1), { timeout: 60_000 });
    await expect(owner.commands.run('link:test', 'much')).rejects.toMatchObject({ code: 'too-large' });
  });

  it.runIf(where === 'attached')('that are answered with nonsense fail at once, here and there', async () => {
    const program = await attachService({ dir });
    const { rpc } = program;
    const stream = rpc.open('commands.offer', ['odd', { timeout: 60_000 }], { decode: ({ value }) => value, ahead: 1 });
    await stream.ready;
    const run = owner.commands.run('link:test', 'odd').catch((error: unknown) => error);
    const { value: event } = await stream.next();
    const { id } = take<{ id: string }>(event);
    await expect(rpc.call('commands.answer', [id, { value: 7 }])).rejects.toThrow('not a value');
    expect(await run).toMatchObject({ code: 'failed' });
    await program.close();
  });

  it('are told when nobody waits any more', async () => {
    let called: ((call: CommandCall) => void) | undefined;
    const came = new Promise<CommandCall>((resolve) => { called = resolve; });
    await box.commands.offer('slow', (call) => { called?.(call); return new Promise(() => undefined); }, { timeout: 300 });
    const run = box.commands.run('link:test', 'slow').catch((error: unknown) => error);
    const { signal } = await came;
    const aborted = new Promise((resolve) => { signal.addEventListener('abort', resolve); });
    expect(await run).toMatchObject({ code: 'timeout' });
    await aborted;
  });

  it('are wrong by type as everywhere', async () => {
    await expect(box.commands.offer('x', 1 as never)).rejects.toThrow(TypeError);
    await expect(box.commands.offer(1 as never, () => 1)).rejects.toThrow(TypeError);
    await expect(box.commands.run('link:other', 'x', 1, { timeout: 'soon' as never })).rejects.toThrow(TypeError);
    await expect(box.commands.run('link:other', 'x')).rejects.toMatchObject({ code: 'unreachable' });
    await expect(box.request('link:other', '<a xmlns="x"/>')).rejects.toMatchObject({ code: 'unreachable' });
    await expect(box.request('link:other', 'no xml')).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(box.request('xmpp:a@b.example', '<a xmlns="x"/>', { type: 'put' as never })).rejects.toThrow(TypeError);
  });

  it('may be granted to accounts elsewhere', async () => {
    expect(await box.trust.allow('xmpp:Me@Home.Example/phone', 'command', 'lights/#')).toEqual({ name: 'xmpp:me@home.example', grants: [{ right: 'command', filter: 'lights/#' }], denials: [] });
    expect(await box.trust.accounts()).toMatchObject([{ name: 'xmpp:me@home.example' }]);
    await expect(box.trust.allow('xmpp:me@home.example', 'read', 'a')).rejects.toMatchObject({ code: 'invalid-value' });
    await expect(box.trust.allow('class:paired', 'command')).rejects.toThrow(TypeError);
    await box.trust.revoke('xmpp:me@home.example');
    expect(await box.trust.accounts()).toEqual([]);
  });
});

it('what an attached program offers goes with it', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-box-'));
  const owner = await createBox({ dir, link: false, name: 'test' });
  try {
    const program = await attachBox({ dir });
    let called: (() => void) | undefined;
    const came = new Promise<void>((resolve) => { called = resolve; });
    const offer = await program.commands.offer('x', () => { called?.(); return new Promise(() => undefined); });
    const run = owner.commands.run('link:test', 'x').catch((error: unknown) => error);
    await came;
    await program.close();
    await offer.ended;
    expect(await run).toMatchObject({ code: 'closed' });
    expect(await owner.commands.list()).toEqual([]);
  } finally {
    await owner.close();
    await rm(dir, { recursive: true, force: true });
  }
});
