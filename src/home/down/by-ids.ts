// More than fits into one answer, a page after the other by ids: so that no more than a page of items is here at once.
import { attr, type Element } from '../../xmpp/element.ts';
import { itemsRequest } from '../node.ts';
import type { Before } from './beginning.ts';
import { readItem, type HomeItem } from './item.ts';
import type { Outcome, Target } from './keeper.ts';
import { itemsOf } from './request.ts';

/** Items of a page; fewer while they are large, or after an answer that was too large. */
const MOST = 256;
/** Bytes of ids of one request, which servers bound. */
const ID_BYTES = 65_536;

export interface Walk {
  /** All that the node holds, oldest first. */
  readonly ids: readonly string[];
  /** Of a page in the beginning; sixteen times as many are asked for at most. */
  readonly page: number;
  readonly before: Before | undefined;
  /** Whether what is older than these is known; `seen`: how many were looked at, these among them. */
  readonly reaches: (items: readonly HomeItem[], seen: number) => Promise<boolean>;
  readonly keep: (items: readonly HomeItem[]) => Promise<Outcome>;
}

/** Back from the newest to where they overlap with what is known, then forward from there. */
export async function walk(target: Target, { ids, page, before, reaches, keep }: Walk, { request, bytes }: { readonly request: (iq: Element) => Promise<Element>; readonly bytes: number }): Promise<Outcome> {
  let count = page;
  const fetch = async (asked: readonly string[]): Promise<HomeItem[]> => {
    const answer = itemsOf(await request(itemsRequest(target.service, target.node, asked)));
    // One that is large may be the first of many.
    const fits = Math.floor((asked.length * bytes) / (4 * Math.max(1, answer.bytes)));
    count = Math.max(1, Math.min(MOST, page * 16, asked.length * 2, fits));
    const items = new Map(answer.items.map((item) => [attr(item, 'id'), item]));
    return asked.flatMap((id) => {
      const item = items.get(id);
      return item ? readItem(item) : [];
    });
  };
  let at = 0;
  if (before) {
    const old = new Set(before.map(([id]) => id));
    for (at = ids.length; at > 0;) {
      const asked = fitting(ids.slice(Math.max(0, at - count), at).toReversed()).toReversed();
      at -= asked.length;
      const items = await fetch(asked);
      if (items.some(({ id }) => old.has(id)) || await reaches(items, ids.length - at)) break;
    }
  }
  while (at < ids.length) {
    const asked = fitting(ids.slice(at, at + count));
    at += asked.length;
    if (await keep(await fetch(asked)) === 'later') return 'later';
  }
  return 'kept';
}

/** The first of them that one request may name; one at least. */
function fitting(ids: readonly string[]): string[] {
  let bytes = 0;
  const end = ids.findIndex((id, i) => (bytes += Buffer.byteLength(id) + 20) > ID_BYTES && i > 0);
  return ids.slice(0, end < 0 ? ids.length : end);
}
