import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadCertificate, loadIdentity } from '../../../src/trust/identity.ts';
import { createLan, type Lan } from '../../support/lan.ts';
import { readJsonLines } from '../../support/json-lines.ts';
import { buildGenerator, GENERATOR_PACKAGES, type LoadOptions, type Measured } from './generator.ts';

const ANNOUNCER = fileURLToPath(new URL('../link/announcer.js', import.meta.url));
/** A publisher and a hundred subscribers. */
export const CLIENTS = 101;

/** A private Ethernet with the servers on host 1 and the clients on host 2, each client at an address of its own. */
export interface Scene extends AsyncDisposable {
  readonly lan: Lan;
  /** Where servers listen. */
  readonly host: string;
  readonly dir: string;
  /** A folder with N.key and N.crt of each client. */
  readonly keys: string;
  /** The publisher's is the first. */
  readonly fingerprints: readonly string[];
  /** Whoever may call a box has to be announced: says again that all clients are there. */
  announce(): Promise<void>;
  /** One run of the load generator. */
  load(options: LoadOptions): Promise<Measured>;
  /** A new folder. */
  folder(name: string): string;
}

/** What is missing is said as text. */
export async function createScene(): Promise<Scene | string> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  const program = buildGenerator(dir);
  if (program === undefined) {
    rmSync(dir, { recursive: true, force: true });
    return `apt-get install ${GENERATOR_PACKAGES}`;
  }
  const keys = join(dir, 'keys');
  mkdirSync(keys);
  const fingerprints: string[] = [];
  for (let i = 0; i < CLIENTS; i++) {
    mkdirSync(join(keys, `${i}`));
    const identity = await loadIdentity(join(keys, `${i}`), { machine: `load ${i}` });
    fingerprints.push(identity.fingerprint);
    writeFileSync(join(keys, `${i}.key`), identity.key);
    writeFileSync(join(keys, `${i}.crt`), await loadCertificate(join(keys, `${i}`), identity.key));
  }
  const lan = await createLan(2);
  for (let i = 0; i < CLIENTS; i++) await lan.run(2, 'ip', ['addr', 'add', `10.77.0.${20 + i}/24`, 'dev', 'eth0']);
  const announcer = lan.exec(2, process.execPath, [ANNOUNCER, lan.address(2)]);
  const said = readJsonLines<{ readonly event: string }>(announcer, 'the announcer');
  await said.wait(({ event }) => event === 'ready');
  let version = 0;
  let folders = 0;
  return {
    lan, dir, keys, fingerprints,
    host: lan.address(1),
    async announce() {
      const after = said.lines.length;
      announcer.stdin.write(`${JSON.stringify({ op: 'send', count: CLIENTS, packets: CLIENTS, rate: 2_000, version: ++version })}\n`);
      await said.wait(({ event }) => event === 'sent', { after });
    },
    async load(options) {
      const named = Object.entries({ host: lan.address(1), from: '10.77.0.20', ...options, ...(options['keys'] === undefined ? {} : { keys }) });
      return JSON.parse(await lan.run(2, program, named.map(([name, value]) => `${name}=${value}`), { timeout: 120_000 })) as Measured;
    },
    folder(name) {
      const made = join(dir, `${++folders}-${name}`);
      mkdirSync(made, { mode: 0o700 });
      return made;
    },
    async [Symbol.asyncDispose]() {
      await lan.down();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
