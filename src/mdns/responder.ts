import { encodeMessage } from './encode.ts';
import { CLASS, dataKey, TYPE, type DnsRecord, type Message, type Question } from './message.ts';
import { nameKey } from './name.ts';
import { MDNS_PORT, type Source } from './network.ts';
import type { Output } from './output.ts';
import type { OwnRecord, OwnRecords } from './own-records.ts';
import { pack, type Group } from './packing.ts';
import { MULTICAST_GAP } from './announcer.ts';

/** RFC 6762 §6: shared records wait 20–120 ms, so that answers do not collide. */
const SHARED_DELAY = [20, 100] as const;
/** RFC 6762 §7.2: after TC, more known answers come within 400–500 ms. */
const TRUNCATED_DELAY = [400, 100] as const;
/** RFC 6762 §6: a name is defended against a probe sooner than once a second. */
const DEFENCE_GAP = 250;
/** RFC 6762 §6.7 */
const LEGACY_TTL = 10;
/** A plain resolver asks one question; more would only be repeated to whoever it names as its address. */
const LEGACY_QUESTIONS = 4;
/** Questioners whose known answers are still coming. */
const MAX_HELD = 64;

interface Held { due: number; readonly answers: Set<OwnRecord> }

export interface ResponderParts {
  readonly own: OwnRecords;
  readonly random: () => number;
  readonly output: (output: Output) => void;
}

/** RFC 6762 §6 and §7: answers what it is asked, once, unless it is known. */
export class Responder {
  readonly #parts: ResponderParts;
  readonly #pending = new Map<OwnRecord, number>();
  readonly #held = new Map<string, Held>();
  #next = Infinity;

  constructor(parts: ResponderParts) {
    this.#parts = parts;
  }

  query(message: Message, from: Source, now: number): void {
    this.#moreKnownAnswers(message, from);
    if (message.questions.length === 0) return;
    // RFC 6762 §6.7: from another port it is a plain resolver, which wants a plain answer.
    const legacy = from.port !== MDNS_PORT;
    // Port 0 means that no answer is wanted (RFC 768); there is no sending to it.
    if (legacy && (from.port === 0 || message.questions.length > LEGACY_QUESTIONS)) return;
    const probe = message.authorities.length > 0;
    const unicast = new Set<OwnRecord>();
    const multicast = new Set<OwnRecord>();
    for (const question of message.questions) {
      for (const record of this.#answers(question)) {
        const recent = now - record.sent < record.record.ttl * 250;
        if (legacy || (question.unicast && recent)) unicast.add(record);
        else multicast.add(record);
      }
    }
    this.#dropKnown(message, unicast);
    this.#dropKnown(message, multicast);
    if (unicast.size > 0) this.#reply(unicast, legacy ? message : undefined, from);
    if (multicast.size === 0) return;
    if (message.truncated && !probe && this.#held.size < MAX_HELD) return this.#hold(multicast, from, now);
    for (const record of multicast) this.#schedule(record, record.shared ? now + this.#wait(SHARED_DELAY) : now, probe ? DEFENCE_GAP : MULTICAST_GAP);
  }

  /** Another's answer to the question we were about to answer (§7.4). Gives records of ours to say again (§6.6). */
  response(message: Message): OwnRecord[] {
    const again: OwnRecord[] = [];
    for (const record of message.answers) {
      const ours = this.#parts.own.same(record);
      if (!ours) continue;
      if (record.ttl * 2 < ours.record.ttl) again.push(ours);
      else if (record.ttl >= ours.record.ttl) this.#pending.delete(ours);
    }
    return again;
  }

  /** These were just multicast, or are no longer ours. */
  forget(records: readonly OwnRecord[]): void {
    for (const record of records) {
      this.#pending.delete(record);
      for (const { answers } of this.#held.values()) answers.delete(record);
    }
  }

  next(): number {
    return this.#next;
  }

  tick(now: number): void {
    if (now < this.#next) return;
    for (const [source, held] of this.#held) {
      if (held.due > now) continue;
      this.#held.delete(source);
      for (const record of held.answers) this.#schedule(record, now, MULTICAST_GAP);
    }
    const due = [...this.#pending.values()].some((at) => at <= now);
    const answers = new Set<OwnRecord>();
    this.#next = Infinity;
    for (const [record, at] of this.#pending) {
      // What waits only its random while goes along (§6.4); what waits out its second does not.
      if (at <= now || (due && record.shared && now - record.sent >= MULTICAST_GAP)) answers.add(record);
      else this.#next = Math.min(this.#next, at);
    }
    for (const { due: at } of this.#held.values()) this.#next = Math.min(this.#next, at);
    if (answers.size === 0) return;
    for (const record of answers) this.#pending.delete(record);
    const groups = this.#groups(answers, (extra) => now - extra.sent >= MULTICAST_GAP);
    for (const answer of answers) answer.sent = now;
    for (const message of pack(groups, { response: true })) {
      for (const record of message.additionals) this.#markSent(record, now);
      this.#parts.output({ type: 'send', bytes: encodeMessage(message) });
    }
  }

  #answers(question: Question): OwnRecord[] {
    if (question.class !== CLASS.IN && question.class !== CLASS.ANY) return [];
    const key = nameKey(question.name);
    const found = this.#parts.own.find(key, question.type);
    if (found.length > 0) return found;
    const absent = this.#parts.own.absence(key);
    return absent ? [absent] : [];
  }

  /** RFC 6762 §7.1: known is what the questioner lists with at least half its life left. */
  #dropKnown(message: Message, answers: Set<OwnRecord>): void {
    if (answers.size === 0) return;
    for (const record of message.answers) {
      const ours = this.#parts.own.same(record);
      if (ours && record.ttl * 2 >= ours.record.ttl) answers.delete(ours);
    }
  }

  #moreKnownAnswers(message: Message, from: Source): void {
    const held = this.#held.get(from.address);
    if (held) this.#dropKnown(message, held.answers);
  }

  #hold(answers: Set<OwnRecord>, from: Source, now: number): void {
    const held = this.#held.get(from.address);
    const due = held?.due ?? now + this.#wait(TRUNCATED_DELAY);
    this.#held.set(from.address, { due, answers: new Set([...(held?.answers ?? []), ...answers]) });
    this.#next = Math.min(this.#next, due);
  }

  #schedule(record: OwnRecord, at: number, gap: number): void {
    const due = Math.max(at, record.sent + gap);
    const planned = this.#pending.get(record) ?? Infinity;
    this.#pending.set(record, Math.min(due, planned));
    this.#next = Math.min(this.#next, due);
  }

