// A thousand instances on a real link: a box beside bonjour-service, multicast-dns (which only decodes) and avahi.
import { type ChildProcessWithoutNullStreams, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { readJsonLines } from '../../support/json-lines.ts';
import { createLan, type Lan } from '../../support/lan.ts';
import { needs } from '../../support/needs.ts';
import { ROOT } from '../../support/root.ts';
import { inMiB, median, percentile, type Row } from '../figures.ts';
import { indexOf } from './announcements.ts';

const MANY = 1000;
const FEW = 100;
const ROUNDS = 3;
/** How soon it is told is measured more often: a virtual machine's moods change from one run to the next by half. */
const TOLD_ROUNDS = 9;
const REFRESHES = 10_000;
const [ANNOUNCER, LISTENER, WATCHER, RESPONDER] = [1, 2, 3, 4] as const;
/** Ethernet's 1500 without the headers of IPv6 and UDP, as for IPv4 it may be 20 more. */
const LONGEST = 1452;

interface Said {
  readonly event: string;
  readonly times?: readonly number[];
  readonly seen?: readonly (number | null)[];
  readonly versions?: readonly (number | null)[];
  readonly cpu?: number;
  readonly rss?: number;
  readonly ms?: number;
  readonly up?: number;
  readonly counts?: Readonly<Record<string, { readonly queries: number; readonly knownAnswers: number; readonly responses: number; readonly answers: number; readonly longest: number }>>;
}

/** A program on one host of the LAN that is told what to do by the line. */
class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #lines: ReturnType<typeof readJsonLines<Said>>;

  constructor(lan: Lan, host: number, file: string, args: readonly string[]) {
    this.child = lan.exec(host, process.execPath, [file, ...args]);
    this.#lines = readJsonLines<Said>(this.child, file);
  }

  /** Its next line of that kind. */
  async said(event: string, command?: string, timeout = 60_000): Promise<Said> {
    const after = this.#lines.lines.length;
    if (command === undefined) return this.#lines.wait((line) => line.event === event, { timeout });
    this.child.stdin.write(`${command}\n`);
    return this.#lines.wait((line) => line.event === event, { timeout, after });
  }

  async end(): Promise<void> {
    const closed = once(this.child, 'close');
    this.child.stdin.end();
    await closed;
  }
}

const program = (name: string): string => join(ROOT, `dist/bench/test/bench/link/${name}.js`);

interface Delays { p50: number; p99: number; up: number }
/** Of a program's first newcomers, by code that is not compiled yet; and of as many more, when those are gone. */
interface Told extends Delays { first: Delays }
/** CPU in µs a packet: of the first `REFRESHES`, right after the newcomers; and when it has seen twice as many. */
interface Refreshed { soon: number; refresh: number }
interface Measured extends Told, Refreshed { growth: number; stale: number; drops: number; few: number; bursts: number[] }

export class Scale {
  readonly #lan: Lan;
  #announcer: Program;

  constructor(lan: Lan) {
    this.#lan = lan;
    this.#announcer = new Program(lan, ANNOUNCER, program('announcer'), [lan.address(ANNOUNCER)]);
  }

  async close(): Promise<void> {
    await this.#announcer.end();
  }

  announce(count: number, version: number, rate: number, { packets = count, from = 0 }: { packets?: number; from?: number } = {}): Promise<Said> {
    return this.#announcer.said('sent', JSON.stringify({ op: 'send', from, count, version, rate, packets }));
  }

  async #listening(kind: string): Promise<Program> {
    const listener = new Program(this.#lan, LISTENER, program('listener'), [kind, this.#lan.address(LISTENER)]);
    await listener.said('ready');
    await pause(4000); // its own probes and first queries are over
    return listener;
  }

  async told(kind: string): Promise<Told> {
    const listener = await this.#listening(kind);
    const { rss: _, ...told } = await this.#toldOf(listener);
    await listener.end();
    return told;
  }

  async #toldOf(listener: Program): Promise<Told & { rss: number }> {
    const { rss, ...first } = await this.#newcomers(listener, MANY);
    await this.announce(MANY, 0, 500, { from: MANY });
    await pause(3000); // RFC 6762 §10.1: who said goodbye is gone a second later
    return { ...await this.#newcomers(listener, 0), first, rss };
  }

