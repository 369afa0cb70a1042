// What goes up to real servers: against the best that a bare pipelined stream reaches on the same server, in the same run.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createSystemClock } from '../../src/clock.ts';
import { toAccount } from '../../src/home/account.ts';
import { cursorName } from '../../src/home/cursor-name.ts';
import { Home } from '../../src/home/home.ts';
import { HOME_LIMITS } from '../../src/home/homes.ts';
import { SESSION_TIMING } from '../../src/home/liveness.ts';
import { negotiate } from '../../src/home/negotiate.ts';
import { createRequest, publishRequest } from '../../src/home/node.ts';
import { recordElement } from '../../src/home/record-element.ts';
import { LevelDatabase } from '../../src/log/level-database.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { attr, xml, type Element } from '../../src/xmpp/element.ts';
import { parseJid } from '../../src/xmpp/jid.ts';
import { createHomeServer, type HomeServer } from '../support/homes.ts';
import { needs } from '../support/needs.ts';
import { inMiB, inTurns, median, perSecond, quiet, type Row } from './figures.ts';

/** As it is installed. */
const MEASURED = { env: { ERL_FLAGS: '' } };
const ROUNDS = 9;
/** A bare stream with as many in flight as any of these, whichever is best by the median of so many. */
const [WINDOWS, TRIED] = [[8, 32, 128, 256, 512], 3];
const LONG = 1_000_000;
/** What is acknowledged settles within the first quarter of that, and not, as it does else, only after all of it; ms. */
const SETTLE = 4_000;
/** How often the heap is looked at, after GC. */
const SAMPLES = 1000;
const TEXT = 'x'.repeat(260);
const STAMP = Date.UTC(2026, 10, 1);
const clock = createSystemClock();

type Kind = 'prosody' | 'ejabberd';
const ITEMS: Readonly<Record<Kind, number>> = { prosody: 700, ejabberd: 4_000 };
const READINGS: Readonly<Record<Kind, number>> = { prosody: 30_000, ejabberd: 60_000 };

/** Items a second of a stream that only publishes. Their ids are unique over boxes and restarts, as those of whoever may send again have to be: ejabberd writes all ids that a node has at each publish. */
async function bare(server: HomeServer, node: string, count: number, window: number, payload: (n: number, id: string) => Element): Promise<number> {
  const { jid, password } = server.account('edge1');
  const address = parseJid(jid);
  if (!address) throw new Error(jid);
  const stream = await negotiate({
    jid: address, password, resource: `bare-${node}`, host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8'),
    clock, deadline: 15_000, stanzaBytes: 1 << 20, onClose: () => undefined, signal: new AbortController().signal,
  });
  let sent = 0;
  let handled = 0;
  const write = (iq: Element, id: string): void => {
    iq.setAttrs({ id });
    stream.socket.write(iq);
  };
  const next = (): void => {
    const id = `aaaabbbbccccdddd-1.0a1b2c3d-${sent + 1}`;
    write(publishRequest(server.service, node, id, payload(sent, id)), `p${sent}`);
    sent++;
  };
  let start = 0;
  const took = await new Promise<number>((resolve) => {
    let answered = 0;
    stream.arrivals.handOver((stanza) => {
      if (stanza.getName() === 'r') stream.socket.write(xml('a', { xmlns: 'urn:xmpp:sm:3', h: String(handled) }));
      if (stanza.getName() === 'iq') handled++;
      if (attr(stanza, 'id') === 'create') {
        start = performance.now();
        while (sent < Math.min(window, count)) next();
      } else if (attr(stanza, 'id')?.startsWith('p') === true) {
        answered++;
        if (sent < count) next();
        if (answered === count) resolve(performance.now() - start);
      }
    });
    write(createRequest(server.service, node, { accessModel: 'whitelist', maxItems: 'max' }), 'create');
  });
  await stream.socket.close();
  return (count * 1000) / took;
}

async function fill(log: Log, topic: string, count: number, value: (n: number) => unknown): Promise<void> {
  for (let n = 0; n < count; n += 500) {
    await Promise.all(Array.from({ length: Math.min(500, count - n) }, (_, i) => log.append({ topic, kind: 'publish', payload: { contentType: 'application/json', bytes: Buffer.from(JSON.stringify(value(n + i))) } })));
  }
}

