// Whose turn it is: lanes with something to do, those of a higher priority first, of one priority those that keep up, or send
// what is live, before those with a backlog, and among those alike one after the other.
import type { Lane } from './lane.ts';

function rankOf(lane: Lane): number {
  return lane.rule.priority * 2 + (lane.behind && !lane.live ? 0 : 1);
}

export class Turns {
  /** Highest rank first. */
  #rows: { readonly rank: number; readonly lanes: Set<Lane> }[] = [];
  readonly #rankOf = new Map<Lane, number>();

  add(lane: Lane): void {
    const rank = rankOf(lane);
    const before = this.#rankOf.get(lane);
    if (before === rank) return;
    if (before !== undefined) this.delete(lane);
    let row = this.#rows.find((one) => one.rank === rank);
    if (!row) {
      row = { rank, lanes: new Set() };
      this.#rows = [...this.#rows, row].toSorted((a, b) => b.rank - a.rank);
    }
    row.lanes.add(lane);
    this.#rankOf.set(lane, rank);
  }

  delete(lane: Lane): void {
    const rank = this.#rankOf.get(lane);
    this.#rows.find((one) => one.rank === rank)?.lanes.delete(lane);
    this.#rankOf.delete(lane);
  }

  /** Each once, and those again that `step` has put at the end of their row, until it says to stop. */
  serve(step: (lane: Lane) => 'sent' | 'idle' | 'later' | 'full'): void {
    for (const { lanes } of this.#rows) {
      for (const lane of lanes) {
        const did = step(lane);
        if (did === 'full') return;
        if (did === 'later') continue;
        this.delete(lane);
        // To the end of the row; the loop comes to it again.
        if (did === 'sent') this.add(lane);
      }
    }
  }
}
