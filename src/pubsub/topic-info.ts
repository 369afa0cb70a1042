import type { TopicConfig, TopicInfo } from '../api.ts';
import type { TopicState } from '../log/topics.ts';
import { DEFAULT_CONFIG } from './topic-config.ts';

/** How it is set up, as far as was said, and by default. */
export function configOf(state: TopicState): TopicConfig {
  return { ...DEFAULT_CONFIG, ...(state.settings as Partial<TopicConfig> | undefined) };
}

/** What is told of it. */
export function infoOf(state: TopicState): TopicInfo {
  return { ...configOf(state), name: state.name, items: state.count, bytes: state.bytes, lastSeq: state.last, records: state.ordinal, replaced: state.replaced };
}
