import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import type { Lan } from './lan.ts';
import { ROOT } from './root.ts';

const RELAY = join(ROOT, 'test/support/wire.py');
const run = promisify(execFile);

export interface WireSettings {
  /** `false` drops everything while both links stay up. */
  readonly on?: boolean;
  /** Milliseconds that every frame takes. */
  readonly delay?: number;
  /** Milliseconds that a frame may take more, at random; frames stay in order. */
  readonly jitter?: number;
  /** Shares of the frames, 0 to 1. */
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  readonly seed?: number;
  /** Only frames sent by this end; default both. */
  readonly from?: 'a' | 'b';
}

export interface WireCounts { readonly in: number; readonly out: number; readonly lost: number; readonly duplicated: number; readonly reordered: number }

/** A bad cable between two hosts of a LAN: device `wire0` at both ends, `10.78.0.HOST`, beside their `eth0`. */
export interface Wire extends AsyncDisposable {
  /** The device's name at both ends. */
  readonly device: 'wire0';
  address(host: number): string;
  /** Changes only what is named; gives the counts so far, of frames sent by `a` and by `b`. */
  set(settings: WireSettings): Promise<{ a: WireCounts; b: WireCounts }>;
  close(): Promise<void>;
}

/** This kernel's netem may be missing and AF_PACKET over veth hung TCP, so frames go through a program. */
export async function createWire(lan: Lan, a: number, b: number, settings: WireSettings = {}): Promise<Wire> {
  const relay = spawn('/usr/bin/env', ['python3', RELAY, lan.namespace(a), lan.namespace(b)], { stdio: ['pipe', 'pipe', 'pipe'] });
  let stderr = '';
  relay.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  relay.stdin.on('error', () => { /* it has ended: `answer` says so */ });
  const lines = createInterface({ input: relay.stdout })[Symbol.asyncIterator]();
  const answer = async (): Promise<unknown> => {
    const line = await lines.next();
    if (line.done) throw new Error(`the wire's relay ended: ${stderr}`);
    return JSON.parse(line.value);
  };
  const close = async (): Promise<void> => {
    if (relay.exitCode !== null || relay.signalCode !== null) return;
    const closed = once(relay, 'close');
    relay.kill('SIGKILL');
    await closed;
  };
  // One command at a time, so that each meets its own answer.
  let last: Promise<unknown> = answer();
  const set: Wire['set'] = (change) => {
    const mine = last.then(() => {
      relay.stdin.write(`${JSON.stringify(change)}\n`);
      return answer() as Promise<{ a: WireCounts; b: WireCounts }>;
    });
    last = mine.catch(() => { /* told to whoever asked */ });
    return mine;
  };
  const address = (host: number): string => `10.78.0.${host}`;

  try {
    await last;
    for (const host of [a, b]) {
      const ip = (...args: string[]): Promise<unknown> => run('ip', ['-n', lan.namespace(host), ...args]);
      await ip('addr', 'add', `${address(host)}/24`, 'brd', '+', 'dev', 'wire0');
      await ip('link', 'set', 'wire0', 'up', 'allmulticast', 'on');
    }
    await set(settings);
  } catch (cause) {
    await close();
    throw cause;
  }
  return { device: 'wire0', address, set, close, [Symbol.asyncDispose]: close };
}
