import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import type { TopicConfig } from '../../../src/index.ts';
import { startBox } from '../../support/box.ts';
import { COUNTING_SYNCS } from '../syncs.ts';
import type { LoadOptions } from './generator.ts';
import { CLIENTS, type Scene } from './scene.ts';

const RELAY = fileURLToPath(new URL('null-relay.js', import.meta.url));
const TOPIC = 'bench';
const PORT = 7_700;

/** Something that takes items and gives them to subscribers, in a process of its own. */
export interface Server extends AsyncDisposable {
  /** How the load generator speaks with it. */
  readonly load: LoadOptions;
}

type ChildProcess = ReturnType<Scene['lan']['exec']>;

/** Until it answers there. */
async function listening(scene: Scene, child: ChildProcess, port: number): Promise<void> {
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said += text; });
  for (let tries = 0; tries < 100; tries++) {
    if (child.exitCode !== null) break;
    try {
      await scene.lan.run(2, 'bash', ['-c', `exec 3<>/dev/tcp/${scene.host}/${port}`]);
      return;
    } catch {
      await pause(50); // not yet
    }
  }
  child.kill('SIGKILL');
  throw new Error(`the server did not start: ${said}`);
}

async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, 'close');
}

/** mosquitto 2 as it is installed, but for the address; and without Nagle's delay, which its own default leaves on. */
export async function mosquitto(scene: Scene, { qos, durable = false, lines = [] }: { qos: 0 | 1; durable?: boolean; lines?: readonly string[] }): Promise<Server> {
  const dir = scene.folder('mosquitto');
  const file = join(dir, 'mosquitto.conf');
  writeFileSync(file, [
    `listener ${PORT} ${scene.host}`, 'allow_anonymous true', 'set_tcp_nodelay true', 'user root',
    'persistence true', `persistence_location ${dir}/`, ...lines, '',
  ].join('\n'));
  const child = scene.lan.exec(1, 'mosquitto', ['-c', file]);
  await listening(scene, child, PORT);
  return { load: { protocol: 'mqtt', port: PORT, topic: TOPIC, qos, durable: Number(durable) }, [Symbol.asyncDispose]: () => stop(child) };
}

/** Prosody's mod_pubsub, with its items in memory or on disk (which it does not sync); without Nagle's delay. */
export async function prosody(scene: Scene, { durable }: { durable: boolean }): Promise<Server> {
  const dir = scene.folder('prosody');
  const file = join(dir, 'prosody.cfg.lua');
  writeFileSync(file, `
    run_as_root = true
    daemonize = false
    pidfile = "${dir}/pid"
    data_path = "${dir}"
    log = { error = "*console" }
    interfaces = { "${scene.host}" }
    c2s_ports = { ${PORT} }
    s2s_ports = {}
    network_settings = { nagle = false }
    modules_enabled = { "saslauth", "roster" }
    modules_disabled = { "s2s", "tls" }
    allow_unencrypted_plain_auth = true
    c2s_require_encryption = false
    authentication = "internal_plain"
    admins = { "load@localhost" }
    VirtualHost "localhost"
    Component "pubsub.localhost" "pubsub"
  `);
  await scene.lan.run(1, 'prosodyctl', ['--root', '--config', file, 'register', 'load', 'localhost', 'secret']);
  const child = scene.lan.exec(1, 'prosody', ['--root', '--config', file, '-F']);
  await listening(scene, child, PORT);
  return { load: { protocol: 'xmpp', port: PORT, topic: TOPIC, to: 'pubsub.localhost', durable: Number(durable) }, [Symbol.asyncDispose]: () => stop(child, 'SIGKILL') };
}

/** `tls`: its clients speak TLS, as those of a box do. `keeps`: each item is on disk first. */
export async function nullRelay(scene: Scene, { tls = false, keeps = false }: { tls?: boolean; keeps?: boolean } = {}): Promise<Server> {
  const child = scene.lan.exec(1, process.execPath, [RELAY, scene.host, String(PORT), tls ? join(scene.keys, '0') : '', ...keeps ? [scene.folder('relay')] : []]);
  await listening(scene, child, PORT);
  return { load: { protocol: 'link', port: PORT, topic: TOPIC, to: 'relay', ...tls ? { keys: 'yes' } : {} }, [Symbol.asyncDispose]: () => stop(child) };
}

export interface BoxOptions {
  readonly config?: Partial<TopicConfig>;
  /** Whether subscriptions are. */
  readonly durable?: boolean;
  /** The file to which strace writes what the box syncs. */
  readonly traced?: string;
  /** More environment of the box's process. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A box as `lanpost start` runs it. Its clients have keys and speak TLS, as boxes do: nobody else can subscribe. */
export async function box(scene: Scene, { config, durable = false, traced, env = {} }: BoxOptions = {}): Promise<Server> {
  const process = await startBox({ dir: join(scene.folder('box'), 'data'), name: 'box', lan: scene.lan, host: 1, env, ...(traced === undefined ? {} : { under: ['strace', ...COUNTING_SYNCS, traced] }) });
  try {
    await using api = await process.attach();
    await api.topics.create(TOPIC, config);
    for (const [i, fingerprint] of scene.fingerprints.entries()) await api.trust.allow(fingerprint, i === 0 ? 'write' : 'read', TOPIC);
    for (let tries = 0; (await api.peers.list()).length < CLIENTS; tries++) {
      if (tries === 20) throw new Error('the box does not see all clients');
      await scene.announce();
      await pause(500);
    }
    const { link, name } = await api.status();
    if (link.port === undefined) throw new Error('the box has no link');
    return {
      load: { protocol: 'link', port: link.port, topic: TOPIC, to: name, keys: 'yes', durable: Number(durable) },
      [Symbol.asyncDispose]: async () => void await process.stop(),
    };
  } catch (error) {
    await process.kill();
    throw error;
  }
}