  #reply(answers: Set<OwnRecord>, legacy: Message | undefined, to: Source): void {
    const plain = (record: DnsRecord): DnsRecord => (
      legacy ? { ...record, flush: false, ttl: Math.min(record.ttl, LEGACY_TTL) } : record
    );
    const groups = this.#groups(answers, () => true).map((group) => ({
      answers: (group.answers ?? []).map(plain), additionals: (group.additionals ?? []).map(plain),
    }));
    const common = legacy ? { response: true, id: legacy.id, questions: legacy.questions.map((question) => ({ ...question, unicast: false })) } : { response: true };
    const options = { compressTargets: !legacy };
    const [head, ...rest] = groups;
    const first = head && legacy ? { ...head, questions: common.questions ?? [] } : head;
    const messages = pack(first ? [first, ...rest] : [], { ...common, questions: [] }, options);
    // One question has one answer in plain DNS: a resolver takes the first packet.
    for (const message of legacy ? messages.slice(0, 1) : messages) {
      this.#parts.output({ type: 'send', bytes: encodeMessage(message, options), to });
    }
  }

  /** Each answer with what the questioner will want next (RFC 6763 §12), nothing twice. */
  #groups(answers: ReadonlySet<OwnRecord>, wanted: (extra: OwnRecord) => boolean): Group[] {
    const used = new Set<OwnRecord>(answers);
    const groups: Group[] = [];
    for (const answer of answers) {
      const additionals: DnsRecord[] = [];
      for (const extra of this.#extras(answer.record)) {
        if (used.has(extra) || !wanted(extra)) continue;
        used.add(extra);
        additionals.push(extra.record);
      }
      groups.push({ answers: [answer.record], additionals });
    }
    return groups;
  }

  #extras({ type, data, name }: DnsRecord): OwnRecord[] {
    const { own } = this.#parts;
    if (type === TYPE.PTR && data.kind === 'name') {
      const instance = nameKey(data.target);
      const services = own.find(instance, TYPE.SRV);
      return [...services, ...own.find(instance, TYPE.TXT), ...services.flatMap((service) => this.#extras(service.record))];
    }
    if (type === TYPE.SRV && data.kind === 'service') return this.#addresses(nameKey(data.target));
    // RFC 6762 §6.2: with one kind of address, the other, or that there is none.
    if (type === TYPE.A || type === TYPE.AAAA) return this.#addresses(nameKey(name));
    return [];
  }

  #addresses(host: string): OwnRecord[] {
    const { own } = this.#parts;
    const four = own.find(host, TYPE.A);
    const six = own.find(host, TYPE.AAAA);
    const absent = own.absence(host);
    return [...four, ...six, ...(absent && (four.length === 0) !== (six.length === 0) ? [absent] : [])];
  }

  #markSent(record: DnsRecord, now: number): void {
    const ours = record.type === TYPE.NSEC ? this.#parts.own.absence(nameKey(record.name)) : this.#parts.own.same(record);
    if (ours && dataKey(ours.record) === dataKey(record)) ours.sent = now;
  }

  #wait([least, spread]: readonly [number, number]): number {
    return least + this.#parts.random() * spread;
  }
}
