import { encodeMessage, type EncodeOptions } from './encode.ts';
import { makeMessage, type DnsRecord, type Message, type Question } from './message.ts';

/** What must stay in one packet. */
export interface Group {
  readonly questions?: readonly Question[];
  readonly answers?: readonly DnsRecord[];
  readonly authorities?: readonly DnsRecord[];
  readonly additionals?: readonly DnsRecord[];
}

interface Sections { questions: Question[]; answers: DnsRecord[]; authorities: DnsRecord[]; additionals: DnsRecord[] }

/** RFC 6762 §17: within the MTU of Ethernet, less IPv6 and UDP headers. */
export const PACKET_BYTES = 1452;

/**
 * Spreads groups over as few messages as keep within `PACKET_BYTES`. Only a group that alone is
 * larger (one big record, RFC 6762 §17) gets a longer one; it then goes without additionals.
 */
export function pack(groups: readonly Group[], common: Partial<Message>, options: EncodeOptions = {}): Message[] {
  const messages: Message[] = [];
  let open = emptySections();
  let bound = 12;
  let filled = false;
  const close = (): void => {
    if (filled) messages.push(makeMessage({ ...common, ...open }));
    open = emptySections();
    bound = 12;
    filled = false;
  };
  for (const group of groups) {
    const size = groupBound(group);
    let next = append(open, group);
    // The bound ignores compression; only when it is passed is the true size worth knowing.
    if (bound + size > PACKET_BYTES && written(next, common, options) > PACKET_BYTES) {
      close();
      next = append(open, group);
      if (size > PACKET_BYTES && written(next, common, options) > PACKET_BYTES) next = append(open, { ...group, additionals: [] });
    }
    open = next;
    bound += size;
    filled = true;
  }
  close();
  return messages;
}

function emptySections(): Sections {
  return { questions: [], answers: [], authorities: [], additionals: [] };
}

function append(to: Sections, group: Group): Sections {
  return {
    questions: joined(to.questions, group.questions),
    answers: joined(to.answers, group.answers),
    authorities: joined(to.authorities, group.authorities),
    additionals: joined(to.additionals, group.additionals),
  };
}

function joined<T>(list: T[], more: readonly T[] | undefined): T[] {
  return more && more.length > 0 ? [...list, ...more] : list;
}

function written(sections: Sections, common: Partial<Message>, options: EncodeOptions): number {
  return encodeMessage(makeMessage({ ...common, ...sections }), options).length;
}

function groupBound(group: Group): number {
  let bytes = 0;
  for (const question of group.questions ?? []) bytes += Buffer.byteLength(question.name) + 6;
  for (const records of [group.answers, group.authorities, group.additionals]) {
    for (const record of records ?? []) bytes += Buffer.byteLength(record.name) + 12 + dataBound(record);
  }
  return bytes;
}

function dataBound({ data }: DnsRecord): number {
  switch (data.kind) {
    case 'address': return 16;
    case 'name': return Buffer.byteLength(data.target) + 2;
    case 'service': return Buffer.byteLength(data.target) + 8;
    case 'absent': return Buffer.byteLength(data.next) + 2 + 34 * data.types.length;
    case 'bytes': return data.bytes.length;
    default: return data satisfies never;
  }
}
