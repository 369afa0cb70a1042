// Small records that wait go several in one item. What goes together is on disk before it is sent.
import { packOf, type Entry, type Lane } from './lane.ts';
import { packed, packId, type Packed } from './pack-element.ts';
import type { Bundle } from './packs.ts';
import { unsayableIn } from './record-element.ts';
import type { Pack } from './up-rule.ts';
import type { Work } from './work.ts';

/** Fewer that wait go one by one: whoever follows a node live is not made to wait. */
const LEAST = 8;

/** Packs of one topic that wait to be sent, beyond which no more are made. */
const AHEAD = 8;

export interface PackingParts {
  readonly work: Work;
  readonly wake: (lane: Lane) => void;
  /** Bytes that one item should have at most, as fast as the home takes them. */
  readonly bytes: () => number;
}

export class Packing {
  readonly #parts: PackingParts;

  constructor(parts: PackingParts) {
    this.#parts = parts;
  }

  /** Sees what of the queue goes together; false while that, or the rest of the first pack, has to be waited for. */
  prepare(lane: Lane): boolean {
    if (lane.unformed) this.#form(lane);
    const [head] = lane.queue;
    lane.incomplete = head !== undefined && !head.pack && !head.retried && this.#parts.work.packs.covering(lane.topic, head.seq) !== undefined;
    if (lane.incomplete) {
      lane.unformed = true;
      return false;
    }
    if (!head || head.pack) return true;
    if (!this.#may(lane, head) || !(lane.planning || (lane.loose >= LEAST && lane.flight.size > 0))) return true;
    // More may join them meanwhile.
    lane.unformed = true;
    return false;
  }

  /** The home will not take it as one item: its records go alone. */
  async dissolve(lane: Lane, { pack }: Entry): Promise<void> {
    if (!pack) return;
    const { bundle, parts } = pack;
    const { work, wake } = this.#parts;
    lane.sentAlone(bundle.last);
    lane.planning = true;
    try {
      await work.packs.dissolve(lane.topic, bundle);
    } catch {
      // A log that takes nothing: after a restart the home is asked once more whether it takes the pack.
    } finally {
      lane.planning = false;
      work.queued(lane, parts);
      wake(lane);
    }
  }

  /** Puts together what is planned and here. */
  #form(lane: Lane): void {
    const { packs } = this.#parts.work;
    const { queue, topic } = lane;
    lane.unformed = false;
    const formed: Entry[] = [];
    let alone = 0;
    for (let i = 0; i < queue.length;) {
      const entry = queue[i];
      if (!entry) break;
      const bundle = entry.pack || entry.retried ? undefined : packs.covering(topic, entry.seq);
      if (!bundle) {
        formed.push(entry);
        alone = entry.pack ? 0 : alone + 1;
        i++;
        continue;
      }
      const parts: [Entry, ...Entry[]] = [entry];
      for (i++; (queue[i]?.seq ?? Infinity) <= bundle.last; i++) (queue[i]!.retried ? formed : parts).push(queue[i]!);
      // Only what the log itself has lost, or gives nobody any more, is left out: any other pack would take the place of the whole one at home.
      const isDamaged = bundle.damaged === true ? i < queue.length || lane.whole : lane.whole && lane.cursor.read >= bundle.last;
      if (parts.length === bundle.count || isDamaged) formed.push(packOf(topic, bundle, parts));
      else {
        formed.push(...parts);
        lane.unformed = true;
      }
      alone = 0;
    }
    lane.queue = formed;
    lane.loose = alone;
    if (!lane.rule.pack || alone < LEAST || lane.planning || lane.alone) return;
    const before = formed.length - alone;
    // Where enough is on its way already, more may come together.
    if (before >= AHEAD) return;
    const waiting = formed.slice(-alone);
    // Whether the home has some of it is seen first: a pack of what follows would leave all that comes before it to go alone.
    const probed = waiting.findIndex((entry) => lane.isProbed(entry));
    if (probed >= 0) lane.unformed = true;
    this.#plan(lane, lane.rule.pack, probed < 0 ? waiting : waiting.slice(0, probed), before === 0 && (lane.flight.size === 0 || lane.whole));
  }

  #may(lane: Lane, entry: Entry): boolean {
    const { seq, kind, record, retried } = entry;
    // An item with an id of its own is looked for by that; what may have gone alone, or was refused, stays alone.
    if (lane.rule.pack === undefined || kind !== 'publish' || retried || record.id !== undefined) return false;
    if (seq <= lane.stretchOf(seq).sentAlone || lane.isProbed(entry)) return false;
    // What another box may bring there, it brings alone.
    const { carried } = this.#parts.work.options;
    return !carried.may(seq) && !carried.has(seq);
  }

  #plan(lane: Lane, most: Pack, waiting: readonly Entry[], rest: boolean): void {
    const { work, wake } = this.#parts;
    // Of what a newer one replaces the log keeps nothing: a pack could not be put together again.
    if (work.options.log.topic(lane.topic)?.settings['lane'] === 'latest') return;
    const bundles = bundled(waiting, { records: most.records, bytes: Math.min(most.bytes, this.#parts.bytes()) }, {
      may: (entry) => this.#may(lane, entry), pack: ({ record }) => packed(record, work.placeOf(lane, record)), rest,
      // Where others may have gone first, only what follows at once is known to have none of them between.
      ...(lane.any || lane.stretches.length > 1 ? { next: ({ record: { previous } }, { seq }) => previous === seq } : {}),
    });
    if (bundles.length === 0) return;
    lane.planning = true;
    work.packs.plan(lane.topic, bundles).then(
      () => undefined,
      // A log that takes nothing: they go one by one, so that it may get room.
      () => { for (const { last } of bundles) lane.sentAlone(last); },
    ).finally(() => {
      lane.planning = false;
      lane.unformed = true;
      wake(lane);
    }).catch(() => undefined); // nothing in it throws
  }
}

/** What goes together of what waits; with `rest`, a pack that is not full if there is no other. */
export function bundled(waiting: readonly Entry[], most: Pack, { may, next = () => true, pack, rest }: {
  readonly may: (entry: Entry) => boolean;
  /** Whether it follows the one before: all that the topic has between the two is neither here nor to come. */
  readonly next?: (entry: Entry, before: Entry) => boolean;
  readonly pack: (entry: Entry) => Packed; readonly rest: boolean;
}): Bundle[] {
  const bundles: Bundle[] = [];
  let run: Entry[] = [];
  let bytes = 0;
  const close = (): void => {
    const [first, last] = [run[0], run.at(-1)];
    if (first && last && first !== last) bundles.push({ id: packId(first.recordId, last.recordId), first: first.seq, last: last.seq, count: run.length, bytes: bytes + 256 });
    run = [];
    bytes = 0;
  };
  for (const entry of waiting) {
    if (!may(entry) || unsayableIn(entry.record) !== undefined) {
      close();
      continue;
    }
    entry.packed ??= pack(entry);
    const size = Buffer.byteLength(entry.packed.text);
    if (size > most.bytes) {
      close();
      continue;
    }
    if (run.length >= most.records || bytes + size > most.bytes || (run[0] && (!sameLife(run[0], entry) || !next(entry, run.at(-1)!)))) close();
    run.push(entry);
    bytes += size;
  }
  if (rest && bundles.length === 0) close();
  return bundles;
}

/** Of one box and one epoch: then one id says which they are. */
function sameLife({ recordId: a }: Entry, { recordId: b }: Entry): boolean {
  const end = a.lastIndexOf('-');
  return end === b.lastIndexOf('-') && a.startsWith(b.slice(0, end + 1));
}
