import { decodeRow, encodeGiven } from './cbor.ts';
import type { Row } from './database.ts';
import { keyText, registryKey } from './keys.ts';
import type { Transaction } from './transaction.ts';

/** Small durable values for whoever needs a few: all in memory, fsynced when set. */
export interface Registry {
  get(key: string): unknown;
  /** Without a value the key is forgotten. */
  set(key: string, value: unknown): Promise<void>;
  /** All of them or, over a crash, none. */
  setAll(entries: readonly (readonly [key: string, value: unknown])[]): Promise<void>;
  entries(prefix: string): [key: string, value: unknown][];
}

export class LogRegistry implements Registry {
  readonly #values = new Map<string, unknown>();
  readonly #task: (build: (tx: Transaction) => void) => Promise<void>;

  constructor(task: (build: (tx: Transaction) => void) => Promise<void>) {
    this.#task = task;
  }

  load(rows: readonly Row[]): void {
    this.#values.clear();
    for (const [key, value] of rows) this.#values.set(keyText(key), decodeRow(value));
  }

  get(key: string): unknown {
    return this.#values.get(key);
  }

  set(key: string, value: unknown): Promise<void> {
    return this.setAll([[key, value]]);
  }

  async setAll(entries: readonly (readonly [key: string, value: unknown])[]): Promise<void> {
    const rows = entries.map(([key, value]) => [registryKey(key), value === undefined ? undefined : encodeGiven(value)] as const);
    await this.#task((tx) => {
      for (const [key, row] of rows) {
        if (row) tx.put(key, row);
        else tx.del(key);
      }
      tx.onCommit(() => {
        for (const [key, value] of entries) {
          if (value === undefined) this.#values.delete(key);
          else this.#values.set(key, value);
        }
      });
    });
  }

  entries(prefix: string): [string, unknown][] {
    return [...this.#values].filter(([key]) => key.startsWith(prefix)).toSorted(([a], [b]) => (a < b ? -1 : 1));
  }
}
