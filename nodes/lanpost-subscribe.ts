import type { Node, NodeAPI } from 'node-red';
import type { Delivery, From } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { itemMessage } from './shared/item-message.ts';
import { readThrough } from './shared/reader.ts';

interface SubscribeDef extends BoxUserDef {
  readonly filter: string;
  readonly durable: boolean;
  /** The durable reader's name; empty: the node's id, so that copies of a node do not fight. */
  readonly reader: string;
  readonly from: 'new' | 'last' | 'start';
  /** Also retractions, purges, … and gaps. */
  readonly changes: boolean;
}

export default function register(RED: NodeAPI): void {
  function LanpostSubscribe(this: Node, def: SubscribeDef): void {
    RED.nodes.createNode(this, def);
    const reader = def.reader || this.id;
    const from: From = def.from || 'new';
    let received = 0;
    let lost = 0;

    readThrough<Delivery>(RED, this, def, {
      open: (box, signal) => box.subscribe(def.filter, { from, ack: 'manual', signal, ...(def.durable ? { durable: reader } : {}) }),
      each: (delivery) => {
        if (delivery.kind === 'gap') {
          lost += delivery.count ?? 1;
          this.warn(`records were lost (${delivery.reason}): ${delivery.count ?? 'an unknown number'} between ${delivery.from} and ${delivery.to}`);
        }
        if (delivery.kind === 'item' || def.changes) {
          received++;
          this.send(itemMessage(delivery, reader));
        }
      },
      // Handed to the flow is what this node can vouch for.
      arrived: (delivery) => delivery.ack(),
      words: () => `received ${received}${lost === 0 ? '' : `, ${lost} lost`}`,
    });
  }
  RED.nodes.registerType('lanpost subscribe', LanpostSubscribe);
}
