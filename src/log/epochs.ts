import { decodeRow, encodeRow } from './cbor.ts';
import { epochKey, getU32 } from './keys.ts';
import type { Op, Row } from './database.ts';

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
}

/** Every opening whose records may still be here, so that a seq can be given its record id. */
export class Epochs {
  #list: Epoch[] = [];

  load(rows: readonly Row[]): void {
    this.#list = rows.map(([key, value]) => {
      const [name, box, from, after] = decodeRow<[string, string, number, string | undefined]>(value);
      return { counter: getU32(key, 1), name, box, from, ...(after !== undefined && { after }) };
    });
  }

  get current(): Epoch | undefined {
    return this.#list.at(-1);
  }

  get all(): readonly Epoch[] {
    return this.#list;
  }

  /** A new epoch from `from` on; it counts once its row is written. */
  next(box: string, from: number, random: string): { epoch: Epoch; op: Op } {
    const last = this.current;
    const counter = (last?.counter ?? 0) + 1;
    const epoch: Epoch = { counter, name: `${counter}.${random}`, box, from, ...(last && { after: last.name }) };
    return { epoch, op: { key: epochKey(counter), value: encodeRow([epoch.name, box, from, epoch.after]) } };
  }

  add(epoch: Epoch): void {
    this.#list.push(epoch);
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
