import { encodeMessage } from './encode.ts';
import type { Output } from './output.ts';
import type { OwnRecord } from './own-records.ts';
import { pack } from './packing.ts';

/** RFC 6762 §8.3: the first repeat after a second, then doubling. */
const FIRST_GAP = 1000;
/** RFC 6762 §6: no record is multicast twice within a second. */
export const MULTICAST_GAP = 1000;

interface Plan { left: number; due: number; gap: number }

/** RFC 6762 §8.3, §8.4, §10.1: unasked answers: here we are, this has changed, we are gone. */
export class Announcer {
  readonly #output: (output: Output) => void;
  readonly #plans = new Map<OwnRecord, Plan>();
  #next = Infinity;

  constructor(output: (output: Output) => void) {
    this.#output = output;
  }

  announce(records: readonly OwnRecord[], now: number, times: number): void {
    for (const record of records) {
      const due = Math.max(now, record.sent + MULTICAST_GAP);
      this.#plans.set(record, { left: times, due, gap: FIRST_GAP });
      this.#next = Math.min(this.#next, due);
    }
  }

  forget(records: readonly OwnRecord[]): void {
    for (const record of records) this.#plans.delete(record);
  }

  /** RFC 6762 §10.1: only what nobody else says is taken back. */
  goodbye(records: readonly OwnRecord[]): void {
    this.forget(records);
    this.untrue(records.filter((record) => record.goodbye));
  }

  /** What holds no more, whoever says it. */
  untrue(records: readonly OwnRecord[]): void {
    this.forget(records);
    const said = records.filter((record) => record.sent > -Infinity);
    this.#send(said.map(({ record }) => ({ answers: [{ ...record, ttl: 0 }] })));
  }

  next(): number {
    return this.#next;
  }

  tick(now: number): OwnRecord[] {
    if (now < this.#next) return [];
    const due: OwnRecord[] = [];
    this.#next = Infinity;
    for (const [record, plan] of this.#plans) {
      if (plan.due <= now) {
        due.push(record);
        record.sent = now;
        plan.due = now + plan.gap;
        plan.gap *= 2;
        if (--plan.left === 0) {
          this.#plans.delete(record);
          continue;
        }
      }
      this.#next = Math.min(this.#next, plan.due);
    }
    this.#send(due.map(({ record }) => ({ answers: [record] })));
    return due;
  }

  #send(groups: { answers: OwnRecord['record'][] }[]): void {
    for (const message of pack(groups, { response: true })) this.#output({ type: 'send', bytes: encodeMessage(message) });
  }
}
