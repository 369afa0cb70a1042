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
  /** Whether what is older than these is known; `seen`: how many were looked at, these among them; `met`: some of them are known. */
  readonly reaches: (items: readonly HomeItem[], seen: number, met: boolean) => Promise<boolean>;
  /** The last of them that is known; -1: none. */
  readonly newest: (items: readonly HomeItem[]) => Promise<number>;
  /** `old`: so many of them are before one that is known. */
  readonly keep: (items: readonly HomeItem[], old: number) => Promise<Outcome>;
}

/** Back from the newest to where they overlap with what is known, then forward from there. */
export async function walk(target: Target, { ids, page, before, reaches, newest, keep }: Walk, { request, bytes }: { readonly request: (iq: Element) => Promise<Element>; readonly bytes: number }): Promise<Outcome> {
  let count = page;
  /** Of each id. */
  const fetch = async (asked: readonly string[]): Promise<(readonly HomeItem[])[]> => {
    const answer = itemsOf(await request(itemsRequest(target.service, target.node, asked)));
    // One that is large may be the first of many.
    const fits = Math.floor((asked.length * bytes) / (4 * Math.max(1, answer.bytes)));
    count = Math.max(1, Math.min(MOST, page * 16, asked.length * 2, fits));
    const items = new Map(answer.items.map((item) => [attr(item, 'id'), item]));
    return asked.map((id) => {
      const item = items.get(id);
      return item ? readItem(item) : [];
    });
  };
  let at = 0;
  // All up to there has been here, whether or not the view here still has it.
  let known = 0;
  if (before) {
    const old = new Set(before.map(([id]) => id));
    for (at = ids.length; at > 0;) {
      const asked = fitting(ids.slice(Math.max(0, at - count), at).toReversed()).toReversed();
      at -= asked.length;
      const groups = await fetch(asked);
      const items = groups.flat();
      const last = known === 0 ? await newest(items) : -1;
      if (last >= 0) known = at + upTo(groups, last);
      if (items.some(({ id }) => old.has(id)) || await reaches(items, ids.length - at, known > 0)) break;
    }
  }
  while (at < ids.length) {
    const asked = fitting(ids.slice(at, at + count));
    const groups = await fetch(asked);
    const passed = groups.slice(0, Math.max(0, known - at)).flat().length;
    at += asked.length;
    if (await keep(groups.flat(), passed) === 'later') return 'later';
  }
  return 'kept';
}

/** How many groups there are up to the one that has the item at `index` of all of them. */
function upTo(groups: readonly (readonly HomeItem[])[], index: number): number {
  let count = 0;
  for (let items = 0; items <= index && count < groups.length; count++) items += groups[count]?.length ?? 0;
  return count;
}

/** The first of them that one request may name; one at least. */
function fitting(ids: readonly string[]): string[] {
  let bytes = 0;
  const end = ids.findIndex((id, i) => (bytes += Buffer.byteLength(id) + 20) > ID_BYTES && i > 0);
  return ids.slice(0, end < 0 ? ids.length : end);
}
