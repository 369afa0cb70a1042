// What of a topic came from a node, without the payloads: of a page of items at a time.
import type { Log } from '../../log/log.ts';
import { homeOf, nodeOf } from '../../pubsub/draft.ts';

/** Of the largest, 8 MiB. */
const PAGE = 64;

interface Place {
  readonly service: string;
  readonly node: string;
  readonly topic: string;
  /** Another node of the service is that topic, too. */
  readonly isShared: () => boolean;
}

export interface Theirs {
  readonly seq: number;
  readonly recordId: string;
  /** That its publisher chose. */
  readonly id: string | undefined;
}

/** Of the newest `most` items of the topic those of the node, oldest first; and how many were looked at. */
export async function theirsOf(log: Pick<Log, 'items'>, { service, node, topic, isShared }: Place, most: number): Promise<{ readonly theirs: readonly Theirs[]; readonly looked: number }> {
  const pages: Theirs[][] = [];
  const unnamed = isShared() ? topic : node;
  let looked = 0;
  for (let before: number | undefined; looked < most;) {
    const page = await log.items(topic, { last: Math.min(PAGE, most - looked), ...(before === undefined ? {} : { before }) });
    looked += page.length;
    pages.push(page.filter((record) => homeOf(record) === service && (nodeOf(record) ?? unnamed) === node).map(({ seq, recordId, id }) => ({ seq, recordId, id })));
    before = page[0]?.seq;
    if (page.length === 0) break;
  }
  return { theirs: pages.toReversed().flat(), looked };
}
