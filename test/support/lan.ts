import { type ChildProcess, type ChildProcessWithoutNullStreams, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './root.ts';

const SCRIPT = join(ROOT, 'test/support/lan.sh');
const run = promisify(execFile);

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** A private Ethernet of hosts 1 to n, each a network namespace with `10.77.0.i`, a link-local IPv6 address and a name of its own. */
export interface Lan extends AsyncDisposable {
  readonly size: number;
  /** Name of the host's network namespace. */
  namespace(host: number): string;
  hostName(host: number): string;
  address(host: number): string;
  /** Starts a program in the host; it is killed by `down` at the latest. */
  exec(host: number, command: string, args?: readonly string[], options?: RunOptions): ChildProcessWithoutNullStreams;
  /** Runs a program to its end and gives what it printed; a failure rejects. */
  run(host: number, command: string, args?: readonly string[], options?: RunOptions & { readonly timeout?: number }): Promise<string>;
  /** Starts dbus and avahi-daemon in the host; what is started there afterwards finds them. */
  avahi(host: number): Promise<void>;
  /** What is started in the host afterwards asks that DNS server, as its system's one. */
  resolver(host: number, address: string): Promise<void>;
  /** The host's packets vanish while its link stays up, as when a switch dies further on. */
  silentCut(host: number): Promise<void>;
  restore(host: number): Promise<void>;
  /** How the switch treats the host's port. */
  port(host: number, settings: PortSettings): Promise<void>;
  /** Splits the LAN: hosts of one group hear each other only. Hosts not named keep together. */
  partition(...groups: readonly (readonly number[])[]): Promise<void>;
  heal(): Promise<void>;
  /** Gives the host another device, plugged into the segment of that number, 1 to 9, as `partition` counts its groups. */
  attach(host: number, device: string, segment: number): Promise<void>;
  down(): Promise<void>;
}

export interface PortSettings {
  /** Hears nothing of other isolated ports, nor they of it. */
  readonly isolated?: boolean;
  /** Whether multicast goes out of it, to the host. */
  readonly multicast?: boolean;
  /** Larger packets vanish. */
  readonly mtu?: number;
  readonly up?: boolean;
}

export interface LanOptions {
  /** Host names in order; default `h1`, `h2`, … Two hosts may share one. */
  readonly names?: readonly string[];
}

let count = 0;

export async function createLan(size: number, options: LanOptions = {}): Promise<Lan> {
  const prefix = `lp${process.pid}-${++count}`;
  const state = mkdtempSync(join(tmpdir(), 'lanpost-lan-'));
  const names = Array.from({ length: size }, (_, i) => options.names?.[i] ?? `h${i + 1}`);
  const env = { LAN: prefix, LAN_STATE: state, LAN_NAMES: names.join(' ') };
  const children = new Set<ChildProcess>();
  let isDown = false;

  const script = async (...args: string[]): Promise<void> => {
    await run(SCRIPT, args, { env: { ...process.env, ...env } });
  };
  const known = (host: number): string => {
    if (!Number.isInteger(host) || host < 1 || host > size) throw new RangeError(`this LAN has hosts 1 to ${size}, not ${host}`);
    return String(host);
  };
  const exec: Lan['exec'] = (host, command, args = [], { env: own, cwd } = {}) => {
    const child = spawn(SCRIPT, ['exec', known(host), command, ...args], { env: { ...process.env, ...env, ...own }, cwd });
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
  };
  // A worker that ends in the middle of a test must not leave daemons behind.
  const onExit = (): void => { execFileSync(SCRIPT, ['down'], { env: { ...process.env, ...env }, stdio: 'ignore' }); };

  await script('sweep');
  process.once('exit', onExit);
  const down = async (): Promise<void> => {
    if (isDown) return;
    isDown = true;
    process.off('exit', onExit);
    const closed = [...children].map((child) => once(child, 'close'));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(closed);
    await script('down');
  };
  try {
    await script('up', String(size));
  } catch (cause) {
    await down();
    throw cause;
  }

  return {
    size,
    namespace: (host) => `${prefix}-h${known(host)}`,
    hostName: (host) => names[Number(known(host)) - 1] ?? '',
    address: (host) => `10.77.0.${known(host)}`,
    exec,
    async run(host, command, args = [], { timeout = 40_000, ...rest } = {}) {
      const child = exec(host, command, args, rest);
      child.stdin.end();
      let out = '';
      let err = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => { out += text; });
      child.stderr.setEncoding('utf8').on('data', (text: string) => { err += text; });
      const timer = setTimeout(() => child.kill('SIGKILL'), timeout);
      await once(child, 'close');
      clearTimeout(timer);
      if (child.exitCode !== 0) throw new Error(`host ${host}: ${command} ${args.join(' ')} ended with ${child.exitCode ?? child.signalCode}: ${err || out}`);
      return out;
    },
    avahi: (host) => script('avahi', known(host)),
    resolver: (host, address) => script('resolver', known(host), address),
    silentCut: (host) => script('cut', known(host)),
    restore: (host) => script('restore', known(host)),
    async port(host, { isolated, multicast, mtu, up }) {
      const set = (name: string, value: string): Promise<void> => script('port', known(host), name, value);
      if (isolated !== undefined) await set('isolated', isolated ? 'on' : 'off');
      if (multicast !== undefined) await set('mcast_flood', multicast ? 'on' : 'off');
      if (mtu !== undefined) await set('mtu', String(mtu));
      if (up !== undefined) await set('link', up ? 'up' : 'down');
    },
    async partition(...groups) {
      for (let host = 1; host <= size; host++) {
        const group = groups.findIndex((hosts) => hosts.includes(host));
        await script('segment', String(host), String(group + 1));
      }
    },
    attach: (host, device, segment) => script('attach', known(host), device, String(segment)),
    async heal() {
      for (let host = 1; host <= size; host++) await script('segment', String(host), '0');
    },
    down,
    [Symbol.asyncDispose]: down,
  };
}
