import { Announcer } from './announcer.ts';
import { Asks } from './asks.ts';
import { Browser } from './browser.ts';
import type { Message } from './message.ts';
import type { Unread } from './decode.ts';
import { nameKey } from './name.ts';
import { MDNS_PORT, type Source } from './network.ts';
import type { Output, Resolved } from './output.ts';
import { OwnRecords, type Claim, type Wanted } from './own-records.ts';
import { Prober } from './prober.ts';
import { Pulse } from './pulse.ts';
import { Responder } from './responder.ts';

/** RFC 6762 §8.3: at least two; the third is for links that lose packets. */
const ANNOUNCEMENTS = 3;
/**
 * RFC 6762 §8.4, §8.3: up to eight. What has changed is asked for by nobody, and believed for an hour where it was missed: the fifth
 * comes 15 s after the first, when a link that loses packets may have come to itself.
 */
const UPDATE_ANNOUNCEMENTS = 5;

/** A responder of this host may have missed our probes, or held its answer back (§6: once a second): asked once more. */
const WATCH_DELAY = 1200;

/** Said so recently is said enough. */
const LATELY = 2500;

/** What came. */
export interface Heard {
  readonly message: Message;
  /** It is the very message that came before. */
  readonly again?: boolean;
}

export interface LinkParts {
  readonly now: number;
  /** RFC 6762 §5.1: it has a port of its own, so it can only ask; names cannot be held. */
  readonly plain?: boolean;
  readonly random: () => number;
  readonly ownAddresses: () => ReadonlySet<string>;
  /** Instances remembered at once. */
  readonly limit: number;
  /** Whether an instance of that label is remembered in any case; default none is. */
  readonly keeps?: (label: string) => boolean;
}

/**
 * Multicast DNS on one interface and family (RFC 6762 §14: each keeps its own state). A machine without
 * sockets or timers: what happens comes in with its time, what is to be done is taken out.
 */
export class Link {
  readonly #own = new OwnRecords();
  readonly #prober: Prober;
  readonly #announcer: Announcer;
  readonly #responder: Responder;
  readonly #browser: Browser;
  readonly #asks: Asks;
  readonly #pulse: Pulse;
  readonly #plain: boolean;
  #outputs: Output[] = [];

