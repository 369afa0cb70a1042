import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../support/root.ts';

const SOURCES = join(ROOT, 'test/bench/broker/load');
/** What the C compiler needs, as Debian's packages. */
export const GENERATOR_PACKAGES = 'gcc libc6-dev libssl-dev';

/** What one run of the load generator measured; times in ms. */
export interface Measured {
  readonly seconds: number;
  readonly perSecond: number;
  readonly deliveredPerSecond: number;
  readonly p50: number;
  readonly p99: number;
}

/** The options that `load/main.c` knows. */
export type LoadOptions = Readonly<Record<string, string | number>>;

/** Builds the load generator in that folder; undefined where that cannot be done. */
export function buildGenerator(dir: string): string | undefined {
  const program = join(dir, 'load');
  const sources = readdirSync(SOURCES).filter((file) => file.endsWith('.c')).map((file) => join(SOURCES, file));
  try {
    execFileSync('gcc', ['-O2', '-o', program, ...sources, '-lssl', '-lcrypto'], { stdio: ['ignore', 'ignore', 'pipe'] });
    return program;
  } catch {
    return undefined; // no compiler or no OpenSSL: the row says what to install
  }
}
