// What Node-RED weighs while a backlog goes through a slow flow does not depend on how much of it there is.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createBox } from '../../src/index.ts';
import { startFlows } from '../support/flow-process.ts';

const [ITEMS, BATCH, STEP] = [100_000, 1000, 5000];
const MIB = 2 ** 20;
/** Bytes of an item's payload: held in memory, all of them would weigh some 30 MiB and more. */
const PAD = 'x'.repeat(200);

const FLOW = [
  { id: 'tab', type: 'tab', label: 'backlog' },
  { id: 'box', type: 'lanpost box', mode: 'own', dir: 'data', boxName: 'me', link: false },
  { id: 'sub', type: 'lanpost subscribe', configVersion: 2, box: 'box', filter: '#', from: 'start', last: 'none', durable: true, reader: 'slow', ack: 'auto', rate: '0', rateOf: 'all', changes: false, z: 'tab', wires: [['slow']] },
  // It takes its time with each, and its messages queue before it, as far as they are let.
  { id: 'slow', type: 'function', z: 'tab', func: 'await new Promise((resolve) => setTimeout(resolve, 1)); let sum = 0; for (let i = 0; i < 10_000; i++) sum += i; return msg;', outputs: 1, wires: [['count']] },
  { id: 'count', type: 'function', z: 'tab', func: `const n = (context.get('n') ?? 0) + 1; context.set('n', n); if (n % ${STEP} === 0) global.get('say')({ handled: n, ...global.get('memory')() });`, outputs: 0, wires: [] },
];

it(`${ITEMS.toLocaleString('en')} items that waited for a durable subscribe go through a slow flow, and what lives does not grow`, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-backlog-'));
  try {
    const box = await createBox({ dir: join(dir, 'data'), name: 'me', link: false, control: false });
    await box.subscribe('#', { durable: 'slow', from: 'start' }).close();
    for (let from = 0; from < ITEMS; from += BATCH) await Promise.all(Array.from({ length: BATCH }, (_, i) => box.publish(`line/${i % 10}`, { n: from + i, pad: PAD })));
    await box.close();
    const flows = await startFlows(dir, FLOW);
    try {
      const lives: number[] = [];
      for (let handled = STEP; handled <= ITEMS; handled += STEP) {
        lives.push(Number((await flows.said.wait((one) => one['handled'] === handled, { timeout: 120_000 }))['lives']) / MIB);
      }
      // Until a tenth of it has gone V8 compiles, and caches fill.
      const [first = 0, ...later] = lives.slice(2);
      expect(Math.max(...later) - first).toBeLessThan(2);
    } finally {
      await flows.stop();
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}, 300_000);
