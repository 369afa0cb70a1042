// How much the view of a topic may hold, and whether there is room in it.
import { LanpostError } from '../errors.ts';
import { encodeBody } from './body.ts';
import type { LogLimits } from './limits.ts';
import type { Prior } from './prior.ts';
import { type Draft, HEADER_BYTES, type TopicSettings } from './record.ts';
import type { Content } from './row-writer.ts';
import type { TopicChange } from './topics.ts';

interface Held {
  readonly settings: TopicSettings;
  readonly count: number;
  readonly viewBytes: number;
}

export function maxItems({ limits }: { readonly limits: LogLimits }, { settings }: Pick<Held, 'settings'>): number {
  return settings.maxItems ?? limits.maxItems;
}

/** Whether the view holds more than it may, by items or by bytes. The newest item stays, whatever it has. */
export function overfull(state: { readonly limits: LogLimits }, held: Held): boolean {
  const { settings, count, viewBytes } = held;
  return count > maxItems(state, held) || (settings.maxBytes !== undefined && viewBytes > settings.maxBytes && count > 1);
}

/** Why a topic that refuses what it has no room for takes no more; what the item replaces makes room for it. */
export function noRoom(state: { readonly limits: LogLimits }, change: TopicChange, priors: readonly Prior[], draft: Draft, content: Content): LanpostError | undefined {
  const inView = priors.filter(({ seq }) => seq >= change.viewFrom);
  const { maxBytes } = change.settings;
  const count = change.count + 1 - inView.length;
  if (count > maxItems(state, change)) return new LanpostError('topic-full', `${draft.topic} holds ${change.count} items, as many as it may, and refuses more.`);
  if (maxBytes === undefined) return undefined;
  const size = HEADER_BYTES + (content instanceof Uint8Array ? content : encodeBody(draft)).length;
  if (size > maxBytes) return new LanpostError('too-large', `${draft.topic} may hold ${maxBytes} bytes; the item takes ${size}.`);
  const bytes = inView.reduce((sum, { index }) => sum - index.size, change.viewBytes + size);
  return bytes > maxBytes ? new LanpostError('topic-full', `${draft.topic} holds ${change.viewBytes} of the ${maxBytes} bytes it may, and refuses more.`) : undefined;
}
