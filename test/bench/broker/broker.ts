import { join } from 'node:path';
import { needs } from '../../support/needs.ts';
import { logSyncs } from '../syncs.ts';
import { inMs, median, perSecond, type Row } from '../figures.ts';
import type { LoadOptions, Measured } from './generator.ts';
import { createScene, type Scene } from './scene.ts';
import { box, type BoxOptions, mosquitto, nullRelay, prosody, type Server } from './servers.ts';

const ROUNDS = 5;

/** One thing that is measured in each round, on a server of its own. */
interface Entrant {
  readonly start: (scene: Scene) => Promise<Server>;
  readonly load: LoadOptions;
}

type Results = Readonly<Record<string, readonly Measured[]>>;

/** Every entrant once a round, each round begun with another: what a busy moment of the machine costs, it costs all of them. */
async function inRounds(scene: Scene, entrants: Readonly<Record<string, Entrant>>): Promise<Results> {
  const results: Record<string, Measured[]> = {};
  const names = Object.keys(entrants);
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < names.length; i++) {
      const name = names[(round + i) % names.length] ?? '';
      const entrant = entrants[name];
      if (!entrant) continue;
      await using server = await entrant.start(scene);
      (results[name] ??= []).push(await scene.load({ ...server.load, ...entrant.load }));
    }
  }
  return results;
}

type Figure = Exclude<keyof Measured, 'seconds'> | 'seconds';

interface Comparison {
  readonly what: string;
  readonly ours: string;
  readonly peer: string;
  readonly figure: Figure;
  /** Ours by the peer's: at least, or at most. */
  readonly least?: number;
  readonly most?: number;
}

function shown(figure: Figure, value: number): string {
  if (figure === 'seconds') return inMs(value * 1000);
  return figure === 'p50' || figure === 'p99' ? inMs(value) : perSecond(value);
}

/** By the rounds' own ratios. Nothing where one of the two was not measured. */
function compared(results: Results, comparisons: readonly Comparison[]): Row[] {
  return comparisons.flatMap(({ what, ours, peer, figure, least, most }) => {
    const [mine, theirs] = [results[ours], results[peer]];
    if (!mine || !theirs) return [];
    const ratio = median(mine.map((one, i) => one[figure] / (theirs[i]?.[figure] ?? Number.NaN)));
    const bound = least === undefined ? most === undefined ? {} : { target: `≤ ${most}`, met: ratio <= most } : { target: `≥ ${least}`, met: ratio >= least };
    return [{
      what: `${what}: ${ours}, against ${peer}`, ours: shown(figure, median(mine.map((one) => one[figure]))),
      peer: shown(figure, median(theirs.map((one) => one[figure]))), ratio, ...bound,
    }];
  });
}

function atMost(results: Results, what: string, ours: string, figure: 'p50' | 'p99', ms: number): Row[] {
  const mine = results[ours];
  if (!mine) return [];
  const value = median(mine.map((one) => one[figure]));
  return [{ what: `${what}: ${ours}`, ours: inMs(value), peer: '', target: `≤ ${ms} ms`, met: value <= ms }];
}

const DISK = 'a topic on disk (TLS, keys)';
const MEMORY = 'a topic in memory (TLS, keys)';
const DISK_EARLY = 'a topic on disk, a second after the first item';
const MEMORY_EARLY = 'a topic in memory, a second after the first item';
/** A box runs for months: it is measured when its code is compiled, which takes it some seconds of work, and printed how it is before. */
const COMPILED = { stream: 100_000, fan: 5_000, paced: 20_000 };
const RELAY = 'a null relay in the clear';
const TLS_RELAY = 'a null relay under TLS';
const QOS0 = 'mosquitto QoS 0';
const QOS1 = 'mosquitto QoS 1';
const CHANGES = 'mosquitto QoS 1, autosave_on_changes';
const PROSODY = 'Prosody in memory';
const KEEPS = 'Prosody persistent';
const RAW = 'one raw append and fdatasync';
const PACED = 'one raw append and fdatasync, of 2,000/s';
const KEPT_RELAY = 'a null relay under TLS that syncs each item';

const memory: BoxOptions = { config: { storage: 'memory' } };
const startBox = (options: BoxOptions): Entrant['start'] => (scene) => box(scene, options);
/** Each change of a durable session is written to disk, as far as mosquitto can. */
const onChanges = { qos: 1, durable: true, lines: ['autosave_on_changes true', 'autosave_interval 1'] } as const;

