import process from 'node:process';
import type { Box, BoxStatus, HomeState, HomeStatus, Peer, SubscriptionInfo, TopicInfo } from '../index.ts';
import { exposition, type Family, type Sample } from './exposition.ts';
import type { WebLimits } from './limits.ts';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

interface Gathered { readonly status: BoxStatus; readonly peers: readonly Peer[]; readonly topics: readonly TopicInfo[]; readonly subscriptions: readonly SubscriptionInfo[] }
type MeasuredBox = Pick<Box, 'status' | 'peers' | 'topics' | 'subscriptions'>;

/** The numbers of the box; whoever asks at the same moment gets the same. */
export class Metrics {
  readonly #box: MeasuredBox;
  readonly #limits: WebLimits;
  #last: { readonly at: number; readonly text: Promise<string> } | undefined;

  constructor(box: MeasuredBox, limits: WebLimits) {
    this.#box = box;
    this.#limits = limits;
  }

  text(): Promise<string> {
    const now = performance.now();
    if (this.#last && now - this.#last.at < this.#limits.metricsAge) return this.#last.text;
    const text = this.#gather().then((gathered) => exposition(families(gathered, this.#limits)));
    this.#last = { at: now, text };
    return text;
  }

  async #gather(): Promise<Gathered> {
    const [status, peers, topics, subscriptions] = await Promise.all([this.#box.status(), this.#box.peers.list(), this.#box.topics.list(), this.#box.subscriptions.list()]);
    return { status, peers, topics, subscriptions };
  }
}

const HOME_STATES: readonly HomeState[] = ['offline', 'connecting', 'online', 'waiting', 'refused', 'paused'];

function families({ status, peers, topics, subscriptions }: Gathered, { metricTopics }: WebLimits): Family[] {
  const { link, log, homes } = status;
  const shown = topics.length <= metricTopics ? topics : topics.toSorted((a, b) => b.lastSeq - a.lastSeq).slice(0, metricTopics);
  const ofTopics = (value: (topic: TopicInfo) => number): Sample[] => shown.map((topic) => ({ labels: { topic: topic.name }, value: value(topic) }));
  const ofHomes = (value: (home: HomeStatus) => number | undefined): Sample[] =>
    homes.flatMap((home) => { const found = value(home); return found === undefined ? [] : [{ labels: { home: home.jid }, value: found }]; });
  const once = homes.filter((home) => readsFor(home, homes));
  const waiting = (value: (home: HomeStatus) => number | undefined): Sample[] => ofHomes((home) => (once.includes(home) ? value(home) : undefined));
  const durable = subscriptions.filter((one) => one.durable);
  const ofReaders = (value: (one: SubscriptionInfo) => number | undefined): Sample[] =>
    durable.flatMap((one) => { const found = value(one); return found === undefined ? [] : [{ labels: { subscription: one.name, filter: one.filter }, value: found }]; });
  return [
    gauge('info', 'What runs here; always 1.', [{ labels: { version: status.version, box: status.box, name: status.name }, value: 1 }]),
    gauge('link_up', 'Whether the box is on the link.', Number(link.state === 'up')),
    gauge('peers', 'Peers on the link, by how their key is known.', (['none', 'seen', 'paired'] as const).map((trust) => ({ labels: { trust }, value: peers.filter((peer) => peer.trust === trust).length }))),
    gauge('peers_connected', 'Peers to which a stream is open.', peers.filter(({ connected }) => connected).length),
    gauge('log_open', 'Whether the box accepts what is published; 0 when its disk is full or failed.', Number(log.state === 'open')),
    counter('log_records_total', 'Position of the newest record.', log.head),
    gauge('log_bytes', 'Bytes of all records held.', log.bytes),
    gauge('disk_free_bytes', 'Bytes free on the disk of the data directory.', log.freeBytes),
    counter('losses_total', 'How often readers lost something; the ledger says what.', log.losses),
    gauge('access_requests', 'Peers that wait to be let read a topic.', status.requests),
    counter('troubles_total', 'Trouble behind the scenes since the start, by kind.', Object.entries(status.troubles).map(([kind, value]) => ({ labels: { kind }, value }))),
    gauge('topics', 'Topics there are.', topics.length),
    counter('topic_records_total', 'Records a topic ever had.', ofTopics(({ records }) => records)),
    gauge('topic_items', 'Items of a topic that can be queried.', ofTopics(({ items }) => items)),
    gauge('topic_bytes', 'Bytes of the records of a topic that are held.', ofTopics(({ bytes }) => bytes)),
    gauge('home_state', 'State of a home: 1 for the one it is in.', homes.flatMap(({ jid, state }) => HOME_STATES.map((one) => ({ labels: { home: jid, state: one }, value: Number(one === state) })))),
    gauge('home_queued_records', 'Records that a home does not have safely yet; of a group at the one in use alone.', waiting(({ queued }) => queued)),
    gauge('home_queued_bytes', 'About how many bytes they have.', waiting(({ queuedBytes }) => queuedBytes)),
    gauge('home_oldest_age_seconds', 'Age of the oldest of them that it has not acknowledged.', waiting(({ oldestAge }) => oldestAge / 1000)),
    gauge('home_poison_records', 'Records put aside, which a home will not take.', waiting(({ poison }) => poison ?? 0)),
    gauge('home_rate_records', 'Records a second that a home acknowledged over the last minute.', ofHomes(({ rate }) => rate.items)),
    gauge('home_rate_bytes', 'Bytes a second that a home acknowledged over the last minute.', ofHomes(({ rate }) => rate.bytes)),
    gauge('home_drains_seconds', 'Until nothing waits, at that rate; absent while nothing goes.', waiting(({ drains }) => (drains === undefined ? undefined : drains / 1000))),
    gauge('home_room_seconds', 'Until the disk is at its floor, if the store grows as it has lately; absent while it does not, or that cannot be told.', waiting(({ hoursLeft }) => (hoursLeft === undefined ? undefined : hoursLeft * 3600))),
    gauge('subscription_pending_records', 'Records that a durable reader has not confirmed.', ofReaders(({ pending }) => pending)),
    gauge('subscription_pending_bytes', 'Bytes that are kept for it.', ofReaders(({ bytes }) => bytes)),
    gauge('subscription_oldest_age_seconds', 'Age of the oldest of them.', ofReaders(({ oldestAge }) => (oldestAge === undefined ? undefined : oldestAge / 1000))),
    gauge('subscription_readers', 'Who has it open.', ofReaders(({ readers }) => readers)),
    gauge('subscription_poison_records', 'Records that it put aside.', ofReaders(({ poison }) => poison)),
    { name: 'process_resident_memory_bytes', type: 'gauge', help: 'Memory of the whole process, the editor included.', samples: [{ value: process.memoryUsage.rss() }] },
    { name: 'process_cpu_seconds_total', type: 'counter', help: 'Processor time of the whole process.', samples: [{ value: cpuSeconds() }] },
    { name: 'process_start_time_seconds', type: 'gauge', help: 'When it started, seconds since 1970.', samples: [{ value: Math.round(Date.now() / 1000 - process.uptime()) }] },
  ];
}

/** Homes of a group are one reader, and what waits for it is counted once: at the one in use, or while none is at the first. */
function readsFor(home: HomeStatus, homes: readonly HomeStatus[]): boolean {
  const { group } = home;
  if (group === undefined) return true;
  const all = homes.filter((one) => one.group?.name === group.name);
  return home === (all.find((one) => one.group?.active === true) ?? all[0]);
}

const gauge = (name: string, help: string, samples: readonly Sample[] | number): Family => ({ name: `lanpost_${name}`, type: 'gauge', help, samples: listed(samples) });
const counter = (name: string, help: string, samples: readonly Sample[] | number): Family => ({ ...gauge(name, help, samples), type: 'counter' });

function listed(samples: readonly Sample[] | number): readonly Sample[] {
  return typeof samples === 'number' ? [{ value: samples }] : samples;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
