import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT } from './root.ts';

/** What a test may need of the machine, and the Debian packages that bring it. */
const NEEDS = {
  'avahi-daemon': { packages: 'avahi-daemon avahi-utils dbus', there: () => onPath('avahi-daemon') && onPath('dbus-daemon') },
  'avahi-browse': { packages: 'avahi-utils', there: () => onPath('avahi-browse') },
  libpurple: { packages: 'libpurple0 libpurple-dev gcc make pkg-config avahi-utils', there: () => onPath('gcc') && onPath('make') && onPath('avahi-browse') && pkgConfig('purple') },
  prosody: { packages: 'prosody prosody-modules lua-dbi-sqlite3 openssl', there: () => onPath('prosody') && luaSqlite() },
  ejabberd: { packages: 'ejabberd libnss-wrapper openssl', there: () => onPath('ejabberdctl') && onPath('erl') },
  mosquitto: { packages: 'mosquitto', there: () => onPath('mosquitto') },
  chromium: { packages: 'chromium', there: () => onPath('chromium') },
  nftables: { packages: 'nftables', there: () => onPath('nft') },
  faketime: { packages: 'faketime', there: () => onPath('faketime') },
  /** A terminal of its own for a program: util-linux's `script`. */
  pty: { packages: 'bsdutils', there: () => onPath('script') },
  /** What a newcomer clones: an unpacked archive has none. */
  clone: { packages: 'git (and take the sources with git clone)', there: () => onPath('git') && existsSync(join(ROOT, '.git')) },
  gcc: { packages: 'gcc libc6-dev', there: () => onPath('gcc') },
  strace: { packages: 'strace', there: () => onPath('strace') },
  python3: { packages: 'python3', there: () => onPath('python3') },
  /** The system's: that is where Debian's packages are. */
  'python3-zeroconf': { packages: 'python3-zeroconf', there: () => succeeds('/usr/bin/python3', ['-c', 'import zeroconf']) },
  'python3-slixmpp': { packages: 'python3-slixmpp', there: () => succeeds('/usr/bin/python3', ['-c', 'import slixmpp']) },
  /** Root with network namespaces: the private LAN, tmpfs mounts. */
  root: { packages: 'iproute2 util-linux (and run as root with CAP_SYS_ADMIN)', there: () => mayUseNamespaces() },
  /** TAP devices, for the wire. */
  tun: { packages: 'python3 iproute2 (and /dev/net/tun)', there: () => onPath('python3') && existsSync('/dev/net/tun') },
} as const;

export type Need = keyof typeof NEEDS;
const isNeed = (name: string): name is Need => Object.hasOwn(NEEDS, name);
const NAMES: readonly Need[] = Object.keys(NEEDS).filter(isNeed);

/** Whether everything named is here: `describe.skipIf(!needs('avahi-daemon'))`. Where peers are required, a missing one throws. */
export function needs(...names: Need[]): boolean {
  const missing = names.filter((name) => !isThere(name));
  if (missing.length > 0 && process.env['LANPOST_REQUIRE_PEERS'] === '1') {
    throw new Error(`LANPOST_REQUIRE_PEERS=1, and this is missing: ${missing.map(lineFor).join('; ')}`);
  }
  return missing.length === 0;
}

/** One line for each thing that this machine lacks; tests that need it are skipped. */
export function missingLines(): string[] {
  return NAMES.filter((name) => !isThere(name)).map((name) => `skipping tests that need ${lineFor(name)}`);
}

function lineFor(name: Need): string {
  return `${name}: apt-get install ${NEEDS[name].packages}`;
}

function isThere(name: Need): boolean {
  // Probing costs a process or two, and each test file is a process of its own: remember it in the environment.
  const key = `LANPOST_HAS_${name.toUpperCase().replaceAll('-', '_')}`;
  process.env[key] ??= process.platform === 'linux' && NEEDS[name].there() ? '1' : '0';
  return process.env[key] === '1';
}

function onPath(program: string): boolean {
  // Debian keeps daemons in sbin, which a user's PATH may lack.
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false; // not in this folder
    }
  });
}

function succeeds(program: string, args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    return false; // it says no, or is not there to ask
  }
}

const pkgConfig = (library: string): boolean => succeeds('pkg-config', ['--exists', library]);
const luaSqlite = (): boolean => succeeds('sh', ['-c', 'ls /usr/lib/*/lua/*/dbd/sqlite3.so']);

function mayUseNamespaces(): boolean {
  if (process.getuid?.() !== 0 || !onPath('ip') || !onPath('bridge') || !onPath('nsenter')) return false;
  const name = `lanpost-probe-${process.pid}`;
  return succeeds('sh', ['-c', `ip netns add ${name} && ip netns del ${name}`]);
}
