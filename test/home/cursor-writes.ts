import { PREFIX } from '../../src/log/keys.ts';
import type { MemoryDatabase } from '../../src/log/memory-database.ts';

/** `before` is waited for ahead of each batch that goes to the disk; `apart`: a topic's own cursor is among what it writes. */
export function beforeWrites(database: MemoryDatabase, before: (apart: boolean) => Promise<void>): void {
  const batch = database.batch.bind(database);
  database.batch = () => {
    const inner = batch();
    let apart = false;
    return {
      ...inner,
      put: (key, value) => {
        apart ||= key[0] === PREFIX.cursor && key.includes(0);
        inner.put(key, value);
      },
      write: async (options) => {
        await before(apart);
        await inner.write(options);
      },
    };
  };
}
