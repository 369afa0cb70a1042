import type { Node, NodeAPI } from 'node-red';
import type { Delivery, Value } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { filledIn } from './shared/filled-in.ts';
import { overlap } from './shared/filter-overlap.ts';
import { readThrough } from './shared/reader.ts';
import { choiceOf } from './shared/saved-field.ts';

/** Where a box writes down what its readers lost. */
const LEDGER = '$ledger';
/** Milliseconds without a reader, after which the place of a node that was deleted is forgotten. */
const FORGOTTEN_MS = 30 * 86_400_000;

interface GapDef extends BoxUserDef {
  /** Empty: all topics. */
  readonly filter: string;
  /** Empty: all readers. */
  readonly reader: string;
  readonly from: string;
}

/** A line of the ledger. */
interface Loss { readonly topic: string; readonly subscription?: string; readonly from: number; readonly to: number; readonly count?: number; readonly reason: string }

export default function register(RED: NodeAPI): void {
  function LanpostGap(this: Node, saved: GapDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const from = choiceOf(def.from, ['new', 'start']);
    let told = 0;

    readThrough<Delivery>(RED, this, saved, {
      name: `gap:${this.id}`,
      // Durable: what was lost while Node-RED was stopped is what one wants to know.
      open: (box, signal) => box.subscribe(LEDGER, { durable: `gap:${this.id}`, from, expires: FORGOTTEN_MS, ack: 'manual', signal }),
      each: (delivery) => {
        const line = delivery.kind === 'item' ? lossIn(delivery.value) : undefined;
        if (!line || delivery.kind !== 'item') return;
        const { topic, subscription, ...loss } = line;
        if ((def.filter && !overlap(def.filter, topic)) || (def.reader && def.reader !== subscription)) return;
        told++;
        this.send({ topic, kind: 'gap', id: delivery.id, time: delivery.time, payload: { ...(subscription === undefined ? {} : { reader: subscription }), ...loss }, lanpost: { topic, id: delivery.id } });
      },
      arrived: (delivery) => delivery.ack(),
      words: () => (told === 0 ? 'nothing lost' : `told of ${told}`),
    });
  }
  RED.nodes.registerType('lanpost gap', LanpostGap);
}

function lossIn(value: Value): Loss | undefined {
  if (typeof value !== 'object' || value === null || !('topic' in value) || typeof value.topic !== 'string') return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the box alone writes there
  return value as unknown as Loss;
}
