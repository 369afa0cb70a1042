import type { Box, Delivery, TopicInfo } from '../../src/index.ts';
import { codeOf } from './in-words.ts';

/** Whose newest items a reader gets when it begins: of topics that keep only the newest, of all, of none. */
export const LAST_OF = ['latest', 'all', 'none'] as const;
export type LastOf = (typeof LAST_OF)[number];

/** Newest items that one reader gets at most when it begins. */
export const MAX_LAST_VALUES = 10_000;
/** The most that a box gives at once. */
const PAGE = 1000;

/** The newest item of each topic that fits, or of each of its keys; `comes`: those that the reader will get anyway. */
export async function* lastValues(box: Box, filter: string, of: LastOf, comes: (delivery: Delivery) => boolean): AsyncGenerator<Delivery> {
  if (of === 'none') return;
  let left = MAX_LAST_VALUES;
  for (const topic of await box.topics.list(filter)) {
    if (topic.items === 0 || (of === 'latest' && topic.lane !== 'latest')) continue;
    for (const delivery of await newest(box, topic, Math.min(left, PAGE))) {
      if (delivery.kind !== 'item' || comes(delivery)) continue;
      yield delivery;
      if (--left === 0) return;
    }
  }
}

async function newest(box: Box, { name, lane }: TopicInfo, most: number): Promise<Delivery[]> {
  try {
    return await box.items(name, { last: lane === 'latest' ? most : 1 });
  } catch (error) {
    // Deleted since, or a topic that can only be listened to. With any other the reader begins anew, and the node says why: else a dashboard
    // would begin without a value, and nobody would know.
    const code = codeOf(error);
    if (code === 'not-found' || code === 'unsupported') return [];
    throw error;
  }
}
