import { LanpostError } from '../errors.ts';
import { nameKey, sameName } from './name.ts';

// DNS messages as plain data (RFC 1035 §4, RFC 6762 §18).

export const TYPE = { A: 1, PTR: 12, NULL: 10, TXT: 16, AAAA: 28, SRV: 33, OPT: 41, NSEC: 47, ANY: 255 } as const;
export const CLASS = { IN: 1, ANY: 255 } as const;

export interface Question {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The QU bit: a unicast answer is welcome (RFC 6762 §5.4). */
  readonly unicast: boolean;
}

export type RecordData =
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'name'; readonly target: string }
  | { readonly kind: 'service'; readonly priority: number; readonly weight: number; readonly port: number; readonly target: string }
  | { readonly kind: 'absent'; readonly next: string; readonly types: readonly number[] }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array };

export interface DnsRecord {
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The cache-flush bit: this is the whole of a unique record set (RFC 6762 §10.2). */
  readonly flush: boolean;
  /** Seconds. */
  readonly ttl: number;
  readonly data: RecordData;
}

export interface Message {
  readonly id: number;
  readonly response: boolean;
  readonly opcode: number;
  readonly authoritative: boolean;
  /** TC: in a query, more known answers follow (RFC 6762 §7.2). */
  readonly truncated: boolean;
  readonly rcode: number;
  readonly questions: readonly Question[];
  readonly answers: readonly DnsRecord[];
  readonly authorities: readonly DnsRecord[];
  readonly additionals: readonly DnsRecord[];
}

/** RFC 6762 §18: id 0, opcode 0, rcode 0; AA in responses. */
export function makeMessage(parts: Partial<Message>): Message {
  return {
    id: 0, opcode: 0, rcode: 0, truncated: false, response: false,
    authoritative: parts.response ?? false,
    questions: [], answers: [], authorities: [], additionals: [],
    ...parts,
  };
}

/** The only error that reading a message can give. */
export function malformed(what: string): LanpostError {
  return new LanpostError('corrupt', `malformed DNS message: ${what}`);
}

/** Equal for records of equal type and data, whatever their owner and TTL. */
export function dataKey(record: DnsRecord): string {
  const { data, type } = record;
  switch (data.kind) {
    case 'address': return `${type} ${data.address}`;
    case 'name': return `${type} ${nameKey(data.target)}`;
    case 'service': return `${type} ${data.priority} ${data.weight} ${data.port} ${nameKey(data.target)}`;
    case 'absent': return `${type} ${nameKey(data.next)} ${data.types.join(' ')}`;
    case 'bytes': return `${type} ${asBuffer(data.bytes).toString('latin1')}`;
    default: return data satisfies never;
  }
}

/** Whether two records say the same; as equal `dataKey`s, without making them. */
export function sameData(a: DnsRecord, b: DnsRecord): boolean {
  if (a.type !== b.type) return false;
  const left = a.data;
  const right = b.data;
  if (left.kind === 'bytes' && right.kind === 'bytes') return asBuffer(left.bytes).equals(right.bytes);
  if (left.kind === 'address' && right.kind === 'address') return left.address === right.address;
  if (left.kind === 'name' && right.kind === 'name') return sameName(left.target, right.target);
  if (left.kind === 'service' && right.kind === 'service') {
    return left.port === right.port && left.priority === right.priority && left.weight === right.weight && sameName(left.target, right.target);
  }
  return dataKey(a) === dataKey(b);
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
