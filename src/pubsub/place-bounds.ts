import type { TrustLevel } from '../api.ts';
import type { CursorOptions, Log } from '../log/log.ts';
import type { Actor } from './actor.ts';

/** What is kept for a key that nobody vouched for while it is away. */
const STRANGERS_BACKLOG = { bytes: 16 * 1024 * 1024, age: 7 * 86_400_000 };

export interface PlaceBoundsParts {
  readonly log: Pick<Log, 'cursors' | 'bound'>;
  readonly level: (fingerprint: string | undefined) => TrustLevel;
}

/** How much may wait at the places of peers: whoever shows a key may come once and leave its place in the log for ever. */
export class PlaceBounds {
  readonly #parts: PlaceBoundsParts;

  constructor(parts: PlaceBoundsParts) {
    this.#parts = parts;
  }

  /** Opens a place of that actor, bounded as its key stands; `known`: it was there before, perhaps with another bound. */
  async open<Place>(actor: Actor, known: boolean, opening: (bound: Pick<CursorOptions, 'maxBacklog'>) => Promise<Place>): Promise<Place> {
    if (actor.kind !== 'peer') return opening({});
    const isKept = this.#isKept(actor.fingerprint);
    const place = await opening(known || !isKept ? { maxBacklog: this.#of(actor.fingerprint) } : {});
    // Before it was there, `fit` could not find it.
    if (actor.fingerprint !== undefined && this.#isKept(actor.fingerprint) !== isKept) await this.fit(actor.fingerprint);
    return place;
  }

  /** Somebody has vouched for that key, or does so no more: its places, open or not, are bounded as it stands now. Of all keys when none is given. */
  async fit(fingerprint?: string): Promise<void> {
    const fitting: Promise<void>[] = [];
    for (const { name, extra } of this.#parts.log.cursors()) {
      const key = keyIn(extra);
      if (key !== undefined && (fingerprint ?? key) === key) fitting.push(this.#parts.log.bound(name, this.#of(key)));
    }
    // It holds at once. What could not be written follows from how the key stands when the box starts.
    await Promise.allSettled(fitting);
  }

  #of(fingerprint: string | undefined): NonNullable<CursorOptions['maxBacklog']> {
    return this.#isKept(fingerprint) ? {} : STRANGERS_BACKLOG;
  }

  /** Whether all there is waits for it. */
  #isKept(fingerprint: string | undefined): boolean {
    return this.#parts.level(fingerprint) === 'paired';
  }
}

/** Whose place it is: what is kept with it is the actor that opened it. */
function keyIn(extra: unknown): string | undefined {
  const { kind, fingerprint } = typeof extra === 'object' && extra !== null ? extra as Partial<Record<'kind' | 'fingerprint', unknown>> : {};
  return kind === 'peer' && typeof fingerprint === 'string' ? fingerprint : undefined;
}
