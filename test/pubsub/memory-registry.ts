import type { Registry } from '../../src/log/registry.ts';

/** What the log keeps for whoever needs a few values, without a log. */
export function memoryRegistry(values: Map<string, unknown> = new Map()): Registry {
  return {
    get: (key) => values.get(key),
    set: async (key, value) => {
      await Promise.resolve();
      if (value === undefined) values.delete(key);
      else values.set(key, value);
    },
    entries: (prefix) => [...values].filter(([key]) => key.startsWith(prefix)),
  };
}
