// The durable cursors of a home, by name: one for each filter, and one for each topic that waits for somebody.
import { matches } from '../log/filter.ts';
import type { Log } from '../log/log.ts';

export function cursorName(jid: string, filter: string): string {
  return `home:${jid} ${filter}`;
}

export function heldName(jid: string, topic: string): string {
  return `home-held:${jid} ${topic}`;
}

/** Names of the cursors that still have a filter to serve. */
export function heldNames(log: Log, jid: string, filters: readonly string[]): string[] {
  return [...log.cursors()].filter(({ name, filter }) => name === heldName(jid, filter) && filters.some((wider) => matches(wider, filter))).map(({ name }) => name);
}
