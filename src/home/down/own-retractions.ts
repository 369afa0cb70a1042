// A service tells of a retraction without saying whose it was. Ours comes back to us: taken for somebody else's,
// it would take away what has been published under the same id since.

/** Retractions of ours that may still come back; the oldest is forgotten first. */
const MOST = 1024;

export class OwnRetractions {
  readonly #expected = new Map<string, number>();

  expect(service: string, node: string, id: string): void {
    const key = keyOf(service, node, id);
    this.#expected.set(key, (this.#expected.get(key) ?? 0) + 1);
    for (const [oldest] of this.#expected) {
      if (this.#expected.size <= MOST) break;
      this.#expected.delete(oldest);
    }
  }

  /** Whether it was ours. */
  take(service: string, node: string, id: string): boolean {
    const key = keyOf(service, node, id);
    const count = this.#expected.get(key) ?? 0;
    if (count > 1) this.#expected.set(key, count - 1);
    else this.#expected.delete(key);
    return count > 0;
  }

  /** Another session: what was not told on the last is not told any more. */
  clear(): void {
    this.#expected.clear();
  }
}

function keyOf(...parts: readonly string[]): string {
  return parts.join('\0');
}
