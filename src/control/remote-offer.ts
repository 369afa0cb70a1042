import type { CommandHandler, CommandOffer, TrustLevel } from '../api.ts';
import { toFailure } from './failure.ts';
import { isRecord } from './record.ts';
import type { RemoteStream } from './remote-stream.ts';
import { take } from './take.ts';
import { packValue, unpackValue } from './value-wire.ts';

/** What happens to an offer at the box: it is run, or what ran is waited for no more. */
export interface OfferEvent {
  readonly id: string;
  readonly call?: { readonly command: string; readonly value: unknown; readonly from?: string; readonly trust: TrustLevel };
}

/** Runs here what the box is asked to run. */
export async function remoteOffer(name: string, handler: CommandHandler, stream: RemoteStream<unknown>, answer: (id: string, given: object) => Promise<unknown>): Promise<CommandOffer> {
  await stream.ready;
  const running = new Map<string, AbortController>();

  const run = async ({ id, call }: OfferEvent): Promise<void> => {
    if (!call) return running.get(id)?.abort();
    const over = new AbortController();
    running.set(id, over);
    let given: object;
    try {
      const { command, value, trust, from } = call;
      const result = await handler({ command, trust, signal: over.signal, value: unpackValue(value), ...(from === undefined ? {} : { from }) });
      given = result === undefined ? {} : { value: packValue(result) };
    } catch (error) {
      given = { error: toFailure(error) };
    }
    running.delete(id);
    // What cannot be handed over is told instead. The box that asked may have gone meanwhile; then nobody waits.
    await answer(id, given).catch((error: unknown) => answer(id, { error: toFailure(error) })).catch(() => undefined);
  };
  const follow = async (): Promise<void> => {
    try {
      for (let step = await stream.next(); !step.done; step = await stream.next()) if (isRecord(step.value)) void run(take<OfferEvent>(step.value));
    } catch {
      // The connection is gone, and so is the offer; whoever uses the box hears of it there.
    }
    for (const over of running.values()) over.abort();
  };
  const ended = follow();
  const close = async (): Promise<void> => {
    await stream.close();
    await ended;
  };
  return { name, ended, close, [Symbol.asyncDispose]: close };
}
