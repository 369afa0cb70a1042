import { decodeRow, encodeRow } from './cbor.ts';
import { epochKey, getU32 } from './keys.ts';
import type { Op, Row } from './database.ts';
import type { Stamp } from './record.ts';

/** One opening of the store. */
export interface Epoch {
  readonly counter: number;
  /** `<counter>.<8 hex>`. */
  readonly name: string;
  /** The box that minted its records. */
  readonly box: string;
  /** Its first seq. */
  readonly from: number;
  /** The epoch it took over from. */
  readonly after?: string;
  /** The start of the machine that it belongs to, and how long that had been running at the zero of the monotonic clock. */
  readonly machine?: MachineStart;
  /** What makes its monotonic time wall time, once that is known. */
  readonly offset?: number;
}

/** One start of the machine: what it is called, and its milliseconds since then when the monotonic clock is at 0. */
export interface MachineStart {
  readonly id: string;
  readonly since: number;
}

/** Clocks are trimmed all the time; what differs by more was set. */
const SET = 60_000;

type EpochRow = [string, string, number, string | undefined, string | undefined, number | undefined, number | undefined];

function opOf({ counter, name, box, from, after, machine, offset }: Epoch): Op {
  const row: EpochRow = [name, box, from, after, machine?.id, machine?.since, offset];
  return { key: epochKey(counter), value: encodeRow(row) };
}

/** Every opening whose records may still be here, so that a seq can be given its record id. */
export class Epochs {
  #list: Epoch[] = [];

  load(rows: readonly Row[]): void {
    this.#list = rows.map(([key, value]) => {
      const [name, box, from, after, id, since = 0, offset] = decodeRow<EpochRow>(value);
      return {
        counter: getU32(key, 1), name, box, from, ...(after !== undefined && { after }),
        ...(id !== undefined && { machine: { id, since } }), ...(offset !== undefined && { offset }),
      };
    });
  }

  get current(): Epoch | undefined {
    return this.#list.at(-1);
  }

  get all(): readonly Epoch[] {
    return this.#list;
  }

  /** A new epoch from `from` on; it counts once its row is written. */
  next(box: string, from: number, random: string, machine?: MachineStart): { epoch: Epoch; op: Op } {
    const last = this.current;
    const counter = (last?.counter ?? 0) + 1;
    const epoch: Epoch = { counter, name: `${counter}.${random}`, box, from, ...(last && { after: last.name }), ...(machine && { machine }) };
    return { epoch, op: opOf(epoch) };
  }

  add(epoch: Epoch): void {
    this.#list.push(epoch);
  }

  /** Whether wall time, at `offset` from the monotonic clock now, is news. */
  learns(offset: number): boolean {
    const known = this.current?.offset;
    return known === undefined || Math.abs(known - offset) > SET;
  }

  /** Wall time is known: in this epoch, and in those before it since the machine started. `committed` is for when the rows are on disk. */
  learn(offset: number): { readonly ops: Op[]; readonly committed: () => void } {
    const { current } = this;
    const learnt = new Map<number, Epoch>();
    for (const epoch of this.#list) {
      if (epoch === current) learnt.set(epoch.counter, { ...epoch, offset });
      else if (epoch.offset === undefined && epoch.machine && epoch.machine.id === current?.machine?.id) {
        learnt.set(epoch.counter, { ...epoch, offset: offset + epoch.machine.since - current.machine.since });
      }
    }
    return {
      ops: [...learnt.values()].map((epoch) => opOf(epoch)),
      committed: () => { this.#list = this.#list.map((epoch) => learnt.get(epoch.counter) ?? epoch); },
    };
  }

  /** When a record was accepted, with what has become known since. */
  timeOf(seq: number, stamp: Pick<Stamp, 'wall' | 'mono' | 'trusted' | 'elsewhere'>): { readonly wall: number; readonly trusted: boolean } {
    const { wall, mono, trusted, elsewhere } = stamp;
    const offset = trusted || elsewhere === true ? undefined : this.at(seq).offset;
    return offset === undefined ? { wall, trusted } : { wall: mono + offset, trusted: true };
  }

  /**
   * When it came into this log, as far as that is known: time passes evenly within an opening, however the clock jumps.
   * What another log's stamp says is not when it came here.
   */
  acceptedAt(seq: number, { wall, mono, trusted, elsewhere }: Pick<Stamp, 'wall' | 'mono' | 'trusted' | 'elsewhere'>): number | undefined {
    const { offset } = this.at(seq);
    if (offset !== undefined) return mono + offset;
    return trusted && elsewhere !== true ? wall : undefined;
  }

  /** The latest that it may have been accepted: a board that keeps no time begins with what it last knew, and sets its clock forward after that. */
  latest(seq: number, stamp: Pick<Stamp, 'wall' | 'mono' | 'trusted' | 'elsewhere'>): { readonly wall: number; readonly trusted: boolean } {
    const { wall, trusted } = this.timeOf(seq, stamp);
    const { offset = -Infinity } = stamp.elsewhere === true ? {} : this.at(seq);
    return { wall: Math.max(wall, stamp.mono + offset), trusted };
  }

  /** Forgets the epochs that end before `seq`; gives the deletions. */
  prune(seq: number): Op[] {
    const ops: Op[] = [];
    while (this.#list.length > 1 && this.#list[1]!.from <= seq) {
      ops.push({ key: epochKey(this.#list.shift()!.counter) });
    }
    return ops;
  }

  at(seq: number): Epoch {
    let low = 0;
    let high = this.#list.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#list[middle]!.from <= seq) low = middle;
      else high = middle - 1;
    }
    return this.#list[low]!;
  }

  recordId(seq: number): string {
    const { box, name } = this.at(seq);
    return `${box}-${name}-${seq}`;
  }

  /** The seq a record id of this store stands for. */
  seqOf(recordId: string): number | undefined {
    const seq = Number(recordId.slice(recordId.lastIndexOf('-') + 1));
    return Number.isSafeInteger(seq) && seq > 0 && this.#list.length > 0 && this.recordId(seq) === recordId ? seq : undefined;
  }
}
