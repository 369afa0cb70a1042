import { addressFromBytes } from './address.ts';
import { asBuffer, CLASS, malformed, TYPE, type DnsRecord, type Message, type Question, type RecordData } from './message.ts';
import { labelFromBytes, MAX_NAME_BYTES } from './name.ts';

/** RFC 6762 §17: no multicast DNS message is longer, headers included. */
export const MAX_MESSAGE_BYTES = 9000;
/** Pointers followed in one name; each must point back, so this bounds work, not only loops. */
const MAX_POINTERS = 16;

const NONE: readonly DnsRecord[] = [];

interface ReadName { readonly name: string; readonly bytes: number }

/** Reads one message. Whatever the bytes are, it returns one or throws the error of `malformed`. */
export function decodeMessage(input: Uint8Array): Message {
  if (input.length > MAX_MESSAGE_BYTES) throw malformed('too long');
  return new Reader(asBuffer(input)).message();
}

class Reader {
  readonly #bytes: Buffer;
  /** Names read so far, by the offset at which they begin: pointers lead there. */
  readonly #names = new Map<number, ReadName>();
  #at = 0;
  #end = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  message(): Message {
    const id = this.#u16();
    const flags = this.#u16();
    const asked = this.#u16();
    const answered = this.#u16();
    const proposed = this.#u16();
    const added = this.#u16();
    return {
      id,
      response: (flags & 0x8000) !== 0,
      opcode: (flags >> 11) & 0xf,
      authoritative: (flags & 0x0400) !== 0,
      truncated: (flags & 0x0200) !== 0,
      rcode: flags & 0xf,
      questions: this.#questions(asked),
      answers: this.#records(answered),
      authorities: this.#records(proposed),
      additionals: this.#records(added),
    };
  }

  #questions(count: number): Question[] {
    const questions: Question[] = [];
    for (let index = 0; index < count; index++) questions.push(this.#question());
    return questions;
  }

  #records(count: number): readonly DnsRecord[] {
    if (count === 0) return NONE;
    const records: DnsRecord[] = [];
    for (let index = 0; index < count; index++) records.push(this.#record());
    return records;
  }

  #question(): Question {
    const name = this.#name();
    const type = this.#u16();
    const rrclass = this.#u16();
    return { name, type, class: rrclass & 0x7fff, unicast: (rrclass & 0x8000) !== 0 };
  }

  #record(): DnsRecord {
    const name = this.#name();
    const type = this.#u16();
    const rrclass = this.#u16();
    const ttl = this.#u32();
    const length = this.#u16();
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed('record runs past the end');
    // An OPT record's class is a size (RFC 6891 §6.1.2): it is carried, not understood.
    const flush = type !== TYPE.OPT && (rrclass & 0x8000) !== 0;
    const data = this.#data(type, end);
    if (this.#at !== end) throw malformed('record data of the wrong length');
    return { name, type, class: type === TYPE.OPT ? rrclass : rrclass & 0x7fff, flush, ttl, data };
  }

  #data(type: number, end: number): RecordData {
    switch (type) {
      case TYPE.A: return { kind: 'address', address: addressFromBytes(this.#take(4, end)) };
      case TYPE.AAAA: return { kind: 'address', address: addressFromBytes(this.#take(16, end)) };
      case TYPE.PTR: return { kind: 'name', target: this.#name() };
      case TYPE.SRV: return { kind: 'service', priority: this.#u16(), weight: this.#u16(), port: this.#u16(), target: this.#name() };
      case TYPE.NSEC: return this.#absent(end);
      // A copy: the socket's buffer is larger than the record and must not be kept alive by it.
      default: return { kind: 'bytes', bytes: new Uint8Array(this.#take(end - this.#at, end)) };
    }
  }

  /** COMPAT(python-zeroconf 0.47): its bitmap is malformed; then it tells nothing, and the other records are good all the same. */
  #absent(end: number): RecordData {
    const start = this.#at;
    const next = this.#name();
    const types = this.#bitmap(end);
    if (types) return { kind: 'absent', next, types };
    this.#at = start;
    return { kind: 'bytes', bytes: new Uint8Array(this.#take(end - start, end)) };
  }

  /** RFC 4034 §4.1.2. Multicast DNS uses only block 0 (RFC 6762 §6.1); others are read all the same. */
  #bitmap(end: number): number[] | undefined {
    const types: number[] = [];
    while (this.#at < end) {
      if (this.#at + 2 > end) return undefined;
      const [block = 0, length = 0] = this.#take(2, end);
      if (length < 1 || length > 32 || this.#at + length > end) return undefined;
      for (const [index, byte] of this.#take(length, end).entries()) {
        for (let bit = 0; bit < 8; bit++) if (byte & (0x80 >> bit)) types.push(block * 256 + index * 8 + bit);
      }
    }
    return types;
  }

  #name(): string {
    const { name } = this.#nameAt(this.#at, this.#at, MAX_POINTERS);
    this.#at = this.#end;
    return name;
  }

  /** Leaves in `#end` where it ends. */
  #nameAt(start: number, limit: number, pointers: number): ReadName {
    let name = '';
    let bytes = 1;
    let at = start;
    for (;;) {
      const length = this.#bytes[at];
      if (length === undefined) throw malformed('name runs past the end');
      if (length === 0) return this.#found(start, at + 1, { name, bytes });
      if (length >= 0xc0) {
        const low = this.#bytes[at + 1];
        if (low === undefined) throw malformed('pointer runs past the end');
        const rest = this.#pointer(((length & 0x3f) << 8) | low, limit, pointers);
        this.#end = at + 2;
        if (at === start) return rest;
        if (bytes + rest.bytes - 1 > MAX_NAME_BYTES) throw malformed('name too long');
        if (rest.name !== '') name = `${name}.${rest.name}`;
        return this.#found(start, at + 2, { name, bytes: bytes + rest.bytes - 1 });
      }
      if (length > 63) throw malformed('label type');
      if (at + 1 + length > this.#bytes.length) throw malformed('label runs past the end');
      bytes += length + 1;
      if (bytes > MAX_NAME_BYTES) throw malformed('name too long');
      const label = labelFromBytes(this.#bytes, at + 1, at + 1 + length);
      name = name === '' ? label : `${name}.${label}`;
      at += 1 + length;
    }
  }

  /** Only ever back: a name that points at itself or forward ends here. */
  #pointer(target: number, limit: number, pointers: number): ReadName {
    if (target >= limit || target < 12) throw malformed('pointer does not point back');
    if (pointers === 0) throw malformed('too many pointers in one name');
    return this.#names.get(target) ?? this.#nameAt(target, target, pointers - 1);
  }

  #found(start: number, end: number, read: ReadName): ReadName {
    this.#names.set(start, read);
    this.#end = end;
    return read;
  }

  #take(length: number, end: number): Buffer {
    const stop = this.#at + length;
    if (stop > end) throw malformed('record data too short');
    const bytes = this.#bytes.subarray(this.#at, stop);
    this.#at = stop;
    return bytes;
  }

  #u16(): number {
    const high = this.#bytes[this.#at];
    const low = this.#bytes[this.#at + 1];
    if (high === undefined || low === undefined) throw malformed('cut short');
    this.#at += 2;
    return (high << 8) | low;
  }

  #u32(): number {
    return this.#u16() * 0x10000 + this.#u16();
  }
}

/** Whether a record speaks about the Internet class, the only one there is here. */
export function isInternet(record: { readonly class: number }): boolean {
  return record.class === CLASS.IN;
}
