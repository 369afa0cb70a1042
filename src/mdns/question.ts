import { encodeMessage } from './encode.ts';
import { CLASS, makeMessage, TYPE } from './message.ts';

/** What is asked for. */
export interface Asked { readonly name: string; readonly type: number }

/** RFC 7830: what is in it means nothing. */
const PADDING_OPTION = 12;
/** Of an OPT record with that option, before its padding. */
const OPTION_BYTES = 15;

/** RFC 6762 §5.4, §6.7. `bytes`: how long the message shall be at least. */
export function question({ name, type }: Asked, id = 0, bytes = 0): Buffer {
  const questions = [{ name, type, class: CLASS.IN, unicast: false }];
  const plain = encodeMessage(makeMessage({ id, questions }));
  const padding = bytes - plain.length - OPTION_BYTES;
  if (padding < 0) return plain;
  const option = Buffer.alloc(4 + padding);
  option.writeUInt16BE(PADDING_OPTION, 0);
  option.writeUInt16BE(padding, 2);
  const additionals = [{ name: '', type: TYPE.OPT, class: bytes, flush: false, ttl: 0, data: { kind: 'bytes', bytes: option } as const }];
  return encodeMessage(makeMessage({ id, questions, additionals }));
}
