// The power goes at any moment: between two batches of the log, and at each stanza that comes to the home. What is on disk and what the
// home has are then as they were at that moment; in the end the home has everything, each record once, in order.
import { describe, expect, it } from 'vitest';
import type { MemoryDatabase } from '../../src/log/memory-database.ts';
import type { Element } from '../../src/xmpp/element.ts';
import { seeded } from '../support/seeded.ts';
import { createRig, type Rig } from './rig.ts';
import { stored } from './stored.ts';

interface Cut {
  readonly disk: MemoryDatabase;
  readonly home: ReadonlyMap<string, ReadonlyMap<string, Element>>;
}

function cutOf(rig: Rig): Cut {
  return { disk: rig.database.fork(), home: new Map([...rig.home.nodes].map(([node, items]) => [node, new Map(items)])) };
}

/** Ids of the records that a node has, alone and in packs. */
function recordsAt(rig: Rig, node: string): string[] {
  return stored(rig.home, node).map(({ recordId }) => recordId);
}

const up = [{ filter: 'packed', pack: { records: 10 } }, { filter: '#' }];
const TOPICS = ['packed', 'single', 'named'];

describe('the power goes', () => {
  it.each([1, 2])('at any moment: everything is at home in the end, each once, in order (seed %i)', async (seed) => {
    const random = seeded(seed);
    await using rig = await createRig({ limits: { settle: 20 } });
    const cuts: Cut[] = [];
    const batch = rig.database.batch.bind(rig.database);
    rig.database.batch = () => {
      const one = batch();
      return { ...one, write: async (options) => { await one.write(options); cuts.push(cutOf(rig)); } };
    };
    rig.home.set.before = () => { cuts.push(cutOf(rig)); };
    rig.home.set.resumable = false;
    const some = async (): Promise<void> => {
      const count = 5 + Math.floor(random() * 40);
      const values = Array.from({ length: count }, (_, n) => n);
      await rig.publish('packed', ...values);
      await rig.publish('single', ...values.slice(0, 5));
      await rig.item('named', `i${Math.floor(random() * 3)}`, count);
    };
    await some();
    await rig.add({ topics: [], up });
    for (let round = 0; round < 4; round++) {
      await some();
      if (random() < 0.5) rig.home.cut();
      if (random() < 0.5) await rig.drained();
      // The same home under other rules, or as a group of its own.
      if (random() < 0.5) await rig.add(random() < 0.3 ? { topics: ['#'] } : random() < 0.5 ? { topics: [], up, group: 'alone' } : { topics: [], up });
    }
    await rig.drained();
    rig.home.set.before = () => undefined;
    for (const cut of Array.from({ length: 8 }).flatMap(() => cuts.at(Math.floor(random() * cuts.length)) ?? [])) {
      await rig.homes.close();
      rig.home.nodes.clear();
      for (const [node, items] of cut.home) rig.home.nodes.set(node, new Map(items));
      await rig.restart({ limits: { settle: 20 } }, cut.disk.fork());
      if ((await rig.homes.list()).length === 0) continue; // it was not added yet
      for (const topic of TOPICS) await rig.publish(topic, 'last');
      await rig.drained();
      for (const topic of TOPICS) expect([topic, recordsAt(rig, topic)]).toEqual([topic, topic === 'named' ? recordsAt(rig, topic) : (await rig.log.items(topic)).map(({ recordId }) => recordId)]);
      expect(new Set(recordsAt(rig, 'named'))).toEqual(new Set((await rig.log.items('named')).map(({ recordId }) => recordId)));
    }
  });
});
