import type { Receipt } from '../api.ts';
import { toFailure } from './failure.ts';
import type { Handed, Source } from './service.ts';

/** The steps of a receipt, each told once. */
export const RECEIPT_STEPS = ['accepted', 'handed', 'delivered'] as const;
export type ReceiptStep = (typeof RECEIPT_STEPS)[number];

/** A receipt as a stream: first its id and address, then each step as it is reached or fails. */
export function receiptSource(send: () => Promise<Receipt>): Source {
  const told: Handed[] = [];
  let left: number = RECEIPT_STEPS.length;
  let wake: (() => void) | undefined;
  let started = false;
  let closed = false;
  const waiting = (): boolean => told.length === 0 && left > 0 && !closed;

  const tell = (step: ReceiptStep, error?: unknown): void => {
    left--;
    told.push({ value: error === undefined ? { step } : { step, error: toFailure(error) } });
    wake?.();
  };
  return {
    ready: Promise.resolve(),
    light: true,
    async next() {
      if (!started) {
        started = true;
        const receipt = await send();
        for (const step of RECEIPT_STEPS) receipt[step].then(() => tell(step), (error: unknown) => tell(step, error));
        return { done: false, value: { value: { id: receipt.id, to: receipt.to } } };
      }
      while (waiting()) {
        await new Promise<void>((resolve) => { wake = resolve; });
      }
      const value = told.shift();
      return value && !closed ? { done: false, value } : { done: true, value: undefined };
    },
    async close() {
      closed = true;
      wake?.();
    },
  };
}
