// Records of another box, published as this box's own account: what is there is left as it is, what is acknowledged is waited
// for until it is safe (a server may answer before its disk has it).
import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { serialize } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import { failureOf } from '../failure.ts';
import type { Home } from '../home.ts';
import { itemsRequest, parseItems, publishRequest } from '../node.ts';
import { recordElement } from '../record-element.ts';
import type { CarriedRecord } from './carried-record.ts';
import { REFUSED } from './confirmation.ts';

/** Asked for at once, and bytes that the answer may have. */
const PAGE = 50;
const PAGE_BYTES = 131_072;
/** Publishes unanswered. */
const WINDOW = 8;
/** One request; ms. And between two tries when the session has gone. */
const ANSWER = 120_000;
const PAUSE = 2_000;
/** How often it is begun anew when the session breaks, before it is given up. */
const TRIES = 10;

export interface PublishingParts {
  readonly home: () => Home | undefined;
  readonly clock: Clock;
  /** The home's pubsub service. */
  readonly service: string;
  readonly stanzaBytes: number;
  /** Acknowledged this long ago on an unbroken session: safe; ms. */
  readonly settle: number;
  readonly signal: AbortSignal;
  /** The log's; undefined while nothing vouches for the time. */
  readonly trustedNow: () => number | undefined;
}

export interface Published {
  readonly records: number;
  readonly published: number;
  readonly present: number;
  /** Positions at the author of those that the home will not take. */
  readonly refused: readonly number[];
  /** And of those that had waited for too long. */
  readonly expired: readonly number[];
}

/** `records` gives them anew each time it is called. */
export async function publishCarried(records: () => AsyncIterable<CarriedRecord>, parts: PublishingParts): Promise<Published> {
  const all = new Set<string>();
  for (let attempt = 0; ; attempt++) {
    parts.signal.throwIfAborted();
    const home = parts.home();
    if (!home?.online) {
      if (attempt >= TRIES) throw new LanpostError('unreachable', `No home is connected through which ${parts.service} can be reached.`);
      await pause(parts, PAUSE);
      continue;
    }
    try {
      const life = home.life;
      const done = await once(records(), home, all, parts);
      // Also of what was there: it may have been published a moment ago, by a run that was ended.
      await pause(parts, parts.settle);
      if (home.online && home.life === life) return { ...done, published: all.size, present: done.present - countOf(all, done.seen) };
    } catch (error) {
      if (error instanceof StanzaError || !(error instanceof LanpostError) || !['disconnected', 'unreachable', 'timeout'].includes(error.code) || attempt >= TRIES) throw error;
    }
    // What was acknowledged may be lost with the session: it is looked for, and sent again where it is missing.
    await pause(parts, PAUSE);
  }
}

function countOf(all: ReadonlySet<string>, seen: ReadonlySet<string>): number {
  let count = 0;
  for (const id of all) if (seen.has(id)) count++;
  return count;
}

interface Pass extends Published {
  /** Record ids that were there. */
  readonly seen: ReadonlySet<string>;
}

async function once(records: AsyncIterable<CarriedRecord>, home: Home, published: Set<string>, parts: PublishingParts): Promise<Pass> {
  const refused: number[] = [];
  const expired: number[] = [];
  const seen = new Set<string>();
  let count = 0;
  let page: CarriedRecord[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (page.length > 0) await publishPage(page, home, { refused, expired, seen, published }, parts);
    [page, bytes] = [[], 0];
  };
  for await (const one of records) {
    parts.signal.throwIfAborted();
    const size = one.record.payload?.bytes.length ?? 0;
    if (page.length >= PAGE || bytes + size > PAGE_BYTES || (page[0] && page[0].node !== one.node)) await flush();
    page.push(one);
    bytes += size;
    count += 1;
  }
  await flush();
  return { records: count, published: published.size, present: seen.size, refused, expired, seen };
}

/** Of one node. */
async function publishPage(page: readonly CarriedRecord[], home: Home, { refused, expired, seen, published }: { readonly refused: number[]; readonly expired: number[]; readonly seen: Set<string>; readonly published: Set<string> }, parts: PublishingParts): Promise<void> {
  const node = page[0]?.node ?? '';
  const there = await present(page, node, home, parts);
  const flying = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  for (const { record, place, until = Infinity } of page) {
    if (there.has(record.recordId)) {
      seen.add(record.recordId);
      continue;
    }
    if ((parts.trustedNow() ?? 0) > until) {
      expired.push(record.seq);
      continue;
    }
    const refuse = (): void => {
      refused.push(record.seq);
      if (refused.length > REFUSED) throw new LanpostError('forbidden', `${parts.service} takes more than ${REFUSED} records of the file not: nothing is confirmed.`);
    };
    const stanza = publishRequest(parts.service, node, record.recordId, recordElement(record, place));
    if (Buffer.byteLength(serialize(stanza)) > parts.stanzaBytes) {
      refuse();
      continue;
    }
    while (flying.size >= WINDOW) await Promise.race(flying);
    if (failure) break;
    const sent: Promise<void> = (async () => {
      try {
        await home.request(stanza, ANSWER);
        published.add(record.recordId);
      } catch (error) {
        if (error instanceof StanzaError && failureOf(error) === 'poison') refuse();
        else throw error;
      }
    })().catch((error: unknown) => { failure ??= { error }; }).finally(() => flying.delete(sent));
    flying.add(sent);
  }
  await Promise.all(flying);
  if (failure) throw told(failure.error, node, home, parts);
}

async function present(page: readonly CarriedRecord[], node: string, home: Home, parts: PublishingParts): Promise<Map<string, string | undefined>> {
  try {
    return parseItems(await home.request(itemsRequest(parts.service, node, page.map(({ record }) => record.recordId)), ANSWER));
  } catch (error) {
    // Whoever publishes to a node that is missing would own it, where services make them so.
    if (error instanceof StanzaError && error.condition === 'item-not-found') {
      throw new LanpostError('not-found', `${parts.service} has no node ${node}: the box that wrote the file makes it, by \`lanpost outbox allow\`.`, { cause: error });
    }
    throw told(error, node, home, parts);
  }
}

function told(error: unknown, node: string, home: Home, { service }: PublishingParts): unknown {
  if (!(error instanceof StanzaError)) return error;
  const allowed = failureOf(error) === 'hold' ? `: ${home.account.jid} may not publish there until the box that wrote the file says so (\`lanpost outbox allow\`)` : '';
  return new LanpostError(allowed === '' ? 'unreachable' : 'forbidden', `${service} refused what belongs to node ${node}, ${error.message}${allowed}`, { cause: error });
}

function pause({ clock, signal }: PublishingParts, ms: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(ms, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    const stop = (): void => {
      timer.stop();
      reject(signal.reason);
    };
    signal.addEventListener('abort', stop, { once: true });
  });
}