  constructor(parts: LinkParts) {
    this.#plain = parts.plain ?? false;
    const output = (made: Output): void => void this.#outputs.push(made);
    this.#prober = new Prober({ own: this.#own, random: parts.random, output, ownAddresses: parts.ownAddresses });
    this.#announcer = new Announcer(output);
    this.#responder = new Responder({ own: this.#own, random: parts.random, output });
    this.#browser = new Browser({
      random: parts.random, output, limit: parts.limit, plain: this.#plain, isOwn: (record) => this.#own.same(record) !== undefined,
      keeps: parts.keeps ?? (() => false),
      silence: (now) => this.#pulse.silence(now),
    });
    this.#pulse = new Pulse({
      now: parts.now, random: parts.random, ownAddresses: parts.ownAddresses,
      isBack: (address, now) => this.#browser.heard(address, now),
      knowsSome: () => this.#browser.knowsSome,
      introduces: (message) => this.#browser.introduces(message),
      isAsked: (message) => this.#isAsked(message),
      alive: (now) => this.#browser.lookAround(now),
    });
    this.#asks = new Asks({
      random: parts.random, output,
      ask: (name, type, at) => this.#browser.ask(name, type, at),
      cancel: (name, type) => this.#browser.stopAsking(name, type),
    });
  }

  /** What is to be done since the last call. */
  take(): Output[] {
    const outputs = this.#outputs;
    if (outputs.length > 0) this.#outputs = [];
    return outputs;
  }

  /** When `tick` is next worth calling. */
  next(): number {
    return Math.min(this.#prober.next(), this.#announcer.next(), this.#responder.next(), this.#browser.next(), this.#asks.next(), this.#pulse.next());
  }

  tick(now: number): void {
    const held = this.#prober.tick(now);
    for (const claim of held) {
      this.#own.hold(claim);
      this.#outputs.push({ type: 'held', name: claim.name });
      const [first] = claim.unique;
      if (claim.wanted.watch && first) this.#browser.ask(claim.name, first.record.type, now + WATCH_DELAY);
    }
    if (held.length > 0) this.#announceHeld(now);
    if (this.#pulse.tick(now)) this.#sayAgain(now);
    this.#responder.forget(this.#announcer.tick(now));
    this.#responder.tick(now);
    this.#asks.tick(now);
    this.#browser.tick(now);
  }

  receive(message: Message, from: Source, now: number): void {
    if (this.hear(message, from, now)) this.weigh({ message }, from, now);
  }

  /** Who is new, and says so plainly in this packet. It is to be weighed as well: whoever waits for the news need not wait for that. */
  glance(packet: Unread, from: Source): Resolved | undefined {
    // RFC 6762 §6: answers come from the mDNS port, or are no answers.
    return from.port === MDNS_PORT ? this.#browser.glance(packet) : undefined;
  }

  /** Answers a question, or takes what an answer tells of others. Whether it is one, which is to be weighed as well. */
  hear(message: Message, from: Source, now: number): boolean {
    // RFC 6762 §18.3, §18.11: other opcodes and errors are not for us.
    if (message.opcode !== 0 || message.rcode !== 0) return false;
    if (!message.response) {
      this.#prober.query(message, now);
      this.#responder.query(message, from, now);
      this.#browser.query(message, from, now);
      this.#pulse.heard(message, from, now);
      return false;
    }
    if (from.port !== MDNS_PORT) return false;
    this.#browser.response(message, now);
    return true;
  }

  /** What an answer means for what we say ourselves, and for what was asked. */
  weigh(packet: Heard, from: Source, now: number): void {
    this.#browser.catchUp();
    const { message, again = false } = packet;
    if (this.#own.concerns(message, again)) this.#contest(message, from, now);
    this.#pulse.heard(message, from, now);
    this.#asks.response(message);
  }

  /** Others have our names, or say what we say. */
  #contest(message: Message, from: Source, now: number): void {
    for (const claim of this.#prober.response(message, from.address, now)) {
      this.#responder.forget([...claim.unique, ...claim.shared]);
      this.#announcer.forget([...claim.unique, ...claim.shared]);
      this.#own.doubt(claim, now);
      this.#prober.start(claim, now);
    }
    this.#announcer.announce(this.#responder.response(message), now, 1);
  }

  /** Claims a name, or gives a claimed one new data. `wait`: probing starts that much later. */
  claim(wanted: Wanted, now: number, wait = 0): void {
    if (this.#plain) return;
    const claim = this.#own.claims.get(nameKey(wanted.name));
    if (!claim) {
      this.#prober.start(this.#own.claim(wanted, now), now, wait);
      return;
    }
    const before = claim.unique;
    const fresh = this.#own.replace(claim, wanted);
    const gone = before.filter((record) => !claim.unique.includes(record));
    this.#responder.forget(gone);
    this.#announcer.forget(gone);
    // Where a successor of its type comes, the flush bit takes the old one back (§10.2). An address that is gone
    // is nobody's here: it is taken back under a host name too that another responder may use.
    const types = new Set(claim.unique.map(({ record }) => record.type));
    if (claim.announced) this.#announcer.untrue(gone.filter(({ record }) => !types.has(record.type)));
    if (claim.announced) this.#announcer.announce(fresh, now, UPDATE_ANNOUNCEMENTS);
  }

  /** Gives a name up. Without goodbye when it belongs to another now. */
  release(name: string, goodbye: boolean): void {
    const claim = this.#own.claims.get(nameKey(name));
    if (!claim) return;
    this.#prober.stop(claim);
    const gone = this.#own.release(claim);
    this.#responder.forget([...gone, claim.absent]);
    if (goodbye) this.#announcer.goodbye(gone);
    else this.#announcer.forget(gone);
  }

  releaseAll(): void {
    const gone = [...this.#own.claims.values()].flatMap((claim) => {
      this.#prober.stop(claim);
      return this.#own.release(claim);
    });
    this.#responder.forget(gone);
    this.#announcer.goodbye(gone);
  }

  holds(name: string): boolean {
    return this.#own.held(name);
  }

  browse(name: string, now: number): void {
    this.#browser.browse(name, now);
  }

  stopBrowsing(name: string, now: number): void {
    this.#browser.stop(name, now);
  }

  /** One record, until it is answered. `soon`: without the random wait. */
  ask(name: string, type: number, now: number, soon: boolean): void {
    this.#asks.start(name, type, now, soon);
  }

  stopAsking(name: string, type: number): void {
    this.#asks.stop(name, type);
  }

  reconfirm(name: string, now: number): void {
    this.#browser.reconfirm(name, now);
  }

  lastHeard(name: string): number | undefined {
    return this.#browser.lastHeard(name);
  }

  /** RFC 6762 §8: the link is another, or was away: everything is claimed and asked again. */
  restart(now: number): void {
    for (const claim of this.#own.claims.values()) {
      this.#prober.stop(claim);
      this.#responder.forget([...claim.unique, ...claim.shared]);
      this.#announcer.forget([...claim.unique, ...claim.shared]);
      this.#own.doubt(claim, now);
      this.#prober.start(claim, now);
    }
    this.#browser.restart(now);
  }

  /** The link is gone: nothing that was learned there is true any more. */
  clear(now: number): void {
    this.#browser.clear(now);
  }

  #isAsked({ response, questions }: Message): boolean {
    return !response && questions.some(({ name, type }) => this.#own.find(nameKey(name), type).length > 0);
  }

  /** RFC 6762 §8.3: says once more what has not been said just now. */
  #sayAgain(now: number): void {
    for (const { announced, shared, unique } of this.#own.claims.values()) {
      if (announced) this.#announcer.announce([...shared, ...unique].filter(({ sent }) => now - sent > LATELY), now, 1);
    }
  }

  #announceHeld(now: number): void {
    const ready: Claim[] = [];
    for (const claim of this.#own.claims.values()) {
      if (claim.announced || claim.state !== 'held') continue;
      const { needs } = claim.wanted;
      if (needs === undefined || this.#own.held(needs)) ready.push(claim);
    }
    for (const claim of ready) {
      claim.announced = true;
      this.#announcer.announce([...claim.shared, ...claim.unique], now, ANNOUNCEMENTS);
    }
  }
}