  /** As many as that, from that index on. */
  async #newcomers(listener: Program, from: number): Promise<Delays & { rss: number }> {
    const { times = [] } = await this.announce(MANY, 1, 200, { from });
    await pause(2000);
    const { seen = [], rss = 0 } = await listener.said('report', 'report');
    const late = delays(times, seen.slice(from));
    return { p50: median(late), p99: percentile(late, 0.99), up: late.length, rss };
  }

  /** CPU that each of so many announcements of what is known takes, µs. */
  async #refresh(listener: Program, known: number, packets = REFRESHES): Promise<number> {
    await listener.said('reset', 'reset');
    await this.announce(known, 1, 2000, { packets });
    await pause(1500);
    return ((await listener.said('report', 'report')).cpu ?? Number.NaN) / packets;
  }

  /** The first of these pay for the compiler, and for the garbage of the newcomers. */
  async #refreshed(listener: Program, known: number): Promise<Refreshed> {
    const soon = await this.#refresh(listener, known);
    await this.#refresh(listener, known);
    return { soon, refresh: await this.#refresh(listener, known, 2 * REFRESHES) };
  }

  async listener(kind: string): Promise<Measured> {
    const many = await this.#listening(kind);
    const before = (await many.said('reset', 'reset')).rss ?? 0;
    const { rss, ...told } = await this.#toldOf(many);
    const drops = await this.#drops();
    const refreshed = await this.#refreshed(many, MANY);
    await this.announce(MANY, 2, 2000, { packets: REFRESHES });
    await pause(1500);
    const { versions = [] } = await many.said('report', 'report');
    const stale = kind === 'lanpost' ? versions.slice(0, MANY).filter((version) => version !== 2).length : Number.NaN;
    const dropped = await this.#drops() - drops;
    await many.end();

    const some = await this.#listening(kind);
    await this.announce(FEW, 1, 200);
    const { refresh: few } = await this.#refreshed(some, FEW);
    await some.end();

    const bursts: number[] = [];
    for (const count of [200, MANY]) {
      const fresh = await this.#listening(kind);
      await this.announce(count, 1, 0);
      await pause(3000);
      bursts.push(((await fresh.said('report', 'report')).seen ?? []).filter((at) => at !== null).length);
      await fresh.end();
    }
    return { ...told, ...refreshed, growth: (rss - before) / 2 ** 20, few, stale, drops: dropped, bursts };
  }

  async avahi(): Promise<Pick<Measured, 'p50' | 'p99' | 'up' | 'refresh'>> {
    await this.#lan.avahi(LISTENER);
    const browse = this.#lan.exec(LISTENER, 'avahi-browse', ['-p', '_presence._tcp']);
    const seen: number[] = [];
    createInterface({ input: browse.stdout }).on('line', (line) => {
      const index = indexOf((line.split(';')[3] ?? '').replace('\\064', '@'));
      if (line.startsWith('+') && !Number.isNaN(index)) seen[index] ??= Number(process.hrtime.bigint() / 1000n);
    });
    await pause(4000);
    const { times = [] } = await this.announce(MANY, 1, 200);
    await pause(2000);
    const before = this.#avahiCpu();
    await this.announce(MANY, 2, 2000, { packets: REFRESHES });
    await pause(1500);
    const refresh = (this.#avahiCpu() - before) / REFRESHES;
    browse.kill();
    const late = delays(times, Array.from(seen, (at) => at ?? null));
    return { p50: median(late), p99: percentile(late, 0.99), up: late.length, refresh };
  }

  /** A thousand services of our own, and what asking for them again provokes. */
  async own(): Promise<{ published: number; answers: number; queries: number; longest: number }> {
    const watcher = new Program(this.#lan, WATCHER, program('watcher'), [this.#lan.address(WATCHER)]);
    await watcher.said('ready');
    const agent = (host: number, settings: object): Program => new Program(this.#lan, host, join(ROOT, 'test/interop/mdns-agent.mjs'), [JSON.stringify({ quiet: true, host: `h${host}`, ...settings })]);
    const many = agent(RESPONDER, { count: MANY, user: 'own' });
    const { ms = Number.NaN } = await many.said('published');
    await pause(3000);
    const first = agent(LISTENER, { publish: false });
    await first.said('ready');
    for (let tries = 0; tries < 40 && (await first.said('state', '{"op":"state"}')).up !== MANY; tries++) await pause(250);
    const whole = await watcher.said('counts', 'counts');
    await pause(20_000); // queries come after 1, 2, 4, 8, … seconds
    const { counts = {} } = await watcher.said('counts', 'counts');
    const longest = Math.max(...Object.values({ ...whole.counts, ...counts }).map((count) => count.longest), ...Object.values(counts).map((count) => count.longest));
    for (const one of [first, many, watcher]) await one.end();
    return { published: ms, answers: counts[this.#lan.address(RESPONDER)]?.answers ?? 0, queries: counts[this.#lan.address(LISTENER)]?.queries ?? 0, longest };
  }

  /** Packets that the sockets of the listener's host had no room for. */
  async #drops(): Promise<number> {
    const table = await this.#lan.run(LISTENER, 'cat', ['/proc/net/udp']);
    return table.split('\n').filter((line) => line.includes(':14E9 ')).reduce((sum, line) => sum + Number(line.trim().split(/\s+/).at(-1)), 0);
  }

  /** µs of CPU that avahi's daemon has had. */
  #avahiCpu(): number {
    const pids = execFileSync('ip', ['netns', 'pids', this.#lan.namespace(LISTENER)], { encoding: 'utf8' }).trim().split('\n');
    const stats = pids.map((pid) => readFileSync(`/proc/${pid}/stat`, 'utf8')).filter((stat) => stat.includes('(avahi-daemon)'));
    // proc(5): user and system time are the 14th and 15th field, in ticks of 10 ms.
    return stats.reduce((sum, stat) => {
      const fields = stat.slice(stat.indexOf(') ') + 2).split(' ');
      return sum + (Number(fields[11]) + Number(fields[12])) * 10_000;
    }, 0);
  }
}

/** µs from an announcement until it was told. */
function delays(times: readonly number[], seen: readonly (number | null | undefined)[]): number[] {
  return times.flatMap((at, index) => {
    const then = seen[index];
    return typeof then === 'number' ? [then - at] : [];
  });
}

const firstOf = ({ first }: Told): Delays => first;
const nextOf = (told: Told): Delays => told;
const micros = (value: number): string => `${Math.round(value)} µs`;
function medianOf<T>(all: readonly T[], pick: (one: T) => number): number {
  return median(all.map(pick));
}

export async function benchScale(): Promise<Row[]> {
  if (!needs('root', 'avahi-browse')) {
    console.log('left out: a thousand instances on a real link needs root, iproute2 and avahi-daemon');
    return [];
  }
  const measured: Record<string, Measured[]> = { lanpost: [], 'multicast-dns': [], 'bonjour-service': [] };
  const told: Record<string, Told[]> = { lanpost: [], 'multicast-dns': [], 'bonjour-service': [] };
  const kinds = Object.keys(measured);
  for (let round = 0; round < TOLD_ROUNDS; round++) {
    for (const kind of round % 2 === 0 ? kinds : kinds.toReversed()) {
      await using lan = await createLan(2);
      const scale = new Scale(lan);
      if (round < ROUNDS) {
        const whole = await scale.listener(kind);
        measured[kind]?.push(whole);
        told[kind]?.push(whole);
      } else told[kind]?.push(await scale.told(kind));
      await scale.close();
    }
  }
  await using lan = await createLan(4);
  const scale = new Scale(lan);
  const own = await scale.own();
  const avahi = await scale.avahi();
  await scale.close();

  const ours = measured['lanpost'] ?? [];
  const soon = told['lanpost'] ?? [];
  const rows: Row[] = [];
  const against = (name: string, peer: readonly Measured[]): void => {
    const theirs = told[name] ?? [];
    const latency = (of: (told: Told) => Delays): number => median(soon.map((one, i) => of(one).p50 / of(theirs[i] ?? one).p50));
    const shown = (all: readonly Told[], of: (told: Told) => Delays): string => `${micros(medianOf(all, (one) => of(one).p50))} (${micros(medianOf(all, (one) => of(one).p99))})`;
    const [first, next] = [latency(firstOf), latency(nextOf)];
    const afterwards = median(ours.map((one, i) => one.soon / (peer[i]?.soon ?? Number.NaN)));
    const refresh = median(ours.map((one, i) => one.refresh / (peer[i]?.refresh ?? Number.NaN)));
    const bare = name === 'multicast-dns';
    rows.push({
      what: `announced → told, ${MANY} instances, 200/s, p50 (p99), against ${name}`, ratio: next,
      ours: shown(soon, nextOf), peer: shown(theirs, nextOf),
      ...(bare ? { target: '≤ 1.2', met: next <= 1.2 } : {}),
    }, {
      what: `the same of the first ${MANY} that each ever sees, by code that is not compiled yet`, ratio: first,
      ours: shown(soon, firstOf), peer: shown(theirs, firstOf),
      ...(bare ? { target: '≤ 1.2', met: first <= 1.2 } : {}),
    }, {
      what: `CPU per refresh packet, ${MANY} known, 2,000/s, against ${name}`, ratio: refresh,
      ours: micros(medianOf(ours, (one) => one.refresh)), peer: micros(medianOf(peer, (one) => one.refresh)),
      ...(bare ? { target: '≤ 1.5', met: refresh <= 1.5 } : {}),
    }, {
      what: `the same of the first ${REFRESHES}, right after a thousand newcomers`, ratio: afterwards,
      ours: micros(medianOf(ours, (one) => one.soon)), peer: micros(medianOf(peer, (one) => one.soon)),
      ...(bare ? { target: '≤ 1.5', met: afterwards <= 1.5 } : {}),
    }, {
      what: `told of 200 and ${MANY} that come at once, against ${name}`,
      ours: range(ours.map(({ bursts }) => bursts)), peer: range(peer.map(({ bursts }) => bursts)),
      ...(bare ? { target: 'all', met: ours.every(({ bursts }) => bursts[0] === 200 && bursts[1] === MANY) } : {}),
    });
  };
  against('multicast-dns', measured['multicast-dns'] ?? []);
  against('bonjour-service', measured['bonjour-service'] ?? []);
  const flat = median(ours.map(({ few, refresh }) => refresh / few));
  return [...rows, {
    what: `announced → told, ${MANY} instances, 200/s, p50 (p99), against avahi`, ratio: medianOf(soon, ({ p50 }) => p50) / avahi.p50,
    ours: micros(medianOf(soon, ({ p50 }) => p50)), peer: `${micros(avahi.p50)} (${micros(avahi.p99)}), ${avahi.up} told`,
  }, {
    what: `CPU per refresh packet, ${MANY} known, 2,000/s, against avahi`, ratio: medianOf(ours, (one) => one.refresh) / avahi.refresh,
    ours: micros(medianOf(ours, (one) => one.refresh)), peer: micros(avahi.refresh),
  }, {
    what: `CPU per refresh packet, ${MANY} known against ${FEW}`, ratio: flat,
    ours: micros(medianOf(ours, (one) => one.refresh)), peer: micros(medianOf(ours, ({ few }) => few)), target: '≤ 1.2', met: flat <= 1.2,
  }, {
    what: `missed of ${MANY} announced, 200/s, and of ${MANY} more when those were gone`, ours: String(Math.max(...soon.map(({ up, first }) => 2 * MANY - up - first.up))), peer: '', target: '0', met: soon.every(({ up, first }) => up + first.up === 2 * MANY),
  }, {
    what: `flood of ${REFRESHES} packets, 2,000/s: packets dropped, instances not up to date`, peer: '', target: '0, 0',
    ours: `${Math.max(...ours.map(({ drops }) => drops))}, ${Math.max(...ours.map(({ stale }) => stale))}`,
    met: ours.every(({ drops, stale }) => drops === 0 && stale === 0),
  }, {
    what: `memory that ${MANY} known instances take`, ours: inMiB(medianOf(ours, ({ growth }) => growth)), peer: inMiB(medianOf(measured['multicast-dns'] ?? [], ({ growth }) => growth)),
    target: '≤ 15 MiB', met: medianOf(ours, ({ growth }) => growth) <= 15,
  }, {
    what: `${MANY} services of our own advertised`, ours: `${own.published} ms`, peer: '', target: '≤ 3,000 ms', met: own.published <= 3000,
  }, {
    what: `answers provoked by asking again with ${MANY} known (${own.queries} questions in 20 s)`, ours: String(own.answers), peer: '', target: '≤ 10', met: own.answers <= 10,
  }, {
    what: 'longest datagram', ours: `${own.longest} bytes`, peer: '', target: `≤ ${LONGEST}`, met: own.longest <= LONGEST,
  }];
}

const range = (bursts: readonly (readonly number[])[]): string => [0, 1].map((which) => {
  const counts = bursts.map((one) => one[which] ?? Number.NaN);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? String(least) : `${least}–${most}`;
}).join(' and ');
