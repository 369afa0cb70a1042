import { addressFromBytes, dotted } from './address.ts';
import { asBuffer, CLASS, malformed, TYPE, type DnsRecord, type Message, type Question, type RecordData } from './message.ts';
import { labelFromBytes, MAX_NAME_BYTES } from './name.ts';

/** RFC 6762 §17: no multicast DNS message is longer, headers included. */
export const MAX_MESSAGE_BYTES = 9000;
/** Pointers followed in one name; each must point back, so this bounds work, not only loops. */
export const MAX_POINTERS = 16;

/** RFC 1035 §4.1.1 */
export const HEADER = 12;
/** What holds a packet of so many bytes costs no more than what would hold a part of it. */
const SMALL = 512;

const NONE: readonly DnsRecord[] = [];
const NOTHING: readonly Question[] = [];

interface ReadName { readonly name: string; readonly bytes: number }

/** Reads one message. Whatever the bytes are, it returns one or throws the error of `malformed`. */
export function decodeMessage(input: Uint8Array): Message {
  if (input.length > MAX_MESSAGE_BYTES) throw malformed('too long');
  return new Reader(asBuffer(input)).message();
}

/** A packet that is read, and whose time is looked up, when more is wanted of it than a glance tells. */
export class Unread {
  declare readonly bytes: Buffer;
  declare readonly clock: () => number;
  declare read: Message | undefined;
  declare came: number | undefined;

  constructor(bytes: Buffer, clock: () => number) {
    this.bytes = bytes;
    this.clock = clock;
    this.read = undefined;
    this.came = undefined;
  }

  /** Throws as `decodeMessage`. */
  get message(): Message {
    this.read ??= decodeMessage(this.bytes);
    return this.read;
  }

  /** Monotonic time. */
  get now(): number {
    this.came ??= this.clock();
    return this.came;
  }
}

/** A part of a packet. A record may keep a small packet alive, but not a large one. */
export function keptBytes(packet: Buffer, start: number, end: number): Uint8Array {
  const bytes = packet.subarray(start, end);
  return packet.buffer.byteLength <= SMALL ? bytes : new Uint8Array(bytes);
}

class Reader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  /** Names read so far, by the offset at which they begin: pointers lead there. */
  readonly #names = new Map<number, ReadName>();
  #at = 0;
  #end = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  message(): Message {
    const view = this.#view;
    if (view.byteLength < HEADER) throw malformed('cut short');
    const id = view.getUint16(0);
    const flags = view.getUint16(2);
    const asked = view.getUint16(4);
    const answered = view.getUint16(6);
    const proposed = view.getUint16(8);
    const added = view.getUint16(10);
    this.#at = HEADER;
    return {
      id,
      response: (flags & 0x8000) !== 0,
      opcode: (flags >> 11) & 0xf,
      authoritative: (flags & 0x0400) !== 0,
      truncated: (flags & 0x0200) !== 0,
      rcode: flags & 0xf,
      questions: asked === 0 ? NOTHING : this.#questions(asked),
      answers: answered === 0 ? NONE : this.#records(answered),
      authorities: proposed === 0 ? NONE : this.#records(proposed),
      additionals: added === 0 ? NONE : this.#records(added),
    };
  }

  #questions(count: number): Question[] {
    const questions: Question[] = [];
    for (let index = 0; index < count; index++) questions.push(this.#question());
    return questions;
  }

  #records(count: number): readonly DnsRecord[] {
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
    const at = this.#at;
    const view = this.#view;
    if (at + 10 > view.byteLength) throw malformed('cut short');
    const type = view.getUint16(at);
    const rrclass = view.getUint16(at + 2);
    const ttl = view.getUint32(at + 4);
    const end = at + 10 + view.getUint16(at + 8);
    this.#at = at + 10;
    if (end > this.#bytes.length) throw malformed('record runs past the end');
    // An OPT record's class is a size (RFC 6891 §6.1.2): it is carried, not understood.
    const flush = type !== TYPE.OPT && (rrclass & 0x8000) !== 0;
    const data = this.#data(type, end);
    if (this.#at !== end) throw malformed('record data of the wrong length');
    return { name, type, class: type === TYPE.OPT ? rrclass : rrclass & 0x7fff, flush, ttl, data };
  }

  #data(type: number, end: number): RecordData {
    switch (type) {
      case TYPE.A: return { kind: 'address', address: this.#dotted(end) };
      case TYPE.AAAA: return { kind: 'address', address: addressFromBytes(this.#take(16, end)) };
      case TYPE.PTR: return { kind: 'name', target: this.#name() };
      case TYPE.SRV: return this.#service(end);
      case TYPE.NSEC: return this.#absent(end);
      default: return { kind: 'bytes', bytes: this.#rest(end) };
    }
  }

  #dotted(end: number): string {
    const at = this.#at;
    if (at + 4 > end) throw malformed('record data too short');
    this.#at = at + 4;
    return dotted(this.#bytes, at);
  }

  #service(end: number): RecordData {
    const at = this.#at;
    if (at + 6 > end) throw malformed('record data too short');
    this.#at = at + 6;
    const view = this.#view;
    return { kind: 'service', priority: view.getUint16(at), weight: view.getUint16(at + 2), port: view.getUint16(at + 4), target: this.#name() };
  }

  /** COMPAT(python-zeroconf 0.47): its bitmap is malformed; then it tells nothing, and the other records are good all the same. */
  #absent(end: number): RecordData {
    const start = this.#at;
    const next = this.#name();
    const types = this.#bitmap(end);
    if (types) return { kind: 'absent', next, types };
    this.#at = start;
    return { kind: 'bytes', bytes: this.#rest(end) };
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
    if (target >= limit || target < HEADER) throw malformed('pointer does not point back');
    if (pointers === 0) throw malformed('too many pointers in one name');
    return this.#names.get(target) ?? this.#nameAt(target, target, pointers - 1);
  }

  #found(start: number, end: number, read: ReadName): ReadName {
    this.#names.set(start, read);
    this.#end = end;
    return read;
  }

  /** All up to there. */
  #rest(end: number): Uint8Array {
    const bytes = keptBytes(this.#bytes, this.#at, end);
    this.#at = end;
    return bytes;
  }

  #take(length: number, end: number): Buffer {
    const stop = this.#at + length;
    if (stop > end) throw malformed('record data too short');
    const bytes = this.#bytes.subarray(this.#at, stop);
    this.#at = stop;
    return bytes;
  }

  #u16(): number {
    const at = this.#at;
    if (at + 2 > this.#view.byteLength) throw malformed('cut short');
    this.#at = at + 2;
    return this.#view.getUint16(at);
  }
}

/** Whether a record speaks about the Internet class, the only one there is here. */
export function isInternet(record: { readonly class: number }): boolean {
  return record.class === CLASS.IN;
}
