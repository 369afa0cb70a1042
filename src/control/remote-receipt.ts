import type { Receipt } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { deferred } from './deferred.ts';
import { parseFailure, toError } from './failure.ts';
import { isRecord } from './record.ts';
import { RECEIPT_STEPS, type ReceiptStep } from './receipt-source.ts';
import type { RemoteStream } from './remote-stream.ts';
import { take } from './take.ts';
import { ProtocolError } from './wire.ts';

const isStep = (step: unknown): step is ReceiptStep => RECEIPT_STEPS.some((known) => known === step);

/** The receipt told by `stream`; `follow` resolves when there is no more to tell. */
export async function remoteReceipt(stream: RemoteStream<unknown>): Promise<{ receipt: Receipt; follow: Promise<void> }> {
  const first = await stream.next();
  if (first.done || !isRecord(first.value)) throw new ProtocolError('not a receipt');
  const { id, to } = take<{ id: string; to: string }>(first.value);
  const steps = { accepted: deferred<void>(), handed: deferred<void>(), delivered: deferred<void>() };
  const receipt = { id, to, accepted: steps.accepted.promise, handed: steps.handed.promise, delivered: steps.delivered.promise };
  return { receipt, follow: follow(stream, steps) };
}

async function follow(stream: RemoteStream<unknown>, steps: Record<ReceiptStep, ReturnType<typeof deferred<void>>>): Promise<void> {
  let over: unknown = new LanpostError('closed', 'This receipt is no longer followed; ask for the state of the message by its id.');
  try {
    for (;;) {
      const told = await stream.next();
      if (told.done) break;
      const { step, error } = isRecord(told.value) ? told.value : {};
      if (!isStep(step)) throw new ProtocolError('not a step of a receipt');
      if (error === undefined) steps[step].resolve();
      else steps[step].reject(toError(parseFailure(error)));
    }
  } catch (error) {
    over = error;
  }
  // Those already settled stay as they are.
  for (const step of RECEIPT_STEPS) steps[step].reject(over);
}
