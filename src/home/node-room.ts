// Whether a node keeps what waits for it: servers drop the oldest items beyond their limit without a word. Said before they go.
import type { Element } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import type { Lane } from './lane.ts';
import { createRequest } from './node.ts';
import { deleteRequest, keepRequest, keepsOf, metaOf, type Request } from './node-info.ts';
import type { Work } from './work.ts';

/** What any server keeps of a node that this box has just had made with as many as it may: below it nothing is asked. Prosody's own limit is 256. */
const FEW = 200;
/** A node that was there may keep less; one that keeps fewer than that is for the last values, and meant so. */
export const FEWEST = 16;
/** What a record has around its payload in a pack. */
const RECORD_BYTES = 100;

/** An answer that is an error, as nothing. */
function orNothing<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch((error: unknown) => {
    if (error instanceof StanzaError) return undefined;
    throw error;
  });
}

/** How many items the node keeps, as far as anybody says. */
export async function keptBy(service: string, node: string, request: Request): Promise<number | undefined> {
  return await orNothing(keepsOf(service, node, request)) ?? (await orNothing(metaOf(service, node, request)))?.maxItems;
}

/**
 * Whether the service lets a node keep so many, where it does not say how many `max` are: ejabberd tells only by refusing more. Asked of
 * a node that is made for that: one that holds something would drop the rest, and keep no more when the session ends before it is told `max` again.
 */
async function lets(service: string, items: number, spare: string, request: Request): Promise<boolean | undefined> {
  const removed = (): Promise<unknown> => orNothing(request(deleteRequest(service, spare)));
  const makes = async (maxItems: string): Promise<boolean> => (await orNothing(request(createRequest(service, spare, { accessModel: 'whitelist', maxItems })))) !== undefined;
  await removed(); // left by a process that was killed in between
  const many = await makes(String(items));
  // Where it makes none, that says nothing.
  const any = many || await makes('max');
  if (any) await removed();
  return any ? many : undefined;
}

/** How many items the node keeps, made enough for `items` where it is ours; undefined: enough, or nobody says. `spare`: a node's name that is this box's to use. */
async function shortOf(service: string, node: string, items: number, spare: string, request: Request): Promise<{ readonly keeps: number | undefined } | undefined> {
  const set = async (value: string): Promise<boolean> => (await orNothing<Element>(request(keepRequest(service, node, value)))) !== undefined;
  const keeps = await orNothing(keepsOf(service, node, request));
  if (keeps === undefined) {
    const told = (await orNothing(metaOf(service, node, request)))?.maxItems;
    return told === undefined || told >= items ? undefined : { keeps: told };
  }
  if (keeps >= items && keeps < Infinity) return undefined;
  // As many as the server lets it.
  if (keeps < Infinity && !await set('max')) return await set(String(items)) ? undefined : { keeps };
  const most = await orNothing(keepsOf(service, node, request));
  if (most !== undefined && most < Infinity) return most >= items ? undefined : { keeps: most };
  return await lets(service, items, spare, request) === false ? { keeps: undefined } : undefined;
}

/** So many items come of it at most: packs are as small as the server's slowness makes them, until it is known to be quick. */
function itemsOf({ topic, rule: { pack } }: Lane, waiting: number, { options: { log } }: Work, packBytes: number): number {
  if (!pack) return waiting;
  const { count = 0, viewBytes = 0 } = log.topic(topic) ?? {};
  const mean = (count > 0 ? viewBytes / count : 0) + RECORD_BYTES;
  return Math.ceil(waiting / Math.max(1, Math.min(pack.records, Math.floor(Math.min(pack.bytes, packBytes) / mean))));
}

/** Of the lane `latest`, and of items with ids of their own, fewer items may come of it than records wait. `packBytes`: of one item made of many records, now. */
export async function measure(lane: Lane, work: Work, request: Request, packBytes: number): Promise<void> {
  const { options, pep } = work;
  const { log, jid, trouble } = options;
  const { topic, node, rule, short } = lane;
  if (log.topic(topic)?.settings['lane'] === 'latest') return;
  const waiting = lane.queue.length + lane.left.length + await lane.cursor.unread(topic, log.head + 1);
  const items = itemsOf(lane, waiting, work, packBytes);
  if (items < (lane.made ? FEW : FEWEST) || (short && short.waiting >= waiting)) return;
  const found = await shortOf(pep.serviceOf(topic), node, items, `lanpost/room/${options.boxId}`, request);
  lane.short = found && { keeps: found.keeps, waiting };
  // What is only rehearsed says in its report how much is kept.
  if (!found || short || topic.startsWith('$rehearse/')) return;
  const { keeps } = found;
  trouble({ kind: 'home.short', message: `${jid}: ${waiting} records of ${topic} wait, and the node ${node} keeps ${keeps === undefined ? 'fewer, the server does not say how many' : `${keeps} items`}: of what has gone up, the oldest ${rule.pack ? 'may' : 'will'} be gone there` });
  await log.noteLoss({ reader: lane.main.name, topic, from: lane.cursor.position + 1, to: log.head, ...(keeps === undefined || rule.pack ? {} : { count: waiting - keeps }), reason: 'short' })
    .catch(() => undefined); // a log that takes nothing: it has been told
}
