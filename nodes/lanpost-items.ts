import type { Node, NodeAPI, NodeMessage } from 'node-red';
import type { Box, Delivery, ItemsOptions } from '../src/index.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { filledIn } from './shared/filled-in.ts';
import { cameWith, under } from './shared/came-with.ts';
import { itemMessage, originOf } from './shared/item-message.ts';
import { itemPages } from './shared/item-pages.ts';
import { PAYLOAD_FORMS, sizeOf, type PayloadForm } from './shared/payload-form.ts';
import { choiceOf, MOMENT, momentOf, numberOf } from './shared/saved-field.ts';
import { sendThrough } from './shared/sender.ts';
import { textOr } from './shared/text-or.ts';
import { unlessRefused } from './shared/unless-refused.ts';

/** Items of one answer. */
export const MAX_ITEMS = 10_000;
/** Bytes of their values: all of them are in memory at once, and once more in what the flow makes of them. */
const MAX_BYTES = 16 * 1024 * 1024;
/** The newest ones that a box gives at once. */
const MOST_LAST = 1000;

/** `last`: the newest; else where they begin. */
const BEGINNINGS = ['last', 'start', 'time', 'seq'] as const;

interface ItemsDef extends BoxUserDef {
  /** Empty: `msg.topic`. */
  readonly topic: string;
  readonly from: string;
  /** A moment or a position, where `from` wants one. */
  readonly fromValue: string;
  /** Items accepted later than that are left out. */
  readonly until: string;
  readonly count: number | string;
  /** One message with all, or one for each. */
  readonly output: string;
  readonly form: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostItems(this: Node, saved: ItemsDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const settings = unlessRefused(this, () => ({
      form: choiceOf('form', def.form, PAYLOAD_FORMS), output: choiceOf('output', def.output, ['array', 'split']), wanted: wantedBy(def),
    }));
    if (!settings) return;
    const { form, output, wanted } = settings;
    sendThrough(RED, this, saved, {
      did: 'asked',
      async deliver(box, msg, _closing, send) {
        const topic = textOr(def.topic, msg.topic);
        if (topic === undefined) throw new Error('no topic: fill in the node\'s topic or set msg.topic');
        // What it asked with is not copied for each item.
        const { more: _, payload: __, ...rest } = msg;
        const { found, more } = await find(box, topic, wantedOf(wanted, msg));
        if (output === 'split') send([parts(RED, rest, found, form, more)]);
        else send({ ...under(topic, rest), payload: found.map((delivery) => listed(delivery, form)), ...more });
      },
    });
  }
  RED.nodes.registerType('lanpost items', LanpostItems);
}

/** Which query goes on behind an answer that ended because it may hold no more. */
interface More { readonly more?: { readonly after: number } }

async function find(box: Box, topic: string, wanted: Wanted): Promise<{ found: Delivery[]; more: More }> {
  const { query, count, until } = wanted;
  if (query.last !== undefined && until !== Infinity) return { found: await newestUntil(box, topic, wanted), more: {} };
  const found: Delivery[] = [];
  let bytes = 0;
  const inOrder = query.from !== undefined || query.after !== undefined;
  const goOn = (): More => {
    const last = found.at(-1);
    return inOrder && last ? { more: { after: last.seq } } : {};
  };
  for await (const delivery of itemPages(box, topic, query)) {
    if (delivery.time > until) continue;
    bytes += bytesOf(delivery);
    if (bytes > MAX_BYTES && found.length > 0) {
      if (!inOrder) throw tooMuch(topic);
      return { found, more: goOn() };
    }
    found.push(delivery);
    if (found.length === count) return { found, more: goOn() };
  }
  return { found, more: {} };
}

/** The newest that are not younger: where those end is known only when all there is has been looked at. */
async function newestUntil(box: Box, topic: string, { count, until }: Wanted): Promise<Delivery[]> {
  const found: Delivery[] = [];
  let bytes = 0;
  for await (const delivery of itemPages(box, topic, { from: 'start' })) {
    if (delivery.time > until) continue;
    found.push(delivery);
    bytes += bytesOf(delivery);
    const gone = found.length > count ? found.shift() : undefined;
    if (gone) bytes -= bytesOf(gone);
    if (bytes > MAX_BYTES && found.length > 1) throw tooMuch(topic);
  }
  return found;
}

function bytesOf(delivery: Delivery): number {
  return delivery.kind === 'item' ? sizeOf(delivery.value) : 0;
}

function tooMuch(topic: string): Error {
  return new Error(`these items of ${topic} are more than ${MAX_BYTES / 1024 / 1024} MiB: ask for fewer, or for all in order`);
}

interface Wanted { readonly query: ItemsOptions; readonly count: number; readonly until: number }

/** `msg.query`, what `items` of the API takes, goes before the node's fields. */
function wantedOf(fields: Wanted, msg: NodeMessage): Wanted {
  if (typeof msg.query !== 'object' || msg.query === null) return fields;
  const query: ItemsOptions = { ...msg.query };
  return { query, until: fields.until, count: Math.min(query.limit ?? query.last ?? query.ids?.length ?? MAX_ITEMS, MAX_ITEMS) };
}

/** By the fields alone. */
function wantedBy(def: ItemsDef): Wanted {
  const until = momentOf(def.until);
  if (until === undefined && def.until?.trim()) throw new Error(`until: say when, ${MOMENT}`);
  const count = Math.round(numberOf('count', def.count, { otherwise: 100, least: 1, most: MAX_ITEMS }));
  return { query: queryOf(def, Math.min(count, MOST_LAST)), until: until ?? Infinity, count };
}

function queryOf({ from: saved, fromValue }: ItemsDef, last: number): ItemsOptions {
  const from = choiceOf('from', saved, BEGINNINGS);
  if (from === 'start') return { from: 'start' };
  if (from === 'time') {
    const time = momentOf(fromValue);
    if (time === undefined) throw new Error(`from a time: say which, ${MOMENT}`);
    return { from: { time } };
  }
  if (from === 'seq') return { from: { seq: numberOf('fromValue', fromValue, { otherwise: 0 }) } };
  return { last };
}

/** What is in the one array. */
function listed(delivery: Delivery, form: PayloadForm): object {
  const { topic: _, kind: __, retained: ___, lanpost: ____, ...item } = itemMessage(delivery, { form });
  return { ...item, seq: delivery.seq };
}

/** As core's `split` would have it: `join` makes one of them again. */
function parts(RED: NodeAPI, msg: NodeMessage, found: readonly Delivery[], form: PayloadForm, more: More): NodeMessage[] {
  const id = RED.util.generateId();
  return found.map((delivery, index) => {
    const { lanpost, ...item } = itemMessage(delivery, { form });
    // What it was asked with may yet be confirmed, by the record that it came as.
    const { recordId: itemRecordId, ...named } = { recordId: delivery.recordId, ...lanpost };
    const itsOwn = originOf(msg.lanpost) ? { ...named, itemRecordId } : lanpost;
    return {
      ...RED.util.cloneMessage(msg), ...item, lanpost: cameWith(msg.lanpost, { ...itsOwn, parts: id }), seq: delivery.seq, parts: { id, index, count: found.length, type: 'array', len: 1 },
      ...(index === found.length - 1 ? more : {}),
    };
  });
}
