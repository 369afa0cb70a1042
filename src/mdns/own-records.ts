import { CLASS, dataKey, TYPE, type DnsRecord, type Message } from './message.ts';
import { nameKey } from './name.ts';

/** RFC 6762 §10: records with a host name in them, and all others. */
export const HOST_TTL = 120;
export const OTHER_TTL = 4500;

/** A record this box answers with on one link. */
export interface OwnRecord {
  readonly record: DnsRecord;
  readonly shared: boolean;
  /** Whether leaving takes it back; not where others may have said the same. */
  readonly goodbye: boolean;
  /** When it was last multicast here. */
  sent: number;
  /** How many claims it belongs to. */
  uses: number;
}

/** What is wanted under one unique name. */
export interface Wanted {
  readonly name: string;
  readonly unique: readonly DnsRecord[];
  readonly shared: readonly DnsRecord[];
  /** Another claim without which these records say nothing: an instance needs its host. */
  readonly needs?: string;
  /** Whether goodbye is said for the unique records. */
  readonly goodbye: boolean;
  /** Another responder of this host may hold the name in the very same words: it is asked for once more. */
  readonly watch?: boolean;
}

export interface Claim {
  readonly key: string;
  readonly name: string;
  wanted: Wanted;
  state: 'probing' | 'held';
  announced: boolean;
  unique: OwnRecord[];
  shared: OwnRecord[];
  /** What it says about types it does not have (RFC 6762 §6.1). */
  absent: OwnRecord;
  /** Probing: how many probes went out, and when the next step is due. */
  probes: number;
  due: number;
}

/** The names this box claims on one link, and the records it may answer with: those of held names. */
export class OwnRecords {
  readonly claims: Map<string, Claim> = new Map();
  readonly #index = new Map<string, Map<string, OwnRecord>>();
  /** Of those that come again: what says nothing of ours, as long as nothing more is ours. */
  #foreign = new WeakSet<Message>();

  claim(wanted: Wanted, due: number): Claim {
    const { name } = wanted;
    const claim: Claim = {
      key: nameKey(name), name, wanted, state: 'probing', announced: false, probes: 0, due,
      unique: wanted.unique.map((record) => own(record, false, wanted.goodbye)),
      shared: [],
      absent: absence(name, wanted.unique),
    };
    this.claims.set(claim.key, claim);
    this.#foreign = new WeakSet();
    return claim;
  }

  hold(claim: Claim): void {
    claim.state = 'held';
    claim.due = Infinity;
    for (const record of claim.unique) this.#add(record);
    claim.shared = claim.wanted.shared.map((record) => this.#add(own(record, true, record.name !== ENUMERATION)));
  }

  /** Back to probing: until that is over it answers for nothing (RFC 6762 §9). */
  doubt(claim: Claim, due: number): void {
    if (claim.state === 'held') this.#withdraw(claim);
    claim.state = 'probing';
    claim.probes = 0;
    claim.due = due;
  }

  /** New data under a name that is claimed already. Gives the records that are new. */
  replace(claim: Claim, wanted: Wanted): OwnRecord[] {
    const before = claim.unique;
    const held = claim.state === 'held';
    for (const record of before) if (held) this.#remove(record);
    claim.wanted = wanted;
    claim.absent = absence(claim.name, wanted.unique);
    claim.unique = wanted.unique.map((record) => {
      const same = before.find((old) => dataKey(old.record) === dataKey(record));
      if (same) return same;
      const fresh = own(record, false, wanted.goodbye);
      // The limit of one per second is the name and type's, not the data's (RFC 6762 §6).
      fresh.sent = Math.max(-Infinity, ...before.filter((old) => old.record.type === record.type).map((old) => old.sent));
      return fresh;
    });
    if (held) for (const record of claim.unique) this.#add(record);
    return claim.unique.filter((record) => !before.includes(record));
  }

  /** Gives the records that nothing else of ours says any more. */
  release(claim: Claim): OwnRecord[] {
    this.claims.delete(claim.key);
    return claim.state === 'held' ? this.#withdraw(claim) : [];
  }

  find(key: string, type: number): OwnRecord[] {
    const records: OwnRecord[] = [];
    for (const record of this.#index.get(key)?.values() ?? []) {
      if (type === TYPE.ANY || record.record.type === type) records.push(record);
    }
    return records;
  }

  /** The one record that says exactly this. */
  same(record: DnsRecord): OwnRecord | undefined {
    return this.#index.get(nameKey(record.name))?.get(dataKey(record));
  }

  /** Whether it speaks of a name that is claimed, or says what we say. `again`: it is the very message that came before. */
  concerns(message: Message, again: boolean): boolean {
    if (again && this.#foreign.has(message)) return false;
    const isOurs = (record: DnsRecord): boolean => this.claims.has(nameKey(record.name)) || this.same(record) !== undefined;
    if (message.answers.some(isOurs) || message.additionals.some(isOurs)) return true;
    if (again) this.#foreign.add(message);
    return false;
  }

  /** RFC 6762 §6.1: a held name says which types it has not. */
  absence(key: string): OwnRecord | undefined {
    const claim = this.claims.get(key);
    return claim?.state === 'held' ? claim.absent : undefined;
  }

  held(name: string): boolean {
    return this.claims.get(nameKey(name))?.state === 'held';
  }

  #withdraw(claim: Claim): OwnRecord[] {
    const gone = [...claim.unique, ...claim.shared].filter((record) => this.#remove(record));
    claim.shared = [];
    claim.announced = false;
    return gone;
  }

  #add(record: OwnRecord): OwnRecord {
    const key = nameKey(record.record.name);
    const named = this.#index.get(key) ?? new Map<string, OwnRecord>();
    this.#index.set(key, named);
    const data = dataKey(record.record);
    const known = named.get(data) ?? record;
    named.set(data, known);
    this.#foreign = new WeakSet();
    known.uses++;
    return known;
  }

  #remove(record: OwnRecord): boolean {
    if (--record.uses > 0) return false;
    const key = nameKey(record.record.name);
    const named = this.#index.get(key);
    named?.delete(dataKey(record.record));
    if (named?.size === 0) this.#index.delete(key);
    return true;
  }
}

/** RFC 6763 §9: every host that offers a type says so under this name, in the very same words. */
export const ENUMERATION = '_services._dns-sd._udp.local';

function own(record: DnsRecord, shared: boolean, goodbye: boolean): OwnRecord {
  return { record, shared, goodbye, sent: -Infinity, uses: 0 };
}

function absence(name: string, unique: readonly DnsRecord[]): OwnRecord {
  const types = [...new Set(unique.map((record) => record.type))];
  const ttl = Math.min(OTHER_TTL, ...unique.map((record) => record.ttl));
  return own({ name, type: TYPE.NSEC, class: CLASS.IN, flush: true, ttl, data: { kind: 'absent', next: name, types } }, false, false);
}
