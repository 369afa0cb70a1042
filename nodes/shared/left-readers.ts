import type { Node } from 'node-red';
import type { Box, SubscriptionInfo } from '../../src/index.ts';

/** Those of programs on this box: of topics, and of its messages. */
const OF_PROGRAMS: ReadonlySet<string> = new Set(['local', 'inbox']);

/** A durable reader of programs on this box, as a dialog shows it. */
export type ReaderLine = Pick<SubscriptionInfo, 'name' | 'filter' | 'pending' | 'bytes' | 'oldestAge' | 'abandonedSince' | 'expiresAt' | 'poison'> & {
  /** Somebody has it open: a node, or a program. */
  readonly open: boolean;
};

/** All of them; those that nobody has open first, and of these the one that keeps most. */
export async function readersOf(box: Box): Promise<ReaderLine[]> {
  const lines = (await box.subscriptions.list()).filter(({ reader, durable }) => durable && OF_PROGRAMS.has(reader)).map(lineOf);
  return lines.toSorted((a, b) => Number(a.open) - Number(b.open) || b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

/** Whether it is dropped; one that somebody has open is not. */
export async function dropReader(box: Box, name: string): Promise<'dropped' | 'open' | 'unknown'> {
  const line = (await readersOf(box)).find((one) => one.name === name);
  if (!line) return 'unknown';
  if (line.open) return 'open';
  await box.subscriptions.drop(name);
  return 'dropped';
}

/** What a deleted node leaves in the box is said once, where whoever deleted it looks; by `teller`, which is still there. */
export async function tellLeft(teller: Node, box: Box, names: ReadonlySet<string>): Promise<void> {
  for (const line of await readersOf(box)) {
    if (names.has(line.name)) teller.warn(`the durable reader "${line.name}" stays in the box and ${keptInWords(line)}: drop it there when nobody is to read on`);
  }
}

/** What a reader keeps in the box, in words. */
export function keptInWords({ pending, bytes }: Pick<SubscriptionInfo, 'pending' | 'bytes'>): string {
  return pending === 0 ? 'keeps nothing yet' : `keeps ${pending === 1 ? '1 record' : `${pending} records`}, about ${bytes} bytes`;
}

function lineOf({ name, filter, pending, bytes, oldestAge, abandonedSince, expiresAt, poison, readers }: SubscriptionInfo): ReaderLine {
  return {
    name, filter, pending, bytes, poison, open: readers > 0,
    ...(oldestAge === undefined ? {} : { oldestAge }), ...(abandonedSince === undefined ? {} : { abandonedSince }), ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}
