// A box's homes over a log in memory, against a scripted home.
import type { HomeOptions, HomeStatus, Trouble } from '../../src/api.ts';
import { type Clock, createSystemClock } from '../../src/clock.ts';
import { createHomes, type Homes, type HomesOptions } from '../../src/home/homes.ts';
import type { HomeReceiver } from '../../src/home/home.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { openLog, type Aside, type Log } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { attr, children, type Element } from '../../src/xmpp/element.ts';
import { Bell } from '../support/bell.ts';
import { quiet } from '../support/quiet.ts';
import { DOMAIN, startFakeHome, type FakeHome } from './fake-home.ts';

export interface Rig extends AsyncDisposable {
  readonly home: FakeHome;
  readonly troubles: Trouble[];
  log: Log;
  homes: Homes;
  broker: Broker;
  add(options?: object): Promise<HomeStatus>;
  status(): Promise<HomeStatus | undefined>;
  /** Resolves once `fits` holds. */
  until(fits: () => boolean | Promise<boolean>): Promise<void>;
  state(wanted: string): Promise<void>;
  drained(): Promise<void>;
  /** So many items of the topic are at home, and the box has been told. */
  acknowledged(topic: string, count: number): Promise<void>;
  publish(topic: string, ...values: (string | number)[]): Promise<void>;
  /** An item with an id of its own. */
  item(topic: string, id: string, value: string | number): Promise<void>;
  count(topic: string): number;
  /** What the item holds at home. */
  at(topic: string, id: string): string | undefined;
  /** Texts of all that was published to the topic, in order of arrival. */
  arrivals(topic: string): string[];
  /** Topics that the home's subscriptions hold back. */
  held(): string[];
  /** What was put aside for the home. */
  asides(): Promise<Aside[]>;
  /** The process ends, and another begins on the same store. */
  restart(options?: RigOptions, from?: MemoryDatabase): Promise<void>;
  database: MemoryDatabase;
  /** Homes that were closed, taken up anew on the same log. */
  take(): Promise<Homes>;
  /** `until` looks again. */
  ring(): void;
}

export interface RigOptions extends Partial<HomesOptions> {
  /** The log's clock, too; else that is the system's. */
  readonly time?: Clock;
  /** What the box is told as it is made. */
  readonly accounts?: readonly HomeOptions[];
}

export async function createRig(options: RigOptions = {}): Promise<Rig> {
  const bell = new Bell();
  const troubles: Trouble[] = [];
  const trouble = (t: Trouble): void => {
    troubles.push(t);
    bell.ring();
  };
  const database = new MemoryDatabase();
  const home = await startFakeHome(bell);
  const clock = bell.heard(createSystemClock());
  const open = async (given: RigOptions, from: MemoryDatabase = database): Promise<{ log: Log; homes: Homes; broker: Broker }> => {
    const log = await openLog({ database: from, clock: given.time ?? clock, boxId: 'aaaabbbbccccdddd', trouble });
    return { log, ...await homesOf(log, given) };
  };
  const homesOf = async (log: Log, { receive, time, accounts = [], ...with_ }: RigOptions): Promise<{ homes: Homes; broker: Broker }> => {
    const own = time ? bell.heard(time) : clock;
    const broker = new Broker({ log, clock: own, trouble, may: () => false, limits: { itemBytes: 131_072, topics: 1000, subscriptions: 100 } });
    const homes = createHomes({
      log, broker, clock: own, trouble, boxId: log.boxId, opened: bell.ring, limits: { settle: 100 }, random: () => 0, ...with_,
      ...(receive ? { receive: heard(receive) } : {}),
    });
    for (const account of accounts) await homes.add(account);
    await homes.start();
    return { homes, broker };
  };
  const heard = (receive: HomeReceiver): HomeReceiver => (...came) => {
    const done = receive(...came).finally(bell.ring);
    bell.ring();
    return done;
  };
  const textOf = (record: Element): string => children(record)[0]?.getText() ?? '';
  const rig: Rig = {
    home, troubles, database, ...await open(options),
    // Named, so that it waits for that service and no other; `undefined` leaves it open.
    add: (account = {}) => rig.homes.add({ ...home.account, service: `pubsub.${DOMAIN}`, topics: ['#'], ...account }),
    status: async () => (await rig.homes.list())[0],
    until: (fits) => bell.until(fits),
    state: (wanted) => bell.until(async () => (await rig.status())?.state === wanted),
    drained: () => bell.until(async () => (await rig.status())?.queued === 0),
    async acknowledged(topic, count) {
      await bell.until(() => rig.count(topic) === count);
      await quiet();
    },
    async publish(topic, ...values) {
      await Promise.all(values.map((value) => rig.log.append({ topic, kind: 'publish', payload: toPayload(value) })));
    },
    async item(topic, id, value) {
      await rig.log.append({ topic, kind: 'publish', id, payload: toPayload(value) });
    },
    count: (topic) => home.nodes.get(topic)?.size ?? 0,
    at: (topic, id) => {
      const record = home.nodes.get(topic)?.get(id);
      return record && textOf(record);
    },
    arrivals: (topic) => home.stanzas.map((stanza) => stanza.getChild('pubsub')?.getChild('publish'))
      .filter((publish) => publish && attr(publish, 'node') === topic)
      .map((publish) => {
        const record = publish?.getChild('item')?.getChild('record');
        return record ? textOf(record) : '';
      }),
    held: () => [...rig.log.cursors()].flatMap((cursor) => cursor.held),
    asides: async () => (await Promise.all([...rig.log.cursors()].map(({ name }) => rig.log.asides(name)))).flat(),
    async restart(again = options, from = rig.database) {
      await rig.homes.close();
      await rig.log.close();
      rig.database = from;
      Object.assign(rig, await open(again, from));
    },
    ring: bell.ring,
    async take() {
      Object.assign(rig, await homesOf(rig.log, options));
      return rig.homes;
    },
    async [Symbol.asyncDispose]() {
      await rig.homes.close();
      await rig.log.close();
      await home.close();
    },
  };
  return rig;
}
