import { LanpostError } from '../errors.ts';
import type { Origin } from './record.ts';

const FORM = /^([a-z2-7]{16})-(\d{1,10}\.[0-9a-f]{8})-(\d{1,16})$/;

/** `<box>-<epoch>-<seq>`: minted once, by the box that first accepted the record. */
export function formatRecordId({ box, epoch, seq }: Origin): string {
  return `${box}-${epoch}-${seq}`;
}

export function parseRecordId(id: string): Origin {
  const origin = asRecordId(id);
  if (!origin) throw new LanpostError('invalid-value', `${JSON.stringify(id.slice(0, 80))} is no record id`);
  return origin;
}

/** Undefined for what is none. */
export function asRecordId(id: string): Origin | undefined {
  const [, box, epoch, seq] = FORM.exec(id) ?? [];
  return box === undefined || epoch === undefined || !Number.isSafeInteger(Number(seq)) ? undefined : { box, epoch, seq: Number(seq) };
}
