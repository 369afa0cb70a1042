import type { Target } from './target.ts';

/** What the server offered when it was last spoken with over that transport: asked for without waiting for the offer. */
export interface Known {
  readonly kind: Target['kind'];
  readonly mechanisms: readonly string[];
  /** Kinds of channel binding, where it says. */
  readonly bindings: readonly string[] | undefined;
  readonly sm: boolean;
}
