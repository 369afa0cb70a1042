// A whole box says that it has an item only after the item is on disk: to a peer that publishes over a stream, with a client that none of us wrote,
// and to a program at its control socket. What it asks of the system is written down.
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Box } from '../../src/index.ts';
import { selfSigned } from '../../src/trust/certificate.ts';
import { loadIdentity } from '../../src/trust/identity.ts';
import { type BoxProcess, startBox } from '../support/box.ts';
import { type JsonLines, readJsonLines } from '../support/json-lines.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { needs } from '../support/needs.ts';
import { ROOT } from '../support/root.ts';

const COUNT = 30;
const TRACED = ['strace', '-D', '-f', '-yy', '-s', '100000', '-e', 'trace=read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,fdatasync,fsync', '-o'];

interface Line { readonly event?: string; readonly answer?: string; readonly error?: string[] }

/** A call of the system: what it was, of which file or socket, and what was in it. */
interface Call { readonly what: 'read' | 'write' | 'sync'; readonly of: string; readonly text: string }

const KINDS: readonly (readonly [RegExp, Call['what']])[] = [[/^(?:read|recv)/, 'read'], [/^(?:write|send|pwrite)/, 'write'], [/^f(?:data)?sync/, 'sync']];

/** In the order in which what was written set out, and what was read or synced was done. */
function calls(trace: string): Call[] {
  const found: Call[] = [];
  /** By thread. */
  const begun = new Map<string, Call>();
  for (const line of trace.split('\n')) {
    const [, thread = '', call = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const resumed = begun.get(thread);
    if (call.startsWith('<...')) {
      begun.delete(thread);
      if (resumed && /\) += \d/.test(call) && !/\) += 0$/.test(call) === (resumed.what === 'read')) found.push({ ...resumed, text: call });
      continue;
    }
    const [, name = '', of = ''] = /^(\w+)\(\d+<(.*?)>(?:,|\)| <unfinished)/.exec(call) ?? [];
    const what = KINDS.find(([pattern]) => pattern.test(name))?.[1];
    if (what === undefined) continue;
    const one: Call = { what, of, text: call };
    if (what === 'write') found.push(one);
    else if (call.endsWith('<unfinished ...>')) begun.set(thread, one);
    else if (what === 'sync' ? /\) += 0$/.test(call) : /\) += [1-9]\d*$/.test(call)) found.push(one);
  }
  return found;
}

/** Of each item what happened, in order, from the moment at which it came in by that socket until the next one did. */
function story(all: readonly Call[], mark: string, socket: RegExp): string[] {
  return Array.from({ length: COUNT }, (_, n) => {
    const written = all.findIndex(({ what, of, text }) => what === 'write' && of.endsWith('.log') && text.includes(`${mark} ${n}.`));
    const wal = all[written]?.of;
    const by = all.findLastIndex(({ what, of }, i) => i < written && what === 'read' && socket.test(of));
    const door = all[by]?.of;
    const next = all.findIndex(({ what, of }, i) => i > written && what === 'read' && of === door);
    const steps = all.slice(by, next < 0 ? undefined : next).flatMap(({ what, of, text }) => {
      if (of === door) return [what === 'read' ? 'read' : 'answered'];
      if (of !== wal) return [];
      return what === 'sync' ? ['synced'] : text.includes(`${mark} ${n}.`) ? ['written'] : [];
    });
    return steps.filter((step, i) => step !== steps[i - 1]).join(', ');
  });
}

/** Written and synced before anything is answered; what is synced after that may be anything. */
const IN_ORDER = /^read, written, synced, answered(?:, synced|, answered)*$/;

describe.skipIf(!needs('root', 'strace', 'python3-zeroconf', 'python3-slixmpp'))('what a box acknowledges', () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-box-fsync-'));
  const file = join(dir, 'trace');
  let lan: Lan;
  let process: BoxProcess;
  let box: Box;
  let child: ChildProcessWithoutNullStreams;
  let output: JsonLines<Line>;
  let trace: Call[] = [];

  beforeAll(async () => {
    lan = await createLan(2, { names: ['kitchen', 'snake'] });
    process = await startBox({ dir: join(dir, 'box'), name: 'box', lan, host: 1, under: [...TRACED, file] });
    box = await process.attach();
    const identity = await loadIdentity(dir, { machine: 'test' });
    const pem = join(dir, 'peer.pem');
    writeFileSync(pem, `${identity.key}${await selfSigned(identity.key)}`);
    child = lan.exec(2, '/usr/bin/python3', [join(ROOT, 'test/support/slixmpp-peer.py'), 'ann@snake', lan.address(2), pem, 'box@kitchen']);
    output = readJsonLines<Line>(child, 'slixmpp');
    await output.wait(({ event }) => event === 'ready', { timeout: 60_000 });
    await box.topics.create('diary');
    await box.trust.allow(identity.fingerprint, 'write', 'diary');
    for (let n = 0; n < COUNT; n++) {
      const after = output.lines.length;
      const payload = `<entry xmlns='http://www.w3.org/2005/Atom'><id>streamed ${n}.</id><title>streamed ${n}.</title></entry>`;
      child.stdin.write(`${JSON.stringify({ do: 'publish', with: { node: 'diary', id: `i${n}`, payload } })}\n`);
      const { error } = await output.wait((line) => line.answer !== undefined || line.error !== undefined, { after });
      if (error) throw new Error(error.join(' '));
      await box.publish('diary', `attached ${n}. attached ${n}.`);
    }
    const closed = once(child, 'close');
    child.stdin.write('{"do":"quit"}\n');
    await closed;
    await box.close();
    await process.stop();
    trace = calls(readFileSync(file, 'utf8'));
  });
  afterAll(async () => {
    await box?.close();
    await process?.kill();
    await lan?.down();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is on disk before anything goes out on the stream by which it came', () => {
    expect(story(trace, 'streamed', /^TCP/).filter((one) => !IN_ORDER.test(one))).toEqual([]);
  });

  it('is on disk before the control socket answers', () => {
    expect(story(trace, 'attached', /^UNIX/).filter((one) => !IN_ORDER.test(one))).toEqual([]);
  });
});
