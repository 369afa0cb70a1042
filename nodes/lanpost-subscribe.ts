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
import { choiceOf, isOn, momentOf, numberOf } from './shared/saved-field.ts';
import { inWords } from './shared/in-words.ts';

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
    const status = new NodeStatus(this);
    const connection = connectionOf(RED, saved);
    let readings: ItemReadings | undefined;
    const fail = (words: string): void => {
      status.bad(words);
      this.on('input', (msg, _send, done) => outcomeOf(this, msg, done)(new Error(words)));
    };
    if (!connection) fail(NO_BOX);
    else {
      try {
        readings = new ItemReadings({ node: this, teller: tellerFor(RED, this, saved), connection, status }, settingsOf(filledIn(RED, this, migrated(saved)), this.id));
        this.handedOut = readings.handedOut;
      } catch (error) {
        fail(inWords(error));
        this.error(inWords(error));
      }
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
    durable: isOn(def.durable),
    from: fromOf(def),
    last: choiceOf(def.last, LAST_OF),
    manual: def.ack === 'manual',
    inFlight: Math.round(numberOf(def.inFlight, { otherwise: 64, least: 1, most: 1000 })),
    ackWait: numberOf(def.ackWait, { otherwise: 0 }) * 1000,
    rate: numberOf(def.rate, { otherwise: 500 }),
    rateOf: choiceOf(def.rateOf, ['backlog', 'all']),
    form: choiceOf(def.form, PAYLOAD_FORMS),
    changes: isOn(def.changes),
  };
}

function fromOf({ from, fromValue }: SubscribeDef): From {
  if (from === 'time') {
    const time = momentOf(fromValue);
    if (time === undefined) throw new Error('begin at a time: say which, as 2026-11-26T08:00:00Z or in milliseconds since 1970');
    return { time };
  }
  if (from === 'seq') {
    const seq = numberOf(fromValue, { otherwise: -1 });
    if (seq < 0) throw new Error('begin at a position: say which, as msg.lanpost.seq has it');
    return { seq };
  }
  return choiceOf(from, ['new', 'last', 'start']);
}
