import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Lan } from './lan.ts';

const SOURCE = fileURLToPath(new URL('purple-peer/', import.meta.url));
const run = promisify(execFile);

/** One line that purple-peer prints; which members there are depends on the event. */
export interface PurpleEvent {
  readonly t: number;
  readonly event: string;
  readonly buddy?: string;
  readonly text?: string;
  readonly status?: string;
  readonly message?: string;
  readonly alias?: string;
  readonly [key: string]: unknown;
}

export type Expected = Partial<PurpleEvent> | ((event: PurpleEvent) => boolean);

/** libpurple's Bonjour account, as Pidgin has it, on one host of the LAN. */
export interface Purple extends AsyncDisposable {
  /** Its instance name on the link. */
  readonly name: string;
  /** Everything it has said, in order. */
  readonly events: readonly PurpleEvent[];
  /** The first event that fits, of those since `after` (an index into `events`; default the first) or still to come. */
  event(expected: Expected, options?: { readonly timeout?: number; readonly after?: number }): Promise<PurpleEvent>;
  /** A command of purple-peer: `status away lunch`, `buddies`, `close BUDDY`, … */
  command(line: string): void;
  /** TEXT is purple markup (HTML), one line. */
  send(buddy: string, text: string): void;
  /** Signs off cleanly. */
  quit(): Promise<void>;
  kill(): Promise<void>;
}

/** The host must run avahi already. Resolves when libpurple has signed on. */
export async function startPurple(lan: Lan, host: number, nick: string, port?: number): Promise<Purple> {
  const program = await buildPurplePeer();
  const state = mkdtempSync(join(tmpdir(), 'lanpost-purple-'));
  const child = lan.exec(host, program, [nick, state, ...(port === undefined ? [] : [String(port)])]);
  const closed = once(child, 'close').then(() => rmSync(state, { recursive: true, force: true }));
  const events: PurpleEvent[] = [];
  const waiting = new Set<() => void>();
  let stderr = '';
  let ended = false;
  const wake = (): void => { for (const call of waiting) call(); };
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  child.stdin.on('error', () => { /* it has ended: whoever waits for an event is told */ });
  createInterface({ input: child.stdout }).on('line', (line) => {
    events.push(JSON.parse(line) as PurpleEvent);
    wake();
  });
  child.once('close', () => {
    ended = true;
    wake();
  });

  const event: Purple['event'] = (expected, { timeout = 10_000, after = 0 } = {}) => new Promise((resolve, reject) => {
    const fits = typeof expected === 'function' ? expected
      : (one: PurpleEvent): boolean => Object.entries(expected).every(([key, value]) => one[key] === value);
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      waiting.delete(look);
      settle();
    };
    const fail = (why: string): void => finish(() => reject(new Error(
      `${nick}: ${why} while waiting for ${typeof expected === 'function' ? expected.toString() : JSON.stringify(expected)}; it said:\n${events.slice(after).map((one) => JSON.stringify(one)).join('\n')}\n${stderr}`)));
    let next = after;
    const look = (): void => {
      while (next < events.length) {
        const one = events[next++];
        if (one && fits(one)) return finish(() => resolve(one));
      }
      if (ended) fail('ended');
    };
    const timer = setTimeout(() => fail(`${timeout} ms passed`), timeout);
    waiting.add(look);
    look();
  });
  const command = (line: string): void => { child.stdin.write(`${line}\n`); };
  const quit = async (): Promise<void> => {
    child.stdin.end('quit\n');
    await closed;
  };

  await event({ event: 'signed-on' });
  return {
    name: `${nick}@${lan.hostName(host)}`, events, event, command, quit,
    send: (buddy, text) => command(`send ${buddy} ${text}`),
    async kill() {
      child.kill('SIGKILL');
      await closed;
    },
    [Symbol.asyncDispose]: quit,
  };
}

/** Builds it outside the tree, once per version of its source; of several callers one builds and the others wait. */
async function buildPurplePeer(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(join(SOURCE, 'purple-peer.c'))).digest('hex').slice(0, 12);
  const dir = join(tmpdir(), `lanpost-purple-peer-${userInfo().uid}-${version}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  cpSync(SOURCE, dir, { recursive: true, preserveTimestamps: true });
  await run('flock', [join(dir, 'lock'), 'make', '-s', '-C', dir]);
  return join(dir, 'purple-peer');
}
