import { defineConfig } from 'vitest/config';

/** Tests that start real programs and measure time: one file at a time, or they starve each other. */
const REAL = ['test/support/**/*.test.ts', 'test/interop/**/*.test.ts', 'test/scenarios/**/*.test.ts', 'test/faults/**/*.test.ts', 'test/editor/**/*.test.ts'];

export default defineConfig({
  test: {
    globalSetup: ['test/support/missing-peers.ts'],
    pool: 'forks',
    maxWorkers: 2,
    teardownTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: { name: 'fast', include: ['test/**/*.test.ts'], exclude: REAL, testTimeout: 15_000, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'real', include: REAL, testTimeout: 60_000, hookTimeout: 60_000,
          fileParallelism: false, maxWorkers: 1, sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
