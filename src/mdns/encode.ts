import { LanpostError } from '../errors.ts';
import { addressToBytes } from './address.ts';
import { TYPE, type DnsRecord, type Message, type Question } from './message.ts';
import { labelEnd, labelToBytes, MAX_LABEL_BYTES, MAX_NAME_BYTES } from './name.ts';

/** Longest that is written; RFC 6762 §17 counts IP and UDP headers too. */
const MAX_WRITTEN_BYTES = 8950;

export interface EncodeOptions {
  /** Compress the names inside SRV and NSEC too; not towards plain DNS resolvers (RFC 6762 §18.14). */
  readonly compressTargets?: boolean;
}

/** Writes one message. `too-large` when it cannot be one datagram, `invalid-value` for a name that cannot be written. */
export function encodeMessage(message: Message, options: EncodeOptions = {}): Buffer {
  const writer = new Writer(options.compressTargets ?? true);
  let flags = 0;
  if (message.response) flags |= 0x8000;
  if (message.authoritative) flags |= 0x0400;
  if (message.truncated) flags |= 0x0200;
  flags |= ((message.opcode & 0xf) << 11) | (message.rcode & 0xf);
  writer.u16(message.id);
  writer.u16(flags);
  writer.u16(message.questions.length);
  writer.u16(message.answers.length);
  writer.u16(message.authorities.length);
  writer.u16(message.additionals.length);
  for (const question of message.questions) writer.question(question);
  for (const section of [message.answers, message.authorities, message.additionals]) {
    for (const record of section) writer.record(record);
  }
  return writer.bytes();
}

/** A record's data without compression: what the tie-break compares (RFC 6762 §8.2). */
export function canonicalData(record: DnsRecord): Buffer {
  // It is not sent: what was read in one datagram may be longer once its names are written out.
  const writer = new Writer(false, false, 0xffff);
  writer.data(record);
  return writer.bytes();
}

class Writer {
  readonly #compressTargets: boolean;
  readonly #compress: boolean;
  readonly #limit: number;
  readonly #suffixes = new Map<string, number>();
  #bytes: Buffer = Buffer.allocUnsafe(1500);
  #at = 0;

  constructor(compressTargets: boolean, compress = true, limit = MAX_WRITTEN_BYTES) {
    this.#compressTargets = compressTargets;
    this.#compress = compress;
    this.#limit = limit;
  }

  bytes(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  question(question: Question): void {
    this.name(question.name, this.#compress);
    this.u16(question.type);
    this.u16((question.class & 0x7fff) | (question.unicast ? 0x8000 : 0));
  }

  record(record: DnsRecord): void {
    this.name(record.name, this.#compress);
    this.u16(record.type);
    this.u16(record.type === TYPE.OPT ? record.class : (record.class & 0x7fff) | (record.flush ? 0x8000 : 0));
    this.u16(Math.floor(record.ttl / 0x10000) & 0xffff);
    this.u16(record.ttl & 0xffff);
    const lengthAt = this.#at;
    this.u16(0);
    this.data(record);
    this.#bytes.writeUInt16BE(this.#at - lengthAt - 2, lengthAt);
  }

  data({ data }: DnsRecord): void {
    switch (data.kind) {
      case 'address': {
        const bytes = addressToBytes(data.address);
        if (!bytes) throw new LanpostError('invalid-value', `not an address: ${data.address}`);
        return this.#put(bytes);
      }
      case 'name': return this.name(data.target, this.#compress);
      case 'service':
        this.u16(data.priority);
        this.u16(data.weight);
        this.u16(data.port);
        return this.name(data.target, this.#compressTargets);
      case 'absent':
        this.name(data.next, this.#compressTargets);
        return this.#bitmap(data.types);
      case 'bytes': return this.#put(data.bytes);
    }
  }

  name(name: string, compress: boolean): void {
    let start = 0;
    let length = 1;
    while (start < name.length) {
      const suffix = start === 0 ? name : name.slice(start);
      const known = compress ? this.#suffixes.get(suffix) : undefined;
      if (known !== undefined) return this.u16(0xc000 | known);
      if (this.#compress && this.#at < 0x4000 && !this.#suffixes.has(suffix)) this.#suffixes.set(suffix, this.#at);
      const end = labelEnd(name, start);
      const label = labelToBytes(name.slice(start, end));
      length += label.length + 1;
      if (label.length === 0 || label.length > MAX_LABEL_BYTES || length > MAX_NAME_BYTES) {
        throw new LanpostError('invalid-value', `not a domain name: ${name}`);
      }
      this.#room(label.length + 1);
      this.#bytes[this.#at] = label.length;
      label.copy(this.#bytes, this.#at + 1);
      this.#at += label.length + 1;
      start = end + 1;
    }
    this.#put(Buffer.of(0));
  }

  u16(value: number): void {
    this.#room(2);
    this.#bytes.writeUInt16BE(value & 0xffff, this.#at);
    this.#at += 2;
  }

  #bitmap(types: readonly number[]): void {
    const blocks = new Map<number, Buffer>();
    for (const type of types.toSorted((a, b) => a - b)) {
      const block = type >> 8;
      const bits = Buffer.concat([blocks.get(block) ?? Buffer.alloc(0)], ((type & 0xff) >> 3) + 1);
      bits[(type & 0xff) >> 3] = (bits[(type & 0xff) >> 3] ?? 0) | (0x80 >> (type & 7));
      blocks.set(block, bits);
    }
    for (const [block, bits] of blocks) {
      this.#put(Buffer.of(block, bits.length));
      this.#put(bits);
    }
  }

  #put(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #room(length: number): void {
    const wanted = this.#at + length;
    if (wanted <= this.#bytes.length) return;
    if (wanted > this.#limit) throw new LanpostError('too-large', `a DNS message over ${this.#limit} bytes`);
    const larger = Buffer.allocUnsafe(this.#limit);
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
