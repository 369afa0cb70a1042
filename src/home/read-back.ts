// Is what we sent really there? Pure: which ids to ask for, and what the answer means.
import { asRecordId } from '../log/record-id.ts';
import type { Entry } from './lane.ts';

/** An answer of bounded size. */
const PAGE_BYTES = 131_072;

/** Slices off the next page of `entries` from `from`, at least one. */
export function pageOf(entries: readonly Entry[], from: number, most: number): Entry[] {
  const page: Entry[] = [];
  let bytes = 0;
  for (let i = from; i < entries.length && page.length < Math.max(1, most); i++) {
    const entry = entries[i];
    if (!entry || (page.length > 0 && bytes + entry.bytes > PAGE_BYTES)) break;
    page.push(entry);
    bytes += entry.bytes;
  }
  return page;
}

/** Newest entry of each item id: it alone can be seen in the node. Ids that are used only once are left out. */
export function noteNewest(newest: Map<string, number>, entries: Iterable<Entry>): void {
  for (const { itemId, recordId, kind, seq } of entries) {
    if ((itemId !== recordId || kind === 'retract') && seq > (newest.get(itemId) ?? 0)) newest.set(itemId, seq);
  }
}

export function newestByItem(entries: Iterable<Entry>): Map<string, number> {
  const newest = new Map<string, number>();
  noteNewest(newest, entries);
  return newest;
}

/**
 * Whether the node shows that the entry arrived. One that a later entry of ours replaces counts as arrived: that one answers
 * for both, also when it is known by the node alone. An item that somebody else has written over is left to them.
 */
export function arrived(entry: Entry, found: ReadonlyMap<string, string | undefined>, newest: ReadonlyMap<string, number>): boolean {
  if ((newest.get(entry.itemId) ?? entry.seq) > entry.seq) return true;
  const there = found.has(entry.itemId);
  const recordId = found.get(entry.itemId);
  const ours = recordId?.startsWith(boxOf(entry.recordId)) ?? false;
  if (recordId !== undefined && isLater(recordId, entry.recordId)) return true;
  if (entry.kind === 'retract') return !there || !ours;
  return there && (recordId === entry.recordId || !ours);
}

/** Accepted by the same box after the other. */
function isLater(recordId: string, than: string): boolean {
  const [a, b] = [asRecordId(recordId), asRecordId(than)];
  if (!a || !b || a.box !== b.box) return false;
  return a.epoch === b.epoch ? a.seq > b.seq : Number.parseInt(a.epoch, 10) > Number.parseInt(b.epoch, 10);
}

/** `<box>-` of a record id. */
function boxOf(recordId: string): string {
  return recordId.slice(0, recordId.indexOf('-') + 1);
}
