import { execFile, execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Lan } from './lan.ts';
import { ROOT } from './root.ts';

const run = promisify(execFile);

export interface HomeServerOptions {
  /** Run it in this host of a LAN, on that host's address; else on loopback with free ports. */
  readonly lan?: Lan;
  readonly host?: number;
  readonly domain?: string;
  /** Further settings of the script; see the head of `home/prosody.sh` and `home/ejabberd.sh`. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Erlang's schedulers spin while they wait for each other: beside other work on two cores ejabberd takes 45 s to start with two of
 * them, and 8 s with one (measured, three processes beside it). Whoever measures it gives `ERL_FLAGS` as empty.
 */
const ONE_SCHEDULER = '+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none';

/** A real XMPP server with a certificate authority of its own, three accounts and a pubsub service. */
export interface HomeServer extends AsyncDisposable {
  readonly kind: 'prosody' | 'ejabberd';
  readonly domain: string;
  /** `pubsub.DOMAIN`; `edge1` and `edge2` may create nodes there. */
  readonly service: string;
  readonly host: string;
  /** STARTTLS port for clients; `port + 1` speaks TLS at once. */
  readonly port: number;
  /** Its services over HTTPS, by its own name, which nobody but a proxy with a book looks up. */
  readonly web: { readonly port: number; readonly websocket: string; readonly bosh: string };
  /** Path of the PEM of its certificate authority. */
  readonly ca: string;
  /** All its state: data, configuration, logs. */
  readonly dir: string;
  account(name: 'edge1' | 'edge2' | 'viewer'): { jid: string; password: string };
  /** Resolves when clients can connect. `env`: further settings, for this time. */
  start(env?: Readonly<Record<string, string>>): Promise<void>;
  /** Ends it cleanly; the data stays. */
  stop(): Promise<void>;
  /** While it runs: from now on the account has that password, and its sessions end. */
  changePassword(name: 'edge1' | 'edge2', password: string): Promise<void>;
  /** While it runs: how many messages it keeps for an account that is away. Only ejabberd says so. */
  offline(name: 'edge1' | 'edge2'): Promise<number>;
  /** SIGKILL; the data stays as it is. */
  kill(): Promise<void>;
  /** Ends it and removes its data. */
  down(): Promise<void>;
}

/** Prepares a server without starting it. Prosody stores in SQLite, as its files cost O(n) per publish. */
export async function createHomeServer(kind: 'prosody' | 'ejabberd', options: HomeServerOptions = {}): Promise<HomeServer> {
  const { lan, host: lanHost = 1 } = options;
  const domain = options.domain ?? (kind === 'prosody' ? 'home.test' : 'hub.test');
  const dir = mkdtempSync(join(tmpdir(), `lanpost-${kind}-`));
  const host = lan ? lan.address(lanHost) : '127.0.0.1';
  const port = lan ? (kind === 'prosody' ? 15_222 : 25_222) : await freeBase();
  const script = join(ROOT, `test/support/home/${kind}.sh`);
  const env = { DOMAIN: domain, PORT: String(port), LISTEN: host, STORAGE: 'sql', ERL_FLAGS: ONE_SCHEDULER, ...options.env };

  const at = `${domain}:${port + 2}`;
  const web = { port: port + 2, websocket: `wss://${at}/${kind === 'prosody' ? 'xmpp-websocket' : 'ws'}`, bosh: `https://${at}/${kind === 'prosody' ? 'http-bind' : 'bosh'}` };
  const order = async (verb: 'start' | 'stop' | 'kill' | 'password' | 'offline', more: Readonly<Record<string, string>> = {}, words: readonly string[] = []): Promise<string> => {
    if (lan && verb !== 'stop' && verb !== 'kill') return lan.run(lanHost, script, [verb, dir, ...words], { env: { ...env, ...more }, timeout: 120_000 });
    return (await run(script, [verb, dir, ...words], { env: { ...process.env, ...env, ...more }, timeout: 120_000 })).stdout;
  };
  // The server is a daemon: a worker that ends in the middle of a test must take it along.
  const onExit = (): void => { execFileSync(script, ['kill', dir], { stdio: 'ignore' }); };
  process.once('exit', onExit);
  const down = async (): Promise<void> => {
    process.off('exit', onExit);
    await order('kill');
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  };

  return {
    kind, domain, service: `pubsub.${domain}`, host, port, web, ca: join(dir, 'ca.pem'), dir,
    account: (name) => ({ jid: `${name}@${domain}`, password: `${name}-secret` }),
    start: (more) => whenPortsAreFree(async () => { await order('start', more); }),
    stop: async () => { await order('stop'); },
    changePassword: async (name, password) => { await order('password', {}, [name, password]); },
    offline: async (name) => (JSON.parse(await order('offline', {}, [name])) as { value: number }).value,
    kill: async () => { await order('kill'); },
    down,
    [Symbol.asyncDispose]: down,
  };
}

/** Somebody's outgoing connection may have been given one of the ports since they were looked at: it is free again when that ends. */
async function whenPortsAreFree(start: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await start();
      return;
    } catch (error) {
      if (tries === 10 || !String(error).includes('eaddrinuse')) throw error;
      await setTimeout(1000);
    }
  }
}

/** Where such ports are looked for: below those that the kernel gives to whoever connects, each worker of the tests in a part of its own. */
const [LOWEST_PORT, PORTS_EACH, PARTS] = [10_000, 2_750, 8];
/** The ports that the scripts use, from the first. */
const LAST_STEP = 125;
const STEPS = [0, 1, 2, 47, LAST_STEP];
/** Given to a server of this process, which may take them a while later: two that are made at the same time share none. */
const given = new Set<number>();

/** A port such that it and the four that the scripts derive from it are free now, and most likely when the server takes them, seconds later. */
async function freeBase(): Promise<number> {
  const part = Number(process.env['VITEST_POOL_ID'] ?? 0) % PARTS;
  for (;;) {
    const base = LOWEST_PORT + part * PORTS_EACH + randomInt(PORTS_EACH - LAST_STEP);
    const ports = STEPS.map((step) => base + step);
    if (ports.some((port) => given.has(port))) continue;
    for (const port of ports) given.add(port);
    if (await areFree(ports)) return base;
  }
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  return (await Promise.all(ports.map((port) => isFree(port)))).every(Boolean);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
