import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { From } from '../src/index.ts';
import { connectionOf, NO_BOX, onClose, tellerFor, type BoxUserDef } from './shared/box-node.ts';
import { filledIn } from './shared/filled-in.ts';
import type { ConfirmedNode } from './shared/handed-out.ts';
import { ItemReadings } from './shared/item-readings.ts';
import { LAST_OF } from './shared/last-values.ts';
import { NodeStatus } from './shared/node-status.ts';
import { outcomeOf, type Done } from './shared/outcome.ts';
import { PAYLOAD_FORMS } from './shared/payload-form.ts';
import type { ReadingSettings } from './shared/reading-settings.ts';
import type { Send } from './shared/sender.ts';
import { choiceOf, isOn, MOMENT, momentOf, numberOf } from './shared/saved-field.ts';
import { unlessRefused } from './shared/unless-refused.ts';

/** All of it may be text: of `${NAME}` nothing else comes. */
interface SubscribeDef extends BoxUserDef {
  readonly configVersion?: number;
  readonly filter: string;
  /** The peer at which it reads; empty: here. */
  readonly at?: string;
  readonly durable: boolean | string;
  /** The durable reader's name; empty: the node's id, so that copies of a node do not fight. */
  readonly reader: string;
  readonly from: string;
  /** A moment or a position, where `from` wants one. */
  readonly fromValue?: string;
  readonly last?: string;
  readonly ack?: string;
  readonly inFlight?: number | string;
  /** Seconds. */
  readonly ackWait?: number | string;
  readonly rate?: number | string;
  readonly rateOf?: string;
  readonly form?: string;
  readonly changes: boolean | string;
}

export default function register(RED: NodeAPI): void {
  function LanpostSubscribe(this: Node & { handedOut?: ConfirmedNode['handedOut'] }, saved: SubscribeDef): void {
    RED.nodes.createNode(this, saved);
    const settings = unlessRefused(this, () => settingsOf(filledIn(RED, this, migrated(saved)), this.id));
    if (!settings) return;
    const status = new NodeStatus(this);
    const connection = connectionOf(RED, saved);
    let readings: ItemReadings | undefined;
    if (!connection) {
      status.bad(NO_BOX);
      this.on('input', (msg, _send, done) => outcomeOf(this, msg, done)(new Error(NO_BOX)));
    } else {
      readings = new ItemReadings({ node: this, teller: tellerFor(RED, this, saved), connection, status }, settings);
      this.handedOut = readings.handedOut;
    }
    const tell = async (msg: NodeMessage, send: Send, done: Done): Promise<void> => {
      try {
        await readings?.told(msg, send);
      } catch (error) {
        done(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      done();
    };
    if (readings) this.on('input', (msg, send, done) => void tell(msg, send, outcomeOf(this, msg, done)));
    onClose(this, async (removed) => {
      await readings?.close(removed);
      status.close();
    });
  }
  RED.nodes.registerType('lanpost subscribe', LanpostSubscribe);
}

/** Version 1 had neither pace nor last values: what it did it goes on doing. */
function migrated(def: SubscribeDef): SubscribeDef {
  return (def.configVersion ?? 1) >= 2 ? def : { ...def, last: 'none', rate: 0 };
}

function settingsOf(def: SubscribeDef, id: string): ReadingSettings {
  const at = def.at?.trim();
  return {
    filter: def.filter,
    ...(at ? { at } : {}),
    subscription: def.reader || id,
    durable: isOn('durable', def.durable),
    from: fromOf(def),
    last: choiceOf('last', def.last, LAST_OF),
    manual: choiceOf('ack', def.ack, ['auto', 'manual']) === 'manual',
    inFlight: Math.round(numberOf('inFlight', def.inFlight, { otherwise: 64, least: 1, most: 1000 })),
    ackWait: numberOf('ackWait', def.ackWait, { otherwise: 0 }) * 1000,
    rate: numberOf('rate', def.rate, { otherwise: 500 }),
    rateOf: choiceOf('rateOf', def.rateOf, ['backlog', 'all']),
    form: choiceOf('form', def.form, PAYLOAD_FORMS),
    changes: isOn('changes', def.changes),
  };
}

function fromOf({ from: saved, fromValue }: SubscribeDef): From {
  const from = choiceOf('from', saved, ['new', 'last', 'start', 'time', 'seq']);
  if (from === 'time') {
    const time = momentOf(fromValue);
    if (time === undefined) throw new Error(`begin at a time: say which, ${MOMENT}`);
    return { time };
  }
  if (from === 'seq') {
    const seq = numberOf('fromValue', fromValue, { otherwise: -1, least: -1 });
    if (seq < 0) throw new Error('begin at a position: say which, as msg.lanpost.seq has it');
    return { seq };
  }
  return from;
}
