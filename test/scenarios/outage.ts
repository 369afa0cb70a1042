// One flow sends the same messages over several roads while the path to their servers is dead, silently; then it is mended.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as lasts } from 'node:timers/promises';
import { type FlowProcess, startFlows } from '../support/flow-process.ts';
import { createHomeServer } from '../support/homes.ts';
import { type JsonLines, readJsonLines } from '../support/json-lines.ts';
import { createLan, type Lan } from '../support/lan.ts';
import { ROOT } from '../support/root.ts';
import { NODE, OUTAGE_CREDENTIALS, type OutageRoad, outageFlow, outageRoads } from './outage-flow.ts';

const EDGE = 1;
const SERVERS = 2;
const MQTT_PORT = 1883;
/** So long after it was sent the last message is on disk where there is one. */
const ACCEPTED = 1000;
/** So old may be what a status tells: the box is looked at once a second, and Node-RED is told a little later. */
const LOOK = 2000;
/** Seconds after which it can be known that a server does not answer. */
const KNOWN = 8;
/** So long after the path is there again everything is waited for. */
const LONGEST = 150_000;

export interface OutageOptions {
  readonly messages: number;
  /** How long the path is dead, while all of them are sent; ms. */
  readonly cut: number;
  /** So long after the last message that came out nothing more is expected; ms. */
  readonly quiet: number;
  /** Node-RED is killed in the middle of it, and started again. */
  readonly killed?: boolean;
  /** A folder in which `node-red-node-xmpp` is installed. */
  readonly xmppNodes?: string;
}

/**
 * What a node's status said, from and until so many seconds after the cut, and how many messages waited indeed: what Complete was told of less what
 * came out. A status is as old as the look at what it tells of: so many at least, and at most.
 */
export interface Shown { readonly node: string; readonly from: number; readonly until: number; readonly text: string; readonly waiting: { readonly least: number; readonly most: number } }

export interface OutageResult {
  readonly road: OutageRoad;
  readonly lost: number;
  readonly doubled: number;
  readonly caught: number;
  /** Messages that Complete was told of, and that never came out. */
  readonly completed: number;
  /** Seconds after the path was mended until the last that came had come. */
  readonly last: number;
  /** During the cut. */
  readonly shown: readonly Shown[];
  /** What its nodes said last of all, once nothing more came. */
  readonly atEnd: readonly string[];
}

interface Said { readonly at?: number; readonly caught?: string; readonly done?: string; readonly shown?: string; readonly text?: string; readonly sent?: number; readonly started?: boolean }
interface Seen { readonly at: number; readonly road?: string; readonly n?: number; readonly ready?: boolean }

export async function sendThroughOutage({ messages, cut, quiet, killed = false, xmppNodes }: OutageOptions): Promise<OutageResult[]> {
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-outage-'));
  await using lan = await createLan(2);
  await using server = await createHomeServer('prosody', { lan, host: SERVERS });
  await server.start();
  const mosquitto = await startMosquitto(lan, dir);
  const roads = outageRoads({ host: server.host, mqttPort: MQTT_PORT, xmppPort: server.port, domain: server.domain }, { xmpp: xmppNodes !== undefined });
  const userDir = join(dir, 'node-red');
  mkdirSync(userDir);
  if (xmppNodes !== undefined) symlinkSync(join(xmppNodes, 'node_modules'), join(userDir, 'node_modules'));
  try {
    const start = (): Promise<FlowProcess> => startFlows(userDir, outageFlow(roads), { lan, host: EDGE, credentials: OUTAGE_CREDENTIALS, env: { NODE_EXTRA_CA_CERTS: server.ca } });
    let flows = await start();
    const earlier: Said[] = [];
    const said = (): readonly Said[] => [...earlier, ...flows.said.lines];
    const send = (first: number, count: number, ms: number): void => flows.tell(JSON.stringify({ first, count, ms }));
    const witness = readJsonLines<Seen>(lan.exec(SERVERS, process.execPath, [join(ROOT, 'test/scenarios/outage-witness.mjs'), server.host, String(MQTT_PORT), String(server.port), server.ca, server.service, server.domain, NODE]), 'the witness');
    // What the others are given before that is lost at once.
    for (const { name } of roads.slice(1)) await flows.said.wait((line) => line['shown'] === name && line['fill'] === 'green', { timeout: 60_000 });
    send(-2, 1, 0);
    await witness.wait(({ ready }) => ready === true, { timeout: 60_000 });
    // Each road works.
    send(-1, 1, 0);
    for (const { name } of roads) await witness.wait(({ road, n }) => road === witnessed(name) && n === -1, { timeout: 60_000 });

    const before = { done: perRoad(said(), 'done'), caught: perRoad(said(), 'caught') };
    await lan.silentCut(EDGE);
    const begun = Date.now();
    if (killed) {
      send(0, messages / 2, cut / 2);
      await flows.said.wait((line) => line['sent'] === 0, { timeout: cut / 2 + 60_000 });
      await lasts(ACCEPTED);
      await flows.kill();
      earlier.push(...flows.said.lines);
      flows = await start();
      send(messages / 2, messages / 2, Math.max(1000, begun + cut - Date.now()));
    } else send(0, messages, cut);
    await lasts(Math.max(0, begun + cut - Date.now()));
    await lan.restore(EDGE);
    const mended = Date.now();
    await flows.said.wait((line) => line['sent'] === (killed ? messages / 2 : 0), { timeout: 60_000 });
    // Whatever has not come by then is lost, as far as anybody can tell.
    await untilAll(witness, messages).catch(() => undefined);
    const arrived = await untilQuiet(witness.lines, mended, quiet);
    // Homes are looked at once a second.
    await flows.said.wait((line) => line['shown'] === 'home' && line['text'] === 'online' && Number(line['at']) > mended, { timeout: 30_000 }).catch(() => undefined);
    const all = said();
    const done = perRoad(all, 'done');
    const caught = perRoad(all, 'caught');
    await flows.stop();
    return roads.map((road) => {
      const times = arrived.times.get(witnessed(road.name)) ?? new Map<number, number>();
      const came = [...times].filter(([n]) => n >= 0);
      const told = (done.get(road.name) ?? 0) - (before.done.get(road.name) ?? 0);
      return {
        road, lost: messages - came.length, doubled: came.reduce((sum, [, often]) => sum + often - 1, 0),
        caught: (caught.get(road.name) ?? 0) - (before.caught.get(road.name) ?? 0), completed: Math.max(0, told - came.length),
        last: ((arrived.last.get(witnessed(road.name)) ?? mended) - mended) / 1000,
        shown: road.shown.flatMap((node) => shownDuring(all, node, begun, mended).map(({ at, ...one }) => ({ ...one, waiting: waitingAt(at, all, witness.lines, road.name) }))),
        atEnd: road.shown.map((node) => all.findLast((line) => line.shown === node)?.text ?? ''),
      };
    });
  } finally {
    mosquitto.kill('SIGTERM');
    await lan.down();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** As the witness calls it. */
const witnessed = (road: string): string => (road.startsWith('mqtt') ? `outage/${road}` : road);

/** mosquitto as it is installed, but for the address. */
async function startMosquitto(lan: Lan, dir: string): Promise<ReturnType<Lan['exec']>> {
  const file = join(dir, 'mosquitto.conf');
  writeFileSync(file, [`listener ${MQTT_PORT} ${lan.address(SERVERS)}`, 'allow_anonymous true', 'user root', ''].join('\n'));
  const child = lan.exec(SERVERS, 'mosquitto', ['-c', file]);
  child.stderr.setEncoding('utf8');
  for (let said = ''; !said.includes('running');) {
    const [text] = await Promise.race([once(child.stderr, 'data') as Promise<[string]>, once(child, 'close').then(() => { throw new Error(`mosquitto did not start: ${said}`); })]);
    said += text;
  }
  return child;
}

function perRoad(lines: readonly Said[], what: 'done' | 'caught'): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { [what]: road } of lines) if (road !== undefined) counts.set(road, (counts.get(road) ?? 0) + 1);
  return counts;
}

