import type { Dispatcher } from './dispatch.ts';

/** The shape of one XEP: what it announces in disco#info and what it answers. */
export interface Extension<C = unknown> {
  readonly features: readonly string[];
  attach(dispatcher: Dispatcher<C>): void;
}
