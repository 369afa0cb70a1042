import type { EncodeOptions } from './encode.ts';
import { makeMessage, type DnsRecord, type Message, type Question } from './message.ts';
import { labelEnd } from './name.ts';

/** What must stay in one packet. */
export interface Group {
  readonly questions?: readonly Question[];
  readonly answers?: readonly DnsRecord[];
  readonly authorities?: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

/** RFC 6762 §17: within the MTU of Ethernet, less IPv6 and UDP headers. */
export const PACKET_BYTES = 1452;

interface Sections { questions: Question[]; answers: DnsRecord[]; authorities: DnsRecord[]; additionals: DnsRecord[] }

/**
 * Spreads groups over as few messages as keep within `PACKET_BYTES`. Only a group that alone is
 * larger (one big record, RFC 6762 §17) gets a longer one; it then goes without additionals.
 */
export function pack(groups: readonly Group[], common: Partial<Message>, options: EncodeOptions = {}): Message[] {
  const messages: Message[] = [];
  let packet = new Packet(options.compressTargets ?? true);
  for (const group of groups) {
    if (packet.take(group, PACKET_BYTES)) continue;
    if (!packet.empty) messages.push(makeMessage({ ...common, ...packet.sections }));
    packet = new Packet(options.compressTargets ?? true);
    if (!packet.take(group, PACKET_BYTES)) packet.take({ ...group, additionals: [] }, Infinity);
  }
  if (!packet.empty) messages.push(makeMessage({ ...common, ...packet.sections }));
  return messages;
}

/** A message being filled, its size reckoned as it grows: what each name adds does not hang on the order. */
class Packet {
  readonly sections: Sections = { questions: [], answers: [], authorities: [], additionals: [] };
  readonly #compressTargets: boolean;
  readonly #suffixes = new Set<string>();
  #bytes = 12;
  empty = true;

  constructor(compressTargets: boolean) {
    this.#compressTargets = compressTargets;
  }

  /** Adds the group, or leaves the packet as it is when that would be too much. */
  take(group: Group, limit: number): boolean {
    const { questions = [], answers = [], authorities = [], additionals = [] } = group;
    const fresh: string[] = [];
    let bytes = this.#bytes;
    for (const question of questions) bytes += this.#name(question.name, fresh) + 4;
    for (const records of [answers, authorities, additionals]) {
      for (const record of records) bytes += this.#name(record.name, fresh) + 10 + this.#data(record, fresh);
    }
    if (bytes > limit) {
      for (const suffix of fresh) this.#suffixes.delete(suffix);
      return false;
    }
    this.sections.questions.push(...questions);
    this.sections.answers.push(...answers);
    this.sections.authorities.push(...authorities);
    this.sections.additionals.push(...additionals);
    this.#bytes = bytes;
    this.empty = false;
    return true;
  }

  #name(name: string, fresh: string[], compress: boolean = true): number {
    let bytes = 2;
    for (let start = 0; start < name.length;) {
      const suffix = start === 0 ? name : name.slice(start);
      if (compress && this.#suffixes.has(suffix)) break;
      // One that is written out spares others nothing for sure: those of a later group's answers stand before it.
      if (compress && !this.#suffixes.has(suffix)) {
        this.#suffixes.add(suffix);
        fresh.push(suffix);
      }
      const end = labelEnd(name, start);
      bytes += Buffer.byteLength(name.slice(start, end)) + 1;
      start = end + 1;
    }
    return bytes;
  }

  #data({ data }: DnsRecord, fresh: string[]): number {
    switch (data.kind) {
      case 'address': return data.address.includes(':') ? 16 : 4;
      case 'name': return this.#name(data.target, fresh);
      case 'service': return 6 + this.#name(data.target, fresh, this.#compressTargets);
      case 'absent': return this.#name(data.next, fresh, this.#compressTargets) + 34 * data.types.length;
      case 'bytes': return data.bytes.length;
      default: return data satisfies never;
    }
  }
}
