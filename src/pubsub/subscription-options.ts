import { Refusal } from './refusal.ts';
import { type Depth, isSubtree } from './subtree.ts';

export const SHOWS = ['away', 'chat', 'dnd', 'online', 'xa'] as const;
export type Show = (typeof SHOWS)[number];
/** Of a subtree: what is published in it, or which topics there are in it and how they are set up. */
export const KINDS = ['items', 'nodes', 'all'] as const;
export type SubscriptionKind = (typeof KINDS)[number];

export interface SubscriptionOptions {
  /** `false`: it is kept, and nothing is delivered. */
  readonly deliver: boolean;
  /** As text for people, beside the payload. */
  readonly includeBody: boolean;
  /** What it is told only while the subscriber says one of these of itself. */
  readonly show: readonly Show[];
  /** When it ends by itself: ms since 1970, or with the subscriber's presence. */
  readonly expire?: number | 'presence';
  readonly kind: SubscriptionKind;
  readonly depth: Depth;
}

/** Topics have no more levels. */
const DEEPEST = 32;

/** XEP-0248 §6.1: of a subtree, the topics right in it, unless more is asked for. */
export function defaultOptions(node: string): SubscriptionOptions {
  return { deliver: true, includeBody: false, show: SHOWS, kind: isSubtree(node) ? 'nodes' : 'items', depth: isSubtree(node) ? 1 : 'all' };
}

/** What `change` makes of `before`, with every field checked. */
export function changedOptions(before: SubscriptionOptions, change: Partial<SubscriptionOptions>): SubscriptionOptions {
  const after = { ...before, ...change };
  if (typeof after.deliver !== 'boolean' || typeof after.includeBody !== 'boolean') throw invalid('deliver and includeBody are true or false');
  if (after.show.some((show) => !SHOWS.includes(show))) throw invalid(`show is some of ${SHOWS.join(', ')}`);
  if (!KINDS.includes(after.kind)) throw invalid(`kind is one of ${KINDS.join(', ')}`);
  if (after.depth !== 'all' && !(Number.isInteger(after.depth) && after.depth >= 1 && after.depth <= DEEPEST)) throw invalid(`depth is all, or 1 to ${DEEPEST}`);
  if (after.expire !== undefined && after.expire !== 'presence' && !Number.isFinite(after.expire)) throw invalid('expire is a time, or presence');
  return { ...after, show: SHOWS.filter((show) => after.show.includes(show)) };
}

export function isSameOptions(a: SubscriptionOptions, b: SubscriptionOptions): boolean {
  return a.deliver === b.deliver && a.includeBody === b.includeBody && a.expire === b.expire && a.kind === b.kind && a.depth === b.depth
    && a.show.join() === b.show.join();
}

function invalid(message: string): Refusal {
  return new Refusal('invalid-options', message);
}