/** Fills a log, then lets a home drain it; `each` sees how many have been acknowledged. Records a second, without the coming in. */
async function drain(server: HomeServer, o: { topic: string; count: number; pack: boolean; value: (n: number) => unknown; settle?: number; each?: (acknowledged: number) => void }): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  const log = await openLog({ database: new LevelDatabase(dir), clock, boxId: 'aaaabbbbccccdddd', trouble: () => undefined });
  try {
    const { jid } = server.account('edge1');
    // From before there is anything, so that all of it is kept for the home.
    await (await log.cursor({ name: cursorName(jid, o.topic), filter: o.topic, from: 'start', durable: true })).close();
    await fill(log, o.topic, o.count, o.value);
    await quiet();
    const account = toAccount({ ...server.account('edge1'), host: server.host, port: server.port, ca: readFileSync(server.ca, 'utf8'), up: [{ filter: o.topic, pack: o.pack }] });
    const home = new Home({ account, cursors: {}, log, clock, trouble: ({ message }) => console.error(message), boxId: log.boxId, carried: { has: () => false, may: () => false }, limits: { ...HOME_LIMITS, settle: o.settle ?? HOME_LIMITS.settle }, timing: SESSION_TIMING });
    await home.start();
    let begun = 0;
    let from = 0;
    while (home.uplink.answered < o.count) {
      await pause(5);
      const { answered } = home.uplink;
      if (begun === 0 && answered > 0) {
        begun = performance.now();
        from = answered;
      }
      o.each?.(answered);
    }
    const rate = ((o.count - from) * 1000) / (performance.now() - begun);
    await home.close();
    return rate;
  } finally {
    await log.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** An item as it goes up, and its payload alone. */
const whole = (n: number, id: string): Element => recordElement({ recordId: id, seq: n + 1, stamp: { wall: STAMP, trusted: true }, payload: toPayload({ n, text: TEXT }) }, { previous: n });
const naked = (n: number): Element => xml('json', { xmlns: 'urn:xmpp:json:0' }, JSON.stringify({ n, text: TEXT }));
const item = (n: number): unknown => ({ n, text: TEXT });
const reading = (n: number): unknown => ({ n, value: 20 + (n % 100) / 10, unit: 'Cel' });

export async function ofServer(kind: Kind): Promise<Row[]> {
  await using server = await createHomeServer(kind, MEASURED);
  await server.start();
  let nodes = 0;
  const fresh = (): string => `bench/${nodes++}`;
  const rates = new Map(WINDOWS.map((window) => [window, [] as number[]]));
  for (let n = 0; n < TRIED; n++) for (const [window, into] of rates) into.push(await bare(server, fresh(), ITEMS[kind], window, whole));
  const [best] = WINDOWS.toSorted((a, b) => median(rates.get(b) ?? []) - median(rates.get(a) ?? []));
  if (best === undefined) throw new Error('no window was tried');
  const single = await inTurns(ROUNDS, () => drain(server, { topic: fresh(), count: ITEMS[kind], pack: false, value: item }), () => bare(server, fresh(), ITEMS[kind], best, whole));
  const around = await inTurns(ROUNDS, () => bare(server, fresh(), ITEMS[kind], best, whole), () => bare(server, fresh(), ITEMS[kind], best, naked));
  const packed = await inTurns(ROUNDS, () => drain(server, { topic: fresh(), count: READINGS[kind], pack: true, value: reading }), () => drain(server, { topic: fresh(), count: ITEMS[kind], pack: false, value: reading }));
  return [
    { what: `${kind}: items of 300 B drained, against a bare stream of the same items with ${best} in flight`, ours: perSecond(median(single.ours)), peer: perSecond(median(single.peer)), ratio: single.ratio, target: '≥ 0.9', met: single.ratio >= 0.9 },
    { what: `${kind}: a bare stream of items with what a record has around it, against one without that`, ours: perSecond(median(around.ours)), peer: perSecond(median(around.peer)), ratio: around.ratio },
    { what: `${kind}: readings drained packed, against one item each`, ours: perSecond(median(packed.ours)), peer: perSecond(median(packed.peer)), ratio: packed.ratio, target: '≥ 10', met: packed.ratio >= 10 },
  ];
}

/** Of the heap, by least squares; bytes for each record. */
function slope(points: readonly (readonly [number, number])[]): number {
  const mean = (of: (point: readonly [number, number]) => number): number => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([at]) => at), mean(([, value]) => value)];
  return points.reduce((sum, [at, value]) => sum + (at - x) * (value - y), 0) / points.reduce((sum, [at]) => sum + (at - x) ** 2, 0);
}

/** The least of each quarter: what was read and is on its way comes and goes within some 25,000 records, takes up to 60 MiB, and is seldom looked at when there is hardly any. */
function valleys(points: readonly (readonly [number, number])[]): (readonly [number, number])[] {
  const stretch = SAMPLES / 4;
  return points.flatMap((_, i) => {
    // What is left over at the end is too little to be seen at its least.
    const least = i % stretch === 0 && points.length - i > stretch / 2 ? points.slice(i, i + stretch).toSorted(([, a], [, b]) => a - b)[0] : undefined;
    return least ? [least] : [];
  });
}

/** A million readings into ejabberd. */
async function long(): Promise<Row[]> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  await using server = await createHomeServer('ejabberd', MEASURED);
  await server.start();
  const heaps: [number, number][] = [];
  const rate = await drain(server, {
    topic: 'bench/long', count: LONG, pack: true, value: reading, settle: SETTLE,
    each: (acknowledged) => {
      if (acknowledged < (heaps.at(-1)?.[0] ?? 0) + LONG / SAMPLES) return;
      gc();
      heaps.push([acknowledged, process.memoryUsage().heapUsed]);
    },
  });
  // What is acknowledged is known until it settles: the first quarter fills that.
  const steady = heaps.slice(Math.ceil(heaps.length / 4));
  const grown = slope(valleys(steady)) * LONG;
  return [{
    what: `ejabberd: ${LONG.toLocaleString('en')} readings drained packed (${perSecond(rate)}): growth of the heap after GC where it is least, and the most`,
    ours: inMiB(grown / 2 ** 20), peer: inMiB(Math.max(...steady.map(([, value]) => value)) / 2 ** 20), target: '≤ 2 MiB', met: grown <= 2 * 2 ** 20,
  }];
}

export async function benchHome(): Promise<Row[]> {
  const rows: Row[] = [];
  for (const kind of ['prosody', 'ejabberd'] as const) if (needs(kind)) rows.push(...await ofServer(kind));
  return rows;
}

export async function benchHomeLong(): Promise<Row[]> {
  return needs('ejabberd') ? long() : [];
}
