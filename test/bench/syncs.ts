import { readFileSync } from 'node:fs';

/** Arguments of strace that write every sync, with the file that it is of, to the file that follows. What it runs is ended as ever. */
export const COUNTING_SYNCS: readonly string[] = ['-D', '-f', '--seccomp-bpf', '-y', '-e', 'trace=fsync,fdatasync', '-o'];

/** How often the log was synced: LevelDB's tables, and its list of them, are synced as well, now and then. */
export function logSyncs(file: string): number {
  return readFileSync(file, 'utf8').split('\n').filter((line) => /f(?:data)?sync\(\d+<[^>]*\/log\/\d+\.log>/.test(line)).length;
}
