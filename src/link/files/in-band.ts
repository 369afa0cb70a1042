// XEP-0047 at both ends of one transfer: blocks in order, so many of them on their way, each confirmed by an IQ result.
import { LanpostError } from '../../errors.ts';
import { buildClose, buildData, buildOpen, SEQUENCE, type IbbData } from '../../xep/ibb.ts';
import type { Element } from '../../xmpp/element.ts';
import { StanzaError } from '../../xmpp/stanza-error.ts';
import type { Draft } from './received-folder.ts';
import type { Source } from './source.ts';
import { type Transfer, untilEnded } from './transfer.ts';

/** What is asked for first; the other side may want smaller ones, down to the last (§2.1). */
export const BLOCK_BYTES = 16_384;
export const LEAST_BLOCK_BYTES = 4_096;
/**
 * Blocks sent and not confirmed: what a message on the same stream may have to wait for. Few enough that a session
 * keeps them all when its stream breaks (KEPT_BYTES in confirmations.ts), so that the file goes on over the next one.
 */
export const WINDOW = 4;
/** Blocks that have come and wait for the disk: no sender of ours is ever as far ahead. */
const UNWRITTEN = 64;

/** `still`: asked when it goes out, which may be later; false: it does not, and this rejects. */
export type Ask = (iq: Element, still?: () => boolean) => Promise<Element>;

/** Sends all of it; resolves when the other side has confirmed the end, which a box does when it has checked and kept it. */
export async function sendInBand(sid: string, source: Source, transfer: Transfer, ask: Ask): Promise<void> {
  const blockBytes = await opened(sid, transfer, ask);
  const flying = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const send = (seq: number, bytes: Uint8Array): void => {
    const sent = ask(buildData({ sid, seq, bytes }), () => !transfer.over).then(() => transfer.moved(bytes.byteLength), (error: unknown) => { failure ??= { error }; })
      .finally(() => flying.delete(sent));
    flying.add(sent);
  };
  try {
    let seq = 0;
    for await (const bytes of source.blocks(blockBytes)) {
      while (flying.size >= WINDOW) await untilEnded(Promise.race(flying), transfer.ended);
      if (failure) throw failure.error;
      transfer.ended.throwIfAborted();
      send(seq, bytes);
      seq = (seq + 1) % SEQUENCE;
    }
    await untilEnded(Promise.all(flying), transfer.ended);
    if (failure) throw failure.error;
  } catch (error) {
    // §2.2: MUST be closed then; who does not listen any more learns it another way.
    ask(buildClose(sid)).catch(() => undefined);
    throw error;
  }
  await untilEnded(ask(buildClose(sid)), transfer.ended);
}

/** §2.1: whoever would have smaller blocks says `resource-constraint`. */
async function opened(sid: string, transfer: Transfer, ask: Ask): Promise<number> {
  for (let blockBytes = BLOCK_BYTES; ; blockBytes /= 2) {
    try {
      await untilEnded(ask(buildOpen({ sid, blockBytes }), () => !transfer.over), transfer.ended);
      return blockBytes;
    } catch (error) {
      if (!(error instanceof StanzaError) || error.condition !== 'resource-constraint' || blockBytes <= LEAST_BLOCK_BYTES) throw error;
    }
  }
}

/** The receiving end, from `<open/>` on. */
export class InBandReceiver {
  readonly #blockBytes: number;
  readonly #transfer: Transfer;
  readonly #draft: Draft;
  readonly #hashed: (bytes: Uint8Array) => void;
  #next = 0;
  #taken = 0;
  #unwritten = 0;
  #tail: Promise<void> = Promise.resolve();

  constructor(blockBytes: number, transfer: Transfer, draft: Draft, hashed: (bytes: Uint8Array) => void) {
    this.#blockBytes = blockBytes;
    this.#transfer = transfer;
    this.#draft = draft;
    this.#hashed = hashed;
  }

  /** Resolves when it is written. Blocks must be given in the order in which they came. */
  data({ seq, bytes }: IbbData): Promise<void> {
    if (seq !== this.#next) throw new StanzaError('unexpected-request', { text: `block ${this.#next} was expected`, type: 'cancel' });
    if (bytes.byteLength > this.#blockBytes) throw new StanzaError('bad-request', { text: 'the block is larger than was agreed', type: 'cancel' });
    if (this.#taken + bytes.byteLength > this.#transfer.size) throw new StanzaError('not-acceptable', { text: 'more than was announced', type: 'cancel' });
    if (this.#unwritten >= UNWRITTEN) throw new StanzaError('resource-constraint', { text: 'too many blocks at once', type: 'cancel' });
    this.#next = (seq + 1) % SEQUENCE;
    this.#taken += bytes.byteLength;
    this.#unwritten += 1;
    this.#tail = this.#write(this.#tail, bytes);
    this.#tail.catch(() => undefined); // whoever gave the block sees it, and so does `end`
    return this.#tail;
  }

  async #write(before: Promise<void>, bytes: Uint8Array): Promise<void> {
    await before;
    await this.#draft.write(bytes);
    this.#hashed(bytes);
    this.#unwritten -= 1;
    this.#transfer.moved(bytes.byteLength);
  }

  /** The sender says that this was all. */
  async end(): Promise<void> {
    await this.#tail;
    if (this.#taken !== this.#transfer.size) throw new LanpostError('disconnected', `only ${this.#taken} of ${this.#transfer.size} bytes came`);
  }
}
