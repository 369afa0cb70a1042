import { isHostAddress, addressToBytes } from './address.ts';
import { canonicalData, encodeMessage } from './encode.ts';
import { CLASS, sameData, TYPE, type DnsRecord, type Message } from './message.ts';
import { nameKey } from './name.ts';
import type { Output } from './output.ts';
import type { Claim, OwnRecords } from './own-records.ts';
import { pack } from './packing.ts';

/** RFC 6762 §8.1: three probes, 250 ms apart, the first after a random 0–250 ms. */
const PROBES = 3;
const PROBE_GAP = 250;
/** RFC 6762 §8.2: the loser of a tie-break waits a second. */
const LOSER_WAIT = 1000;

export interface ProberParts {
  readonly own: OwnRecords;
  readonly random: () => number;
  readonly output: (output: Output) => void;
  /** Canonical addresses of this host, on whichever interface. */
  readonly ownAddresses: () => ReadonlySet<string>;
}

/** RFC 6762 §8.1, §8.2, §9: claims names, defends its turn, gives way. */
export class Prober {
  readonly #parts: ProberParts;
  /** Claims whose turn comes; everything else is at rest. */
  readonly #probing = new Set<Claim>();

  constructor(parts: ProberParts) {
    this.#parts = parts;
  }

  start(claim: Claim, now: number, wait = 0): void {
    // Those that wait for their first probe go together, in one packet.
    claim.due = (wait === 0 ? this.#firstDue(now) : undefined) ?? now + wait + this.#parts.random() * PROBE_GAP;
    this.#probing.add(claim);
  }

  #firstDue(now: number): number | undefined {
    for (const { probes, due } of this.#probing) if (probes === 0 && due > now && due <= now + PROBE_GAP) return due;
    return undefined;
  }

  stop(claim: Claim): void {
    this.#probing.delete(claim);
  }

  next(): number {
    if (this.#probing.size === 0) return Infinity;
    let next = Infinity;
    for (const claim of this.#probing) next = Math.min(next, claim.due);
    return next;
  }

  /** Sends the probes that are due; gives the claims that nobody objected to. */
  tick(now: number): Claim[] {
    const held: Claim[] = [];
    const probes: Claim[] = [];
    for (const claim of this.#probing) {
      if (claim.due > now) continue;
      if (claim.probes >= PROBES) held.push(claim);
      else probes.push(claim);
    }
    for (const claim of held) this.#probing.delete(claim);
    for (const claim of probes) {
      claim.probes++;
      claim.due = now + PROBE_GAP;
    }
    // Questions go without the QU bit: with another stack on port 5353 a unicast answer may never reach us (§15.1).
    const groups = probes.map((claim) => ({
      questions: [{ name: claim.name, type: TYPE.ANY, class: CLASS.IN, unicast: false }],
      // §10.2: the flush bit is not for records that are only proposed.
      authorities: proposed(claim).map((record) => ({ ...record, flush: false })),
    }));
    for (const message of pack(groups, {})) this.#parts.output({ type: 'send', bytes: encodeMessage(message) });
    return held;
  }

  /** Another's probe for a name we are probing for too: the lexicographically later data wins (§8.2). */
  query(message: Message, now: number): void {
    if (this.#probing.size === 0 || message.authorities.length === 0) return;
    for (const question of message.questions) {
      const claim = this.#parts.own.claims.get(nameKey(question.name));
      if (claim?.state !== 'probing' || claim.probes === 0) continue;
      const theirs = message.authorities.filter((record) => nameKey(record.name) === claim.key);
      if (theirs.length === 0 || compareSets(proposed(claim), theirs) >= 0) continue;
      claim.probes = 0;
      claim.due = now + LOSER_WAIT;
    }
  }

  /** Looks for others that hold our names. Gives held claims that must be probed for again. */
  response(message: Message, from: string, now: number): readonly Claim[] {
    const lost: Claim[] = [];
    const doubted: Claim[] = [];
    const said = [...message.answers, ...message.additionals];
    for (const record of said) this.#record(record, from, lost, doubted, said);
    if (lost.length > 0) {
      // Until it is renamed it keeps still.
      for (const claim of lost) claim.due = now + LOSER_WAIT;
      this.#parts.output({ type: 'conflict', names: lost.map(({ name }) => name) });
    }
    return doubted;
  }

  #record(record: DnsRecord, from: string, lost: Claim[], doubted: Claim[], said: readonly DnsRecord[]): void {
    const claim = this.#parts.own.claims.get(nameKey(record.name));
    if (claim && !this.#isRemembered(claim, from, said)) this.#claimed(claim, record, from, lost, doubted);
  }

  /**
   * What another machine says of a service on this one is what it has heard before, from a box that was killed and is
   * back on another port: reflectors and gateways answer out of their caches. Another process that has the name here is
   * heard itself, and another machine that has our host name as well is found out by that.
   */
  #isRemembered(claim: Claim, from: string, said: readonly DnsRecord[]): boolean {
    const own = claim.unique.find(({ record }) => record.type === TYPE.SRV)?.record.data;
    if (own?.kind !== 'service' || this.#parts.ownAddresses().has(from)) return false;
    const host = nameKey(own.target);
    // With another address for the host it is another machine of that name.
    if (!this.#parts.own.claims.has(host) || said.some(({ name, data }) => data.kind === 'address' && nameKey(name) === host && !this.#isOurs(data.address))) return false;
    return said.some(({ name, data, ttl }) => ttl > 0 && data.kind === 'service' && nameKey(name) === claim.key && nameKey(data.target) === host);
  }

  #claimed(claim: Claim, record: DnsRecord, from: string, lost: Claim[], doubted: Claim[]): void {
    // §10.1: a goodbye claims nothing. NSEC tells what is not there; what is comes beside it.
    if (record.ttl === 0 || record.type === TYPE.NSEC || record.class !== CLASS.IN) return;
    if (record.data.kind === 'address' && this.#isOurs(record.data.address)) {
      if (this.#parts.ownAddresses().has(from) && claim.unique.some((ours) => ours.record.data.kind === 'address')) {
        this.#parts.output({ type: 'answered here', name: claim.name });
      }
      return;
    }
    if (claim.unique.some((ours) => sameData(ours.record, record))) return;
    // While probing, any record under the name means that it is taken (§8.1); later only one of a type we hold (§9).
    // Before the first probe it means nothing yet: whoever holds the name will answer. Else a stranger who
    // claims every name we turn to would have us change it with each packet, not once in 5 s.
    if (claim.state === 'probing' && claim.probes === 0) return;
    if (claim.state === 'probing') note(lost, claim);
    else if (claim.unique.some((ours) => ours.record.type === record.type)) note(doubted, claim);
  }

  /** This host may be heard on another of its interfaces, or through another responder. */
  #isOurs(address: string): boolean {
    const bytes = addressToBytes(address);
    return this.#parts.ownAddresses().has(address) || (bytes !== undefined && !isHostAddress(bytes));
  }
}

function note(claims: Claim[], claim: Claim): void {
  if (!claims.includes(claim)) claims.push(claim);
}

/** Data that a probe would have to carry to everybody, three times: what tells two claims apart is small. */
const PROPOSED_BYTES = 1000;

/** What is proposed for a name (§8.2): all that would be said under it, except what is large. */
function proposed(claim: Claim): DnsRecord[] {
  return claim.unique.map(({ record }) => record).filter(({ data }) => data.kind !== 'bytes' || data.bytes.length <= PROPOSED_BYTES);
}

/** §8.2.1: records in order, one by one: class, type, raw data; the set that ends first is the earlier. */
export function compareSets(ours: readonly DnsRecord[], theirs: readonly DnsRecord[]): number {
  const left = ours.map(comparable).toSorted(compareRecords);
  const right = theirs.map(comparable).toSorted(compareRecords);
  for (const [index, record] of left.entries()) {
    const other = right[index];
    if (!other) return 1;
    const order = compareRecords(record, other);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

interface Comparable { class: number; type: number; data: Buffer }

function comparable(record: DnsRecord): Comparable {
  return { class: record.class, type: record.type, data: canonicalData(record) };
}

function compareRecords(a: Comparable, b: Comparable): number {
  return a.class - b.class || a.type - b.type || Buffer.compare(a.data, b.data);
}
