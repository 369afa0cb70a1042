// A million items wait for a durable reader when Node-RED starts, and the flow is slow: what that takes of memory, from the first to the last.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBox } from '../../../src/index.ts';
import { startFlows } from '../../support/flow-process.ts';
import { ROOT } from '../../support/root.ts';
import { inMiB, perSecond, type Row } from '../figures.ts';
import { BOX } from './cost-flow.ts';

const ITEMS = 1_000_000;
const TOPICS = 10;
const BATCH = 1000;
const MIB = 2 ** 20;
/** MiB that a million items may add to what lives. */
const MOST = 4;
/** Times that it is weighed. */
const LOOKS = 100;

interface Reading {
  readonly reader: string;
  readonly what: string;
  /** Of the million; at the dialog's 500/s all of it takes 33 minutes. */
  readonly items: number;
  /** What is not as the dialog has it at first. */
  readonly subscribe: object;
  /** What the flow does with each, before it is counted. */
  readonly slow: string;
}

const READINGS: readonly Reading[] = [
  { reader: 'confirmed', what: 'as fast as the flow confirms them with lanpost ack, 5 ms after each came', items: ITEMS, subscribe: { rate: '0', ack: 'manual' }, slow: 'await new Promise((resolve) => setTimeout(resolve, 5));' },
  { reader: 'busy', what: 'as fast as the flow takes them, which computes for some 0.2 ms with each', items: ITEMS, subscribe: { rate: '0' }, slow: 'let sum = 0; for (let i = 0; i < 20_000; i++) sum += i;' },
  { reader: 'faster', what: 'as the dialog has it but for the rate (5,000/s instead of 500), into a flow that waits 20 ms with each', items: ITEMS, subscribe: { rate: '5000' }, slow: 'await new Promise((resolve) => setTimeout(resolve, 20));' },
  { reader: 'paced', what: 'as the dialog has it (500/s, at which all of them take 33 min), into a flow that waits 20 ms with each', items: 150_000, subscribe: {}, slow: 'await new Promise((resolve) => setTimeout(resolve, 20));' },
];

export async function benchBacklog(): Promise<Row[]> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  try {
    await fill(join(dir, 'data'));
    const rows: Row[] = [];
    for (const reading of READINGS) rows.push(...await read(dir, reading));
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Readers that were away while all was published. */
async function fill(dir: string): Promise<void> {
  const box = await createBox({ dir, link: false, control: false });
  for (const { reader } of READINGS) await box.subscribe('#', { durable: reader, from: 'start' }).close();
  for (let from = 0; from < ITEMS; from += BATCH) {
    await Promise.all(Array.from({ length: BATCH }, (_, i) => box.publish(`line/${(from + i) % TOPICS}`, { n: from + i, value: 21.5, unit: 'Cel', pad: 'x'.repeat(48) })));
  }
  await box.close();
}

async function read(dir: string, reading: Reading): Promise<Row[]> {
  const step = reading.items / LOOKS;
  const flows = await startFlows(dir, flowOf(reading, step));
  try {
    const begun = performance.now();
    const [lives, weighs]: [number[], number[]] = [[], []];
    for (let handled = step; handled <= reading.items; handled += step) {
      const line = await flows.said.wait((one) => one['handled'] === handled, { timeout: 600_000 });
      lives.push(Number(line['lives']) / MIB);
      weighs.push(Number(line['weighs']) / MIB);
    }
    const rate = reading.items / ((performance.now() - begun) / 1000);
    const inShort = (all: readonly number[]): string => all.filter((_, i) => i % (LOOKS / 20) === LOOKS / 20 - 1).map((one) => one.toFixed(0)).join(' ');
    console.log(`${reading.reader}, MiB at each twentieth: what lives ${inShort(lives)}; RssAnon ${inShort(weighs)}`);
    // Until then V8 compiles, and caches fill.
    const slope = (slopeOf(lives.slice(LOOKS / 10)) / step) * ITEMS;
    return [{
      what: `${reading.items.toLocaleString('en')} of ${ITEMS.toLocaleString('en')} items that waited for a durable lanpost subscribe, ${reading.what} (${perSecond(rate)}): most that Node-RED weighs (RssAnon); what a million more would add to what lives after a collection`,
      ours: `${inMiB(Math.max(...weighs))}; ${slope < 0 ? '−' : '+'}${inMiB(Math.abs(slope))}`, peer: '', target: `≤ +${inMiB(MOST)}`, met: slope <= MOST,
    }];
  } finally {
    await flows.stop();
  }
}

/** Straight line through them, by least squares: what one more adds. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [over, under] = values.reduce(([up, down], value, i) => [up + (i - middle) * (value - mean), down + (i - middle) ** 2], [0, 0]);
  return over / under;
}

function flowOf({ reader, subscribe, slow }: Reading, step: number): object[] {
  const count = `const n = (context.get('n') ?? 0) + 1; context.set('n', n); if (n % ${step} === 0) global.get('say')({ handled: n, ...global.get('memory')() });`;
  const confirmed = 'ack' in subscribe;
  return [
    { id: 'tab', type: 'tab', label: 'backlog' },
    { ...BOX, mode: 'own', dir: 'data', link: false },
    { ...dialogDefaults('lanpost-subscribe'), z: 'tab', id: 'sub', type: 'lanpost subscribe', box: 'box', filter: '#', durable: true, reader, ...subscribe, wires: [['slow']] },
    { z: 'tab', id: 'slow', type: 'function', func: `${slow} return msg;`, outputs: 1, wires: [[confirmed ? 'confirm' : 'count']] },
    ...(confirmed ? [{ z: 'tab', id: 'confirm', type: 'lanpost ack', action: 'ack', delay: '', wires: [['count']] }] : []),
    { z: 'tab', id: 'count', type: 'function', func: count, outputs: 0, wires: [] },
  ];
}

/** What a node has that was just dragged from the palette. */
function dialogDefaults(node: string): Record<string, unknown> {
  const page = readFileSync(join(ROOT, `nodes/${node}.html`), 'utf8');
  const [, fields = ''] = /defaults: \{([^]*?)\n {4}\}/.exec(page) ?? [];
  const defaults = [...fields.matchAll(/^ +(\w+): \{ value: (?:'([^']*)'|(\d+|true|false))/gm)].map(([, name = '', text, other = 'null']) => [name, text ?? JSON.parse(other)] as const);
  if (defaults.length === 0) throw new Error(`${node} has no defaults in its dialog`);
  return Object.fromEntries(defaults);
}
