import { type Clock, createTestClock, type TestClock } from '../../src/clock.ts';
import { createMdns, type BrowseEvent, type Browsing, type Mdns, type Publication, type Renamed, type Service } from '../../src/mdns/mdns.ts';
import { seeded } from '../support/seeded.ts';
import { settled, SimulatedLan, type SimulatedHost } from '../support/simulated-network.ts';

export const TYPE = '_presence._tcp';

export interface Box { mdns: Mdns; host: SimulatedHost; publication: Publication; browsing: Browsing; events: BrowseEvent[]; peers: Map<string, BrowseEvent['service']>; renamed: Renamed[]; troubles: string[] }

export interface World { clock: TestClock; lan: SimulatedLan; box: (name: string, options?: Partial<Service> & { on?: SimulatedHost; families?: (4 | 6)[]; clock?: Clock }) => Promise<Box> }

/** Boxes of mDNS alone on a simulated LAN, in the time of one test clock. */
export function world(): World {
  const clock = createTestClock();
  const lan = new SimulatedLan(clock);
  let seed = 1;
  return {
    clock, lan,
    async box(name, { on, families, clock: own = clock, ...service } = {}) {
      const host = on ?? lan.host(name, 'lan', families);
      const box: Omit<Box, 'mdns' | 'publication' | 'browsing'> = { host, events: [], peers: new Map(), renamed: [], troubles: [] };
      const mdns = createMdns({
        network: host.network(), clock: own, host: name, random: seeded(seed++), trouble: (trouble) => box.troubles.push(trouble.kind),
      });
      const publication = mdns.publish({
        user: 'box', type: TYPE, port: 5298, txt: [['txtvers', '1'], ['status', 'avail']], onRenamed: (renamed) => box.renamed.push(renamed), ...service,
      });
      const browsing = mdns.browse(TYPE, (event) => {
        box.events.push(event);
        if (event.type === 'down') box.peers.delete(event.service.instance);
        else box.peers.set(event.service.instance, event.service);
      });
      await settled();
      return { ...box, mdns, publication, browsing };
    },
  };
}

export async function advance(clock: TestClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 500) {
    clock.advance(Math.min(500, left));
    await settled();
  }
}

/** The clock of a process that can be stopped: time goes on, and what fell due is done late, each timer once. */
export function stoppable(clock: Clock): Clock & { stop(): void; go(): void } {
  let stopped = false;
  const late = new Set<() => void>();
  const when = (call: () => void) => (): void => {
    if (stopped) late.add(call);
    else call();
  };
  return {
    wall: () => clock.wall(), mono: () => clock.mono(), isSet: () => clock.isSet(),
    after: (ms, call) => clock.after(ms, when(call)),
    every: (ms, call) => clock.every(ms, when(call)),
    stop() { stopped = true; },
    go() {
      stopped = false;
      const calls = [...late];
      late.clear();
      for (const call of calls) call();
    },
  };
}

/** The sockets of a host whose process can be stopped: what comes meanwhile waits until they are full, and is read when it goes on. */
export function backlogged(host: SimulatedHost): { stop(): void; full(): void; go(): void } {
  let state: 'reads' | 'waits' | 'full' = 'reads';
  const waiting: (() => void)[] = [];
  const network = host.network();
  host.network = () => ({
    interfaces: () => network.interfaces(),
    open: (name, family, onPacket, asking) => network.open(name, family, (bytes, from) => {
      if (state === 'reads') onPacket(bytes, from);
      else if (state === 'waits') waiting.push(() => onPacket(bytes, from));
    }, asking),
  });
  return {
    stop() { state = 'waits'; },
    full() { state = 'full'; },
    go() {
      state = 'reads';
      for (const read of waiting.splice(0)) read();
    },
  };
}
