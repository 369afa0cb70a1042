import type { Registry } from '../log/registry.ts';
import { Refusal } from './refusal.ts';

const PREFIX = 'moved/';
/** Remembered; the one that moved first goes first. */
const MOST = 1000;
const URI_LENGTH = 2048;

interface Move { readonly uri: string; readonly at: number }

function isMove(value: unknown): value is Move {
  return typeof value === 'object' && value !== null && 'uri' in value && typeof value.uri === 'string' && 'at' in value && typeof value.at === 'number';
}

/** Where topics went that were deleted with a word of where they are now (XEP-0060 §8.4). */
export class Moves {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  to(topic: string): string | undefined {
    const move = this.#registry.get(PREFIX + topic);
    return isMove(move) ? move.uri : undefined;
  }

  /** `at`: something that grows. Without a URI it is forgotten. Durable when resolved. */
  async set(topic: string, uri: string | undefined, at: number): Promise<void> {
    if (uri === undefined) {
      if (this.to(topic) !== undefined) await this.#registry.set(PREFIX + topic, undefined);
      return;
    }
    const moves = this.#registry.entries(PREFIX).flatMap(([key, move]) => (isMove(move) ? [{ key, at: move.at }] : []));
    const over = moves.toSorted((a, b) => a.at - b.at).slice(0, Math.max(0, moves.length + 1 - MOST));
    await Promise.all([...over.map(({ key }) => this.#registry.set(key, undefined)), this.#registry.set(PREFIX + topic, { uri, at } satisfies Move)]);
  }
}

export function checkedUri(uri: string): string {
  if (uri === '' || uri.length > URI_LENGTH || /[\s\p{Cc}\p{Cs}]/u.test(uri)) throw new Refusal('invalid-config', `a URI has 1 to ${URI_LENGTH} characters and no spaces`);
  return uri;
}
