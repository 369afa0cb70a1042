import type { TopicConfig } from '../api.ts';
import type { Actor } from './actor.ts';

/** Peers of whom it is remembered. */
const REMEMBERED = 1024;

interface Allowed { readonly topic: string; readonly settings: Partial<TopicConfig> | undefined; readonly generation: number }

/**
 * What each peer was last let publish to: most go on with the same topic, and need not be judged for every item.
 * Only that it may is remembered, and only as long as nothing has changed by which that is judged.
 */
export class LastAllowed {
  readonly #last = new Map<string, Allowed>();

  has(actor: Actor, topic: string, settings: Partial<TopicConfig> | undefined, generation: number): boolean {
    const last = actor.kind === 'peer' && actor.fingerprint !== undefined ? this.#last.get(actor.fingerprint) : undefined;
    return last !== undefined && last.generation === generation && last.settings === settings && last.topic === topic;
  }

  keep(actor: Actor, topic: string, settings: Partial<TopicConfig> | undefined, generation: number): void {
    // Who is subscribed changes without anybody saying so here.
    if (actor.kind !== 'peer' || actor.fingerprint === undefined || settings?.publishModel === 'subscribers') return;
    // Those that come again are soon back.
    if (this.#last.size >= REMEMBERED) this.#last.clear();
    this.#last.set(actor.fingerprint, { topic, settings, generation });
  }
}
