import { setTimeout as pause } from 'node:timers/promises';

/** One row of the table: ours against the peer's, measured in turns in one run. */
export interface Row {
  readonly what: string;
  readonly ours: string;
  readonly peer: string;
  /** Ours by the peer's; absent where there is no peer. */
  readonly ratio?: number;
  /** What it should be, as the project set itself. */
  readonly target?: string;
  readonly met?: boolean;
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => percentile(values, 0.5);

export interface Compared {
  readonly ours: number[];
  readonly peer: number[];
  /** Median of the rounds' own ratios: a slow moment of the machine hits both sides of a round. */
  readonly ratio: number;
}

/** Runs both in turns, the first of each round alternating. */
export async function inTurns(rounds: number, ours: (round: number) => Promise<number>, peer: (round: number) => Promise<number>): Promise<Compared> {
  const measured: Compared = { ours: [], peer: [], ratio: 0 };
  for (let round = 0; round < rounds; round++) {
    if (round % 2 === 0) measured.ours.push(await ours(round));
    measured.peer.push(await peer(round));
    if (round % 2 === 1) measured.ours.push(await ours(round));
  }
  return { ...measured, ratio: median(measured.ours.map((value, i) => value / (measured.peer[i] ?? Number.NaN))) };
}

/** Waits until this process has nothing left to do, so that what one side put off is not done in the other's time. */
export async function quiet(): Promise<void> {
  for (;;) {
    const before = process.cpuUsage();
    await pause(250);
    const { user, system } = process.cpuUsage(before);
    if (user + system < 12_500) return; // µs: a twentieth of one core
  }
}

export const perSecond = (value: number): string => `${Math.round(value).toLocaleString('en')}/s`;
export const inMs = (value: number): string => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
export const inMiB = (value: number): string => `${value.toFixed(1)} MiB`;

export function printTable(rows: readonly Row[]): void {
  const cells = [['what', 'lanpost', 'against', 'ratio', 'target', ''], ...rows.map((row) => [
    row.what, row.ours, row.peer, row.ratio === undefined ? '' : row.ratio.toFixed(2), row.target ?? '', row.met === undefined ? '' : row.met ? 'met' : 'MISSED',
  ])];
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  for (const row of cells) console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}