/** Topics through streams of XEP-0174, by one load generator, against other brokers with the same items of 100 bytes. */
export async function benchBroker(): Promise<Row[]> {
  const missing = missingHere();
  if (missing !== undefined) return [{ what: 'the broker over streams', ours: 'not measured', peer: missing }];
  const scene = await createScene();
  if (typeof scene === 'string') return [{ what: 'the broker over streams', ours: 'not measured', peer: scene }];
  await using _ = scene;
  const inMemory: InMemory = (load) => ({ [MEMORY]: { start: startBox(memory), load } });
  return [
    ...await throughput(scene, inMemory),
    ...await fanOut(scene, inMemory),
    ...await latency(scene, inMemory),
    ...await backlog(scene),
    await syncs(scene),
  ];
}

function missingHere(): string | undefined {
  if (!needs('root')) return 'needs root';
  if (!needs('mosquitto')) return 'apt-get install mosquitto';
  return needs('prosody') ? undefined : 'apt-get install prosody';
}

type InMemory = (load: LoadOptions) => Readonly<Record<string, Entrant>>;

async function throughput(scene: Scene, inMemory: InMemory): Promise<Row[]> {
  const load = { window: 256, warm: COMPILED.stream, count: 40_000 };
  const what = 'items to one subscriber';
  const figure = 'deliveredPerSecond';
  const results = await inRounds(scene, {
    [DISK]: { start: startBox({ durable: true }), load },
    ...inMemory(load),
    [DISK_EARLY]: { start: startBox({ durable: true }), load: { ...load, warm: 5_000 } },
    [MEMORY_EARLY]: { start: startBox(memory), load: { ...load, warm: 5_000 } },
    [RELAY]: { start: (at) => nullRelay(at), load: { ...load, count: 100_000 } },
    [TLS_RELAY]: { start: (at) => nullRelay(at, { tls: true }), load: { ...load, count: 100_000 } },
    [QOS0]: { start: (at) => mosquitto(at, { qos: 0 }), load },
    [QOS1]: { start: (at) => mosquitto(at, { qos: 1 }), load },
    [PROSODY]: { start: (at) => prosody(at, { durable: false }), load: { ...load, warm: 500, count: 4_000 } },
    [KEEPS]: { start: (at) => prosody(at, { durable: true }), load: { ...load, warm: 200, count: 1_500 } },
  });
  return compared(results, [
    { what, figure, ours: DISK, peer: QOS1, least: 0.5 },
    { what, figure, ours: DISK, peer: KEEPS, least: 10 },
    { what, figure, ours: DISK, peer: MEMORY, least: 0.5 },
    { what, figure, ours: DISK, peer: RELAY },
    { what, figure, ours: MEMORY, peer: PROSODY, least: 8 },
    { what, figure, ours: MEMORY, peer: QOS0, least: 0.5 },
    { what, figure, ours: MEMORY, peer: RELAY, least: 0.5 },
    { what, figure, ours: MEMORY, peer: TLS_RELAY },
    { what, figure, ours: DISK_EARLY, peer: DISK },
    { what, figure, ours: MEMORY_EARLY, peer: MEMORY },
  ]);
}

async function fanOut(scene: Scene, inMemory: InMemory): Promise<Row[]> {
  const load = { subscribers: 100, window: 32, warm: COMPILED.fan, count: 4_000 };
  const what = 'items to 100 subscribers';
  const figure = 'deliveredPerSecond';
  const results = await inRounds(scene, {
    [DISK]: { start: startBox({ durable: true }), load },
    ...inMemory(load),
    [RELAY]: { start: (at) => nullRelay(at), load: { ...load, count: 10_000 } },
    [TLS_RELAY]: { start: (at) => nullRelay(at, { tls: true }), load: { ...load, count: 10_000 } },
    [QOS0]: { start: (at) => mosquitto(at, { qos: 0 }), load },
    [PROSODY]: { start: (at) => prosody(at, { durable: false }), load: { ...load, warm: 50, count: 500 } },
  });
  return compared(results, [
    { what, figure, ours: DISK, peer: MEMORY, least: 0.5 },
    { what, figure, ours: DISK, peer: QOS0 },
    { what, figure, ours: DISK, peer: PROSODY },
    { what, figure, ours: DISK, peer: RELAY },
    { what, figure, ours: MEMORY, peer: PROSODY, least: 12 },
    { what, figure, ours: MEMORY, peer: QOS0, least: 2 },
    { what, figure, ours: MEMORY, peer: RELAY, least: 0.5 },
    { what, figure, ours: MEMORY, peer: TLS_RELAY },
  ]);
}

