import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually } from './eventually.ts';
import { readJsonLines, type WaitOptions } from './json-lines.ts';
import type { Lan } from './lan.ts';
import { ROOT } from './root.ts';

const SOURCE = join(ROOT, 'test/support/purple-peer');
const run = promisify(execFile);
/** Probing takes a second, ms. */
const ANNOUNCED = 10_000;
const TRIES = 3;

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
  /** Where the files that it takes come to lie. */
  readonly dir: string;
  /** Everything it has said, in order. */
  readonly events: readonly PurpleEvent[];
  /** The first event that fits, of those since `after` (an index into `events`; default the first) or still to come. */
  event(expected: Expected, options?: WaitOptions): Promise<PurpleEvent>;
  /** A command of purple-peer: `status away lunch`, `buddies`, `close BUDDY`, … */
  command(line: string): void;
  /** TEXT is purple markup (HTML), one line. */
  send(buddy: string, text: string): void;
  /** Closes the conversation, and so the stream. */
  close(buddy: string): void;
  /** Signs off cleanly. */
  quit(): Promise<void>;
  /** Stands still: its system takes what comes, and it does nothing. */
  freeze(): void;
  /** Goes on with all that has come. */
  thaw(): void;
  kill(): Promise<void>;
}

/** The host must run avahi already. Resolves when libpurple has signed on, and is announced. */
export async function startPurple(lan: Lan, host: number, nick: string, port?: number): Promise<Purple> {
  const program = await buildPurplePeer();
  for (let tries = 1; ; tries++) {
    const purple = await signOn(lan, host, program, nick, port);
    if (await isAnnounced(lan, host, purple.name)) return purple;
    // COMPAT(libpurple 2.14, avahi 0.8): on a busy machine it signs on, and what it offers is probed for once and then forgotten.
    await purple.kill();
    if (tries === TRIES) throw new Error(`${purple.name} signs on, and is not announced`);
  }
}

async function signOn(lan: Lan, host: number, program: string, nick: string, port?: number): Promise<Purple> {
  const state = mkdtempSync(join(tmpdir(), 'lanpost-purple-'));
  const child = lan.exec(host, program, [nick, state, ...(port === undefined ? [] : [String(port)])]);
  const said = readJsonLines<PurpleEvent>(child, nick);
  const closed = said.ended.then(() => rmSync(state, { recursive: true, force: true }));
  const event: Purple['event'] = (expected, options) => said.wait(typeof expected === 'function' ? expected
    : (one) => Object.entries(expected).every(([key, value]) => one[key] === value), options);
  const command = (line: string): void => { child.stdin.write(`${line}\n`); };
  const quit = async (): Promise<void> => {
    child.stdin.end('quit\n');
    await closed;
  };

  await event({ event: 'signed-on' });
  return {
    name: `${nick}@${lan.hostName(host)}`, dir: state, events: said.lines, event, command, quit,
    send: (buddy, text) => command(`send ${word(buddy)} ${text}`),
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    close: (buddy) => command(`close ${word(buddy)}`),
    async kill() {
      child.kill('SIGKILL');
      await closed;
    },
    [Symbol.asyncDispose]: quit,
  };
}

/** Its own host knows of it when it has probed for its name. */
async function isAnnounced(lan: Lan, host: number, name: string): Promise<boolean> {
  const listed = async (): Promise<boolean> => (await lan.run(host, 'avahi-browse', ['-p', '-t', '_presence._tcp'])).split('\n')
    .some((line) => line.startsWith('+;') && unescaped(line.split(';')[3] ?? '') === name);
  return eventually(listed, { within: ANNOUNCED }).then(() => true, () => false);
}

/** avahi-browse writes what is no letter or digit as `\064`, a byte in decimal. */
const unescaped = (text: string): string => Buffer.from(text.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(Number(code))).replaceAll(/\\(.)/g, '$1'), 'latin1').toString();

/** As one word of a command. */
const word = (name: string): string => name.replaceAll('%', '%25').replaceAll(' ', '%20');

/** Builds it outside the tree, once per version of its source; of several callers one builds and the others wait. */
async function buildPurplePeer(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(join(SOURCE, 'purple-peer.c'))).digest('hex').slice(0, 12);
  const dir = join(tmpdir(), `lanpost-purple-peer-${userInfo().uid}-${version}`);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  // The copy too is under the lock: make must not meet a half-written Makefile.
  await run('flock', [join(dir, 'lock'), 'sh', '-c', '[ -x "$1/purple-peer" ] || { cp "$0"/* "$1" && make -s -C "$1"; }', SOURCE, dir]);
  return join(dir, 'purple-peer');
}