/** Until the home has all of them. */
async function untilAll(witness: JsonLines<Seen>, messages: number): Promise<void> {
  const seen = new Set<number>();
  const deadline = Date.now() + LONGEST;
  for (let after = 0; seen.size < messages; after++) {
    const { road, n = -1 } = await witness.wait(() => true, { after, timeout: Math.max(1, deadline - Date.now()) });
    if (road === 'lanpost' && n >= 0) seen.add(n);
  }
}

/** How often each message came out of each road, and when the last did, once nothing has come for a while. */
async function untilQuiet(lines: readonly Seen[], since: number, quiet: number): Promise<{ times: Map<string, Map<number, number>>; last: Map<string, number> }> {
  const times = new Map<string, Map<number, number>>();
  const last = new Map<string, number>();
  let read = 0;
  for (let newest = since; ;) {
    for (; read < lines.length; read++) {
      const line = lines[read];
      if (line?.road === undefined || line.n === undefined) continue;
      const { road, n, at } = line;
      const often = times.get(road) ?? new Map<number, number>();
      times.set(road, often.set(n, (often.get(n) ?? 0) + 1));
      newest = Math.max(newest, at);
      last.set(road, at);
    }
    if (Date.now() - newest >= quiet) return { times, last };
    await lasts(100);
  }
}

/** What it said when the cut began, and all that it said until it was mended. */
function shownDuring(lines: readonly Said[], node: string, begun: number, mended: number): (Omit<Shown, 'waiting'> & { readonly at: number })[] {
  const all = lines.filter((line) => line.shown === node && (line.at ?? Infinity) < mended);
  const first = all.filter(({ at = 0 }) => at <= begun).at(-1);
  const after = (at: number): number => Math.max(0, (at - begun) / 1000);
  return [...first ? [first] : [], ...all.filter(({ at = 0 }) => at > begun)].map(({ at = begun, text = '' }, i, during) => ({ node, at, from: after(at), until: after(during[i + 1]?.at ?? mended), text: text.replace(/^node-red:common\.status\./, '') }));
}

/** What was not so: that all is well, when it could be known that it is not, and numbers of what waits. */
export function untrue(shown: readonly Shown[]): Shown[] {
  return shown.filter(({ until, text, waiting: { least, most } }) => {
    if (/^(online|connected)/.test(text) && until > KNOWN) return true;
    const [, queued] = /(\d+) queued/.exec(text) ?? [];
    return queued !== undefined && (Number(queued) < least || Number(queued) > most);
  });
}

/** How many messages of a road were on their way. */
function waitingAt(at: number, lines: readonly Said[], seen: readonly Seen[], road: OutageRoad['name']): Shown['waiting'] {
  const done = (until: number): number => lines.filter((line) => line.done === road && (line.at ?? Infinity) <= until).length;
  const arrived = (until: number): number => new Set(seen.flatMap((one) => (one.road === witnessed(road) && one.at <= until && one.n !== undefined ? [one.n] : []))).size;
  return { least: done(at - LOOK) - arrived(at), most: done(at + LOOK) - arrived(at - LOOK) };
}
