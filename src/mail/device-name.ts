import { LanpostError } from '../errors.ts';

/** So that it fits a topic, a filter, an address, and the local part of a JID (RFC 7622 §3.3.1). */
const BYTES = 64;
const NAME = /^[^\s"&'/:<>@+#%$\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]+$/u;

/** As it is kept and compared; nothing when it is none. */
export function deviceName(text: string): string | undefined {
  const name = text.normalize('NFC').toLowerCase();
  return NAME.test(name) && Buffer.byteLength(name) <= BYTES ? name : undefined;
}

export function checkedDeviceName(text: unknown): string {
  if (typeof text !== 'string') throw new TypeError('the name of a device must be a string');
  const name = deviceName(text);
  if (name === undefined) throw new LanpostError('invalid-value', `${JSON.stringify(text.slice(0, 80))} cannot be the name of a device: at most ${BYTES} bytes, without spaces and " & ' / : < > @ + # % $`);
  return name;
}
