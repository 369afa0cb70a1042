import type { Node, NodeAPI } from 'node-red';
import type { Box } from '../../src/index.ts';
import { homesOf, waitsInWords } from './left-homes.ts';
import { keptInWords, readersOf } from './left-readers.ts';

/** A node that goes to another box leaves what it had in the one before: that is said once, where whoever changed it looks. `goesOn`: that box runs without the node. */
export async function tellLeftBox(RED: NodeAPI, node: Node, box: Box, { said, goesOn }: { readonly said: ReadonlySet<string>; readonly goesOn: boolean }): Promise<void> {
  const [homes, readers] = await Promise.all([homesOf(RED, box), readersOf(box)]);
  const left = homes.filter(({ jid, deployed }) => said.has(jid) && !deployed).map((home) => `the home account ${home.jid} (${waitsInWords(home)})`);
  if (readers.length > 0) {
    const sum = (of: (reader: typeof readers[number]) => number): number => readers.reduce((all, reader) => all + of(reader), 0);
    const kept = keptInWords({ pending: sum(({ pending }) => pending), bytes: sum(({ bytes }) => bytes) });
    left.push(readers.length === 1 ? `the durable reader "${readers[0]?.name}", which ${kept}` : `${readers.length} durable readers: what they read ${kept.replace(/^keeps /, 'is ')}`);
  }
  if (left.length === 0) return;
  const { dir } = await box.status();
  node.warn(goesOn
    ? `this node goes to another box; in the former one (${dir}), which goes on, stay ${left.join('; ')}: remove there what nobody is to need, with lanpost home remove and lanpost subscriptions drop`
    : `this node goes to another box; the former one (${dir}) ends, and does nothing until it is opened again; in it stay ${left.join('; ')}: open it with lanpost start, or set this node back, until all of that is gone`);
}
