// Which records a home has by way of another box, as that has confirmed: the home's own reader passes them.
import { LanpostError } from '../../errors.ts';
import type { Log } from '../../log/log.ts';
import { isCursorOf } from '../cursor-name.ts';
import { Carriers, type Export } from './carriers.ts';
import { Runs } from './runs.ts';

/** Runs of one home that its reader has not passed. */
const RUNS = 40_000;
const PREFIX = 'carried-done/';

export class CarriedMarks {
  readonly #log: Pick<Log, 'registry' | 'cursors'>;
  readonly #runs = new Map<string, Runs>();
  /** Given away in files: whether it is at home has to be seen before it is sent. Also when it is confirmed, for a reader that begins
   * anew does not know that. */
  readonly #given = new Map<string, { readonly jid: string; readonly runs: Runs }>();

  constructor(log: Pick<Log, 'registry' | 'cursors'>) {
    this.#log = log;
    for (const [key, row] of log.registry.entries(PREFIX)) if (Array.isArray(row)) this.#runs.set(key.slice(PREFIX.length), new Runs(row.map(Number)));
    for (const one of new Carriers(log.registry).exports()) this.given(one);
  }

  /** A file was written. */
  given({ id, jid, runs }: Export): void {
    this.#given.set(id, { jid, runs: new Runs(runs) });
  }

  /** The file is not remembered any more. */
  forgotten(id: string): void {
    this.#given.delete(id);
  }

  /** Whether another box may have brought it home. */
  isGiven(isOurs: (jid: string) => boolean, seq: number): boolean {
    for (const one of this.#given.values()) if (isOurs(one.jid) && one.runs.has(seq)) return true;
    return false;
  }

  has(reader: string, seq: number): boolean {
    return this.#runs.get(reader)?.has(seq) ?? false;
  }

  /** Durable when resolved. */
  async add(reader: string, runs: Runs): Promise<void> {
    const passed = this.#passed(reader);
    const flat = [...this.#runs.get(reader)?.flat ?? [], ...runs.flat];
    const pairs = Array.from({ length: flat.length / 2 }, (_, i): [number, number] => [flat[i * 2] ?? 0, flat[i * 2 + 1] ?? 0]);
    const merged = new Runs();
    let [from, to] = [0, -1];
    for (const [first, last] of pairs.filter((pair) => pair[1] > passed).toSorted((a, b) => a[0] - b[0])) {
      if (to >= first) to = Math.max(to, last);
      else {
        if (to >= from) merged.add(from, to);
        [from, to] = [first, last];
      }
    }
    if (to >= from) merged.add(from, to);
    if (merged.count > RUNS) throw new LanpostError('busy', `${reader} has so much that came there by way of other boxes that it must catch up first.`);
    await this.#log.registry.set(PREFIX + reader, [...merged.flat]);
    this.#runs.set(reader, merged);
  }

  /** The row of one reader as that of another, which goes on with what that has done; `taken` when it is on disk. */
  as(from: string, to: string): [key: string, value: unknown][] {
    const runs = this.#runs.get(from);
    return runs ? [[PREFIX + to, [...runs.flat]]] : [];
  }

  taken(from: string, to: string): void {
    const runs = this.#runs.get(from);
    if (runs) this.#runs.set(to, runs);
  }

  /** Whether there was anything. */
  async forget(reader: string): Promise<boolean> {
    if (!this.#runs.delete(reader)) return false;
    await this.#log.registry.set(PREFIX + reader, undefined);
    return true;
  }

  #passed(reader: string): number {
    const positions = [...this.#log.cursors()].filter(({ name }) => isCursorOf(reader, name)).flatMap((info) => [info.position, ...info.progress().held.map(({ position }) => position)]);
    return positions.length === 0 ? 0 : Math.min(...positions);
  }
}
