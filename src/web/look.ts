import type { BoxStatus, Delivery, HomeStatus, Pairing, Peer, SubscriptionInfo, Value } from '../index.ts';
import type { WebLimits } from './limits.ts';
import type { ShownTopics } from './topic-watch.ts';

/** Some of many. */
export interface Rows<T> { readonly total: number; readonly rows: readonly T[] }

export interface ShownLoss {
  readonly time: number;
  readonly reader: string;
  readonly topic: string;
  /** Topics of that filter that have rows of their own. */
  readonly besides: number | undefined;
  readonly count: number | undefined;
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly reason: string;
}

/** Of a peer, what there is a place for. */
type Told = 'name' | 'status' | 'statusText' | 'nick' | 'trust' | 'box' | 'connected' | 'fingerprint' | 'host' | 'via' | 'addresses' | 'readsAsJid';
export type ShownPeer = { readonly [Member in Told]: Peer[Member] | undefined };

/** What a page shows, each part sent apart and only when it is another. */
export interface Sections {
  readonly box: Omit<BoxStatus, 'homes' | 'presence'> & { readonly status: string; readonly statusText?: string; /** The box's clock, ms since 1970. */ readonly at: number };
  readonly peers: Rows<ShownPeer>;
  readonly topics: ShownTopics;
  readonly homes: readonly HomeStatus[];
  readonly subscriptions: Rows<SubscriptionInfo>;
  readonly losses: Rows<ShownLoss>;
  readonly pairings: readonly Pairing[];
}

export function boxSection({ homes: _homes, presence, ...rest }: BoxStatus, at: number): Sections['box'] {
  const { status, statusText } = presence;
  return { ...rest, status, ...statusText === undefined ? {} : { statusText }, at };
}

/** Those one has a stream to first, then by name. */
export function peersSection(peers: readonly Peer[], { peers: most }: WebLimits): Sections['peers'] {
  const order = peers.toSorted((a, b) => Number(b.connected) - Number(a.connected) || (a.name < b.name ? -1 : 1));
  const rows = order.slice(0, most).map(({ name, status, statusText, nick, trust, box, connected, fingerprint, host, via, addresses, readsAsJid }) => ({
    name, status, statusText, nick, trust, box, connected, fingerprint, host, via, readsAsJid, addresses: addresses.slice(0, 8),
  }));
  return { total: peers.length, rows };
}

/** Those that keep the most first: that is what one comes to look for. */
export function subscriptionsSection(subscriptions: readonly SubscriptionInfo[], { subscriptions: most }: WebLimits): Sections['subscriptions'] {
  const order = subscriptions.toSorted((a, b) => Number(b.durable) - Number(a.durable) || b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  const rows = order.slice(0, most).map((one) => (one.oldestAge === undefined ? one : { ...one, oldestAge: inSteps(one.oldestAge) }));
  return { total: subscriptions.length, rows };
}

export function homesSection(homes: readonly HomeStatus[]): Sections['homes'] {
  return homes.map((home) => ({ ...home, oldestAge: inSteps(home.oldestAge), ...home.drains === undefined ? {} : { drains: inSteps(home.drains) } }));
}

/** A time as exactly as it is told: so what only grows older is not sent each second. */
function inSteps(ms: number): number {
  const step = ms < 120_000 ? 1000 : ms < 7_200_000 ? 60_000 : 3_600_000;
  return Math.floor(ms / step) * step;
}

/** Lines of the ledger, the newest first. */
export function lossesSection(lines: readonly Delivery[], total: number): Sections['losses'] {
  return { total, rows: lines.toReversed().flatMap((line) => (line.kind === 'item' ? [lossOf(line.value, line.time)] : [])) };
}

function lossOf(value: Value, time: number): ShownLoss {
  const line = new Map<string, unknown>(typeof value === 'object' && value !== null ? Object.entries(value) : []);
  const text = (name: string, otherwise: string): string => { const found = line.get(name); return typeof found === 'string' ? found : otherwise; };
  const number = (name: string): number | undefined => { const found = line.get(name); return typeof found === 'number' ? found : undefined; };
  return { time, reader: text('subscription', 'every reader'), topic: text('topic', '#'), besides: number('besides'), count: number('count'), from: number('from'), to: number('to'), reason: text('reason', 'unknown') };
}
