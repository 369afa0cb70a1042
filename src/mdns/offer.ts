import { LanpostError } from '../errors.ts';
import { canonicalAddress } from './address.ts';
import { instanceLabel, machineLabel, numbered } from './host-label.ts';
import { CLASS, TYPE, type DnsRecord } from './message.ts';
import { escapeLabel, MAX_LABEL_BYTES, nameKey } from './name.ts';
import type { InterfaceInfo } from './network.ts';
import { ENUMERATION, HOST_TTL, OTHER_TTL, type Wanted } from './own-records.ts';

/** What is offered on every link, as `user@machine`. */
export interface Service {
  /** The user's part of the instance; any text. Numbered when taken. */
  readonly user: string;
  /** Of the kind `_presence._tcp`. */
  readonly type: string;
  readonly port: number;
  readonly txt: readonly (readonly [string, string])[];
  /** RFC 6763 §7.1: groups of it that can be browsed alone, as `_box` in `_box._sub._presence._tcp`. */
  readonly subtypes?: readonly string[];
  /** Further records at the instance, such as the NULL record with an avatar (XEP-0174 §6). */
  readonly records?: readonly InstanceRecord[];
  /** The machine's part, made one ASCII label; default this host's name. Numbered when taken. */
  readonly host?: string;
  /** Numbers to start with: those last told to `onRenamed`, so that a name once found is kept. */
  readonly numbers?: Numbers;
  readonly onRenamed?: (renamed: Renamed) => void;
}

/** A record of plain bytes: of a type in whose data there are no names. Said to be good for two minutes. */
export interface InstanceRecord { readonly type: number; readonly bytes: Uint8Array }

/** Longest data of such a record: it, its name and its header must be one datagram (RFC 6762 §17). */
export const MAX_RECORD_BYTES = 8000;

/** 0 is the name itself, 1 is `-1` and so on. */
export interface Numbers { readonly user: number; readonly host: number }

export interface Renamed {
  readonly instance: string;
  readonly user: string;
  readonly machine: string;
  /** What the SRV record points at; not always the machine. */
  readonly host: string;
  readonly numbers: Numbers;
}

export interface Machine {
  readonly base: string;
  number: number;
  /** A label of our own, and its number once another responder of this host answers for the host name. */
  readonly alias: string;
  aliased?: number;
  readonly offers: Set<Offer>;
}

/** A service under its present name. */
export interface Offer {
  readonly service: Service;
  readonly machine: Machine;
  number: number;
  text: Buffer;
  records: readonly InstanceRecord[];
  /** When and from which number it was last renamed for its user's part. */
  renamed?: { readonly at: number; readonly from: number };
  /** Places where host and instance are held. */
  readonly held: Set<string>;
  /** The name that was last told. */
  told: string;
}

/** The present names of a service. */
export function nameOf(offer: Offer): Renamed {
  const { machine, number, service } = offer;
  return {
    instance: instanceLabel(service.user, number, machineLabel(machine)),
    user: numbered(service.user, number, 62 - machineLabel(machine).length),
    machine: machineLabel(machine),
    host: hostName(machine),
    numbers: { user: number, host: machine.number },
  };
}

export function hostRecords(machine: Machine, { addresses }: InterfaceInfo): Wanted {
  const name = hostName(machine);
  const unique = addresses.map(({ address, family }): DnsRecord => ({
    name, type: family === 4 ? TYPE.A : TYPE.AAAA, class: CLASS.IN, flush: true, ttl: HOST_TTL,
    data: { kind: 'address', address: canonicalAddress(address) },
  }));
  // The host's own name may be used by others here, now or later: only a label of our own is taken back.
  return { name, unique, shared: [], goodbye: machine.aliased !== undefined, watch: machine.aliased === undefined };
}

export function instanceRecords(offer: Offer): Wanted {
  const { machine, service, text, records } = offer;
  const name = instanceName(offer);
  const type = `${service.type}.local`;
  const host = hostName(machine);
  const unique = { name, class: CLASS.IN, flush: true };
  const shared = { type: TYPE.PTR, class: CLASS.IN, flush: false, ttl: OTHER_TTL };
  return {
    name, needs: host, goodbye: true,
    unique: [
      { ...unique, type: TYPE.SRV, ttl: HOST_TTL, data: { kind: 'service', priority: 0, weight: 0, port: service.port, target: host } },
      // Before TXT: XEP-0174 §6 wants the avatar changed before its hash.
      ...records.map(({ type: rrtype, bytes }): DnsRecord => ({ ...unique, type: rrtype, ttl: HOST_TTL, data: { kind: 'bytes', bytes } })),
      { ...unique, type: TYPE.TXT, ttl: OTHER_TTL, data: { kind: 'bytes', bytes: text } },
    ],
    shared: [
      { ...shared, name: type, data: { kind: 'name', target: name } },
      ...(service.subtypes ?? []).map((subtype): DnsRecord => ({
        ...shared, name: `${escapeLabel(subtype)}._sub.${type}`, data: { kind: 'name', target: name },
      })),
      { ...shared, name: ENUMERATION, data: { kind: 'name', target: type } },
    ],
  };
}

/** A service has few groups. */
const MAX_SUBTYPES = 16;

export function checkSubtypes(subtypes: readonly string[]): void {
  if (subtypes.length > MAX_SUBTYPES || subtypes.some((subtype) => subtype === '' || Buffer.byteLength(subtype) > MAX_LABEL_BYTES)) {
    throw new LanpostError('invalid-value', `a service has at most ${MAX_SUBTYPES} subtypes of 1 to ${MAX_LABEL_BYTES} bytes each`);
  }
}

/** Types whose records this box writes itself, or that are no types of records. */
const RESERVED_TYPES: ReadonlySet<number> = new Set([TYPE.A, TYPE.PTR, TYPE.TXT, TYPE.AAAA, TYPE.SRV, TYPE.OPT, TYPE.NSEC, TYPE.ANY]);

/** One of a type, each small enough; copied, for the caller may write in his. */
export function checkedRecords(records: readonly InstanceRecord[]): InstanceRecord[] {
  const types = new Set<number>();
  return records.map(({ type, bytes }) => {
    if (!Number.isInteger(type) || type < 1 || type > 255 || RESERVED_TYPES.has(type) || types.has(type)) {
      throw new LanpostError('invalid-value', `an instance cannot have a record of type ${type} of its own, or has one already`);
    }
    if (bytes.length > MAX_RECORD_BYTES) throw new LanpostError('too-large', `a record over ${MAX_RECORD_BYTES} bytes`);
    types.add(type);
    return { type, bytes: Uint8Array.from(bytes) };
  });
}

export function hostName(machine: Machine): string {
  return `${machine.aliased === undefined ? machineLabel(machine) : numbered(machine.alias, machine.aliased, 63)}.local`;
}

export function instanceName(offer: Offer): string {
  const label = instanceLabel(offer.service.user, offer.number, machineLabel(offer.machine));
  return `${escapeLabel(label)}.${offer.service.type}.local`;
}

export function instanceKey(offer: Offer): string {
  return nameKey(instanceName(offer));
}
