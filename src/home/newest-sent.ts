// How far a topic had got before this process began. A node may have let go of the first that went, and may never have had one that
// failed again and again: what is at home of those behind them tells.
import { homeOf } from '../pubsub/draft.ts';
import { entryOf, PAGE_ITEMS, type Lane } from './lane.ts';
import { presentOf, type NodeCheckParts } from './node-check.ts';
import { keptBy } from './node-info.ts';
import { FEWEST } from './node-room.ts';
import { pageOf } from './read-back.ts';
import { WINDOW } from './window.ts';

export interface Sent {
  /** The newest that is at home. */
  readonly to: number;
  /** So many more had gone after this one that it had been answered, or has no place in the node any more: where it is not there, it was. */
  readonly through: number;
}

export interface SentParts extends NodeCheckParts {
  /** Whether what is at home of it, or is not, tells of its neighbours: it went in order, alone, and from here. */
  readonly tells: (seq: number) => boolean;
}

/** Of those from `from` up to `to` that may have gone: is there any behind `after`? `known`: the newest up to there that is at home. */
export async function newestSent(lane: Lane, { from, to, after, known }: { readonly from: number; readonly to: number; readonly after: number; readonly known: number | undefined }, parts: SentParts): Promise<Sent | undefined> {
  const seqs = (await lane.cursor.undone(lane.topic, from, to)).filter(parts.tells);
  const behind = seqs.filter((seq) => seq > after);
  const run = async (): Promise<number> => Math.min(WINDOW.most, Math.max(1, await keptBy(parts.pep.serviceOf(lane.topic), lane.node, parts.request) ?? FEWEST));
  // So few are all asked for.
  const newest = await newestBehind(lane, behind, behind.length <= WINDOW.most ? WINDOW.most : await run(), parts) ?? known;
  if (newest === undefined) return undefined;
  return { to: newest, through: seqs[seqs.findLastIndex((seq) => seq <= newest) - await run()] ?? 0 };
}

/** The node has at least `run` of them in a row, or all that went. */
async function newestBehind(lane: Lane, seqs: readonly number[], run: number, parts: NodeCheckParts): Promise<number | undefined> {
  const step = Math.max(1, run >> 1);
  const asked = seqs.filter((_, i) => i < run || i % step === 0);
  const found = await newestOf(lane, asked, parts);
  if (found === undefined) return undefined;
  const next = asked[asked.indexOf(found) + 1] ?? Infinity;
  return await newestOf(lane, seqs.filter((seq) => seq > found && seq < next), parts) ?? found;
}

async function newestOf(lane: Lane, seqs: readonly number[], parts: NodeCheckParts): Promise<number | undefined> {
  for (let end = seqs.length; end > 0; end -= PAGE_ITEMS) {
    const records = await lane.cursor.at(seqs.slice(Math.max(0, end - PAGE_ITEMS), end));
    const entries = records.filter((record) => record.kind === 'publish' && homeOf(record) === undefined).map((record) => entryOf(record, 'publish', true)).toReversed();
    for (let at = 0; at < entries.length;) {
      const page = pageOf(entries, at, lane.page);
      const present = await presentOf(lane, page, new Map(), parts);
      const found = page.find((entry) => present.has(entry));
      if (found) return found.seq;
      at += page.length;
    }
  }
  return undefined;
}