/** From the moment it is written by the publisher until the subscriber has it. */
async function latency(scene: Scene, inMemory: InMemory): Promise<Row[]> {
  const load = { rate: 2_000, warm: COMPILED.paced, count: 6_000 };
  const what = 'from publisher to subscriber at 2,000/s';
  const results = await inRounds(scene, {
    [DISK]: { start: startBox({ durable: true }), load },
    [DISK_EARLY]: { start: startBox({ durable: true }), load: { ...load, warm: 2_000 } },
    [MEMORY_EARLY]: { start: startBox(memory), load: { ...load, warm: 2_000 } },
    ...inMemory(load),
    [KEPT_RELAY]: { start: (at) => nullRelay(at, { tls: true, keeps: true }), load },
    [RAW]: { start: nothing, load: { mode: 'disk', dir: scene.dir, payload: 256, count: 2_000 } },
    [PACED]: { start: nothing, load: { mode: 'disk', dir: scene.dir, payload: 256, count: 2_000, rate: load.rate } },
    [QOS0]: { start: (at) => mosquitto(at, { qos: 0 }), load },
  });
  return [
    ...compared(results, [
      { what: `p50 ${what}`, figure: 'p50', ours: DISK, peer: RAW, most: 3 },
      { what: `p50 ${what}`, figure: 'p50', ours: DISK, peer: PACED },
      { what: `p50 ${what}`, figure: 'p50', ours: DISK, peer: KEPT_RELAY },
      { what: `p50 ${what}`, figure: 'p50', ours: KEPT_RELAY, peer: RAW },
      { what: `p50 ${what}`, figure: 'p50', ours: DISK_EARLY, peer: RAW },
      { what: `p99 ${what}`, figure: 'p99', ours: DISK_EARLY, peer: DISK },
      { what: `p50 ${what}`, figure: 'p50', ours: MEMORY_EARLY, peer: QOS0 },
      { what: `p99 ${what}`, figure: 'p99', ours: MEMORY_EARLY, peer: MEMORY },
      { what: `p50 ${what}`, figure: 'p50', ours: MEMORY, peer: QOS0, most: 2.5 },
    ]),
    ...atMost(results, `p99 ${what}`, DISK, 'p99', 10),
    ...atMost(results, `p99 ${what}`, MEMORY, 'p99', 5),
  ];
}

/** Nobody: the generator does it all. */
async function nothing(): Promise<Server> {
  return { load: {}, async [Symbol.asyncDispose]() { /* there is nothing to stop */ } };
}

/** What is accepted while nobody takes it, and how long who comes back takes for 10,000 items. */
async function backlog(scene: Scene): Promise<Row[]> {
  const load = { mode: 'backlog', warm: 5_000, count: 5_000, window: 100 };
  const waiting = 'mosquitto QoS 1, max_queued_messages 0';
  const results = await inRounds(scene, {
    [DISK]: { start: startBox({ durable: true }), load: { ...load, warm: COMPILED.stream, count: 40_000 } },
    [DISK_EARLY]: { start: startBox({ durable: true }), load },
    [waiting]: { start: (at) => mosquitto(at, { qos: 1, durable: true, lines: ['max_queued_messages 0'] }), load },
    // It writes everything anew each time.
    [CHANGES]: { start: (at) => mosquitto(at, onChanges), load: { ...load, warm: 50, count: 450 } },
  });
  return compared(results, [
    { what: 'items accepted for a durable subscriber who is away', figure: 'perSecond', ours: DISK, peer: CHANGES, least: 20 },
    { what: 'items accepted for a durable subscriber who is away', figure: 'perSecond', ours: DISK, peer: waiting },
    { what: 'items accepted for a durable subscriber who is away', figure: 'perSecond', ours: DISK_EARLY, peer: DISK },
    { what: '10,000 kept items to a durable subscriber who is back', figure: 'seconds', ours: DISK_EARLY, peer: waiting, most: 3 },
  ]);
}

async function syncs(scene: Scene): Promise<Row> {
  const what = 'fsyncs of the log per answer, over a stream, 100 in flight';
  if (!needs('strace')) return { what, ours: 'not measured', peer: 'apt-get install strace' };
  const file = join(scene.dir, 'syncs');
  const count = 20_000;
  await using server = await box(scene, { traced: file });
  await scene.load({ ...server.load, subscribers: 0, window: 100, count });
  const each = logSyncs(file) / count;
  return { what, ours: each.toFixed(4), peer: '', target: '≤ 0.03', met: each <= 0.03 };
}
