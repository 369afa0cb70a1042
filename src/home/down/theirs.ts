// What of a topic came from a service, without the payloads: of a page of items at a time.
import type { Log } from '../../log/log.ts';
import { homeOf } from '../../pubsub/draft.ts';

/** Of the largest, 8 MiB. */
const PAGE = 64;

export interface Theirs {
  readonly seq: number;
  readonly recordId: string;
  /** That its publisher chose. */
  readonly id: string | undefined;
}

/** Of the newest `most` items of the topic those of the service, oldest first; and how many were looked at. */
export async function theirsOf(log: Pick<Log, 'items'>, topic: string, service: string, most: number): Promise<{ readonly theirs: readonly Theirs[]; readonly looked: number }> {
  const pages: Theirs[][] = [];
  let looked = 0;
  for (let before: number | undefined; looked < most;) {
    const page = await log.items(topic, { last: Math.min(PAGE, most - looked), ...(before === undefined ? {} : { before }) });
    looked += page.length;
    pages.push(page.filter((record) => homeOf(record) === service).map(({ seq, recordId, id }) => ({ seq, recordId, id })));
    before = page[0]?.seq;
    if (page.length === 0) break;
  }
  return { theirs: pages.toReversed().flat(), looked };
}
