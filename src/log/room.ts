// How much the view of a topic may hold, and whether there is room in it.
import { LanpostError } from '../errors.ts';
import type { LogLimits } from './limits.ts';
import type { TopicSettings } from './record.ts';

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

/** How long an item of the topic stays in the view; undefined for as long as there is room. */
export function maxAge({ maxAge: view, itemExpire }: TopicSettings): number | undefined {
  if (view === undefined) return itemExpire;
  return itemExpire === undefined ? view : Math.min(view, itemExpire);
}

/** What of the view an item takes the place of. */
interface Replaced {
  readonly count: number;
  readonly bytes: number;
}

/** Why a topic that refuses what it has no room for takes no more; what the item replaces makes room for it. */
export function noRoom(state: { readonly limits: LogLimits }, held: Held, name: string, replaced: Replaced, size: () => number): LanpostError | undefined {
  const { maxBytes } = held.settings;
  if (held.count + 1 - replaced.count > maxItems(state, held)) return new LanpostError('topic-full', `${name} holds ${held.count} items, as many as it may, and refuses more.`);
  if (maxBytes === undefined) return undefined;
  const bytes = size();
  if (bytes > maxBytes) return new LanpostError('too-large', `${name} may hold ${maxBytes} bytes; the item takes ${bytes}.`);
  return held.viewBytes + bytes - replaced.bytes > maxBytes ? new LanpostError('topic-full', `${name} holds ${held.viewBytes} of the ${maxBytes} bytes it may, and refuses more.`) : undefined;
}
