import type { Node, NodeAPI } from 'node-red';
import type { Delivery, Value } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { filledIn } from './shared/filled-in.ts';
import { overlap } from './shared/filter-overlap.ts';
import { itemPages } from './shared/item-pages.ts';
import { readThrough } from './shared/reader.ts';
import { choiceOf } from './shared/saved-field.ts';
import { unlessRefused } from './shared/unless-refused.ts';

/** Where a box writes down what its readers lost. */
const LEDGER = '$ledger';
/** Milliseconds without a reader, after which the place of a node that was deleted is forgotten. */
const FORGOTTEN_MS = 30 * 86_400_000;
/** Losses that the ledger keeps, the newest. */
const MAX_KNOWN = 1000;

interface GapDef extends BoxUserDef {
  /** Empty: all topics. */
  readonly filter: string;
  /** Empty: all readers. */
  readonly reader: string;
  readonly from: string;
}

/** A line of the ledger. */
interface Loss { readonly topic: string; readonly besides?: number; readonly subscription?: string; readonly from: number; readonly to: number; readonly count?: number; readonly reason: string }

export default function register(RED: NodeAPI): void {
  function LanpostGap(this: Node, saved: GapDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const from = unlessRefused(this, () => choiceOf('from', def.from, ['new', 'start']));
    if (!from) return;
    let told = 0;
    /** By their ids: all that the ledger has for this node, told before, now or never. */
    const known = new Set<string>();
    const know = (id: string): void => {
      known.add(id);
      const [oldest] = known;
      if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    };
    const isAsked = ({ topic, subscription }: Loss): boolean => (!def.filter || overlap(def.filter, topic)) && (!def.reader || def.reader === subscription);

    readThrough<Delivery>(RED, this, saved, {
      name: `gap:${this.id}`,
      // Durable: what was lost while Node-RED was stopped is what one wants to know.
      open: (box, signal) => box.subscribe(LEDGER, { durable: `gap:${this.id}`, from, expires: FORGOTTEN_MS, ack: 'manual', signal }),
      each: (delivery) => {
        if (delivery.kind !== 'item') return;
        const line = lossIn(delivery.value);
        if (!line || !isAsked(line)) return;
        const { topic, subscription, ...loss } = line;
        know(delivery.id);
        told++;
        this.send({ topic, kind: 'gap', id: delivery.id, time: delivery.time, payload: { ...(subscription === undefined ? {} : { reader: subscription }), ...loss }, lanpost: { topic, id: delivery.id } });
      },
      arrived: (delivery) => delivery.ack(),
      // What was lost before is lost, also when this node has told it before it was deployed again, or is not to tell it.
      begin: async (box) => {
        for await (const delivery of itemPages(box, LEDGER, { from: 'start' })) {
          if (delivery.kind !== 'item') continue;
          const line = lossIn(delivery.value);
          if (line && isAsked(line)) know(delivery.id);
        }
      },
      words: () => (known.size === 0 ? 'nothing lost' : `${told === 0 ? '' : `told of ${told}, `}${known.size} ${known.size === 1 ? 'loss' : 'losses'} known`),
      isFlawed: () => known.size > 0,
    });
  }
  RED.nodes.registerType('lanpost gap', LanpostGap);
}

function lossIn(value: Value): Loss | undefined {
  if (typeof value !== 'object' || value === null || !('topic' in value) || typeof value.topic !== 'string') return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the box alone writes there
  return value as unknown as Loss;
}
