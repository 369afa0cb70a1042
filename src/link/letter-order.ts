// Letters of one box that go to the disk together. One that could not be kept comes again; if the next were there by then, the
// number of the first would be below what has been taken, and it would count as a repeat.
import { LanpostError } from '../errors.ts';
import type { Origin } from '../log/record.ts';
import type { Incoming } from '../mail/inbox.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';

interface UnderWay {
  readonly origin: Origin;
  /** Whether the letters behind it need not wait for it: it is on disk, or refused for good. */
  readonly settled: Promise<boolean>;
}

export class LetterOrder {
  /** The last of each outbox that is not on disk yet. */
  readonly #last = new Map<string, UnderWay>();

  /** Not before the letter that came before it. Rejects as `keep` does. */
  keep(incoming: Incoming, keep: (incoming: Incoming) => Promise<void>): Promise<void> {
    const { origin } = incoming;
    if (!origin) return keep(incoming);
    const outbox = `${origin.box} ${origin.chain ?? ''}`;
    const before = this.#last.get(outbox);
    const kept = before === undefined || (before.origin.epoch === origin.epoch && before.origin.seq >= origin.seq)
      ? keep(incoming)
      : keepBehind(before, incoming, keep);
    const underWay = { origin, settled: kept.then(() => true, (error: unknown) => error instanceof StanzaError) };
    this.#last.set(outbox, underWay);
    return kept.finally(() => {
      if (this.#last.get(outbox) === underWay) this.#last.delete(outbox);
    });
  }
}

/** Both are handed to the log at once, which looks as it takes them; only where it refuses the second is waited for the first. */
async function keepBehind({ origin: { epoch, seq }, settled }: UnderWay, incoming: Incoming, keep: (incoming: Incoming) => Promise<void>): Promise<void> {
  try {
    await keep({ ...incoming, after: { epoch, seq } });
  } catch (error) {
    if (!(error instanceof LanpostError && error.code === 'busy') || !await settled) throw error;
    await keep(incoming);
  }
}
