import type { TopicConfig, TopicInfo } from '../api.ts';
import type { TopicState } from '../log/topics.ts';
import { DEFAULT_CONFIG } from './topic-config.ts';

/** How it is set up, as far as was said, and by default. */
export function configOf(state: TopicState): TopicConfig {
  return { ...DEFAULT_CONFIG, ...(state.settings as Partial<TopicConfig> | undefined) };
}

/** What is told of it. */
export function infoOf(state: TopicState): TopicInfo {
  const config = configOf(state);
  // What is over that leaves the view with the next trim, and is not shown until then.
  return { ...config, name: state.name, items: Math.min(state.count, config.maxItems), bytes: state.bytes, lastSeq: state.last, records: state.ordinal, replaced: state.replaced };
}
