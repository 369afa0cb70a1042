import { decodeMessage } from '../../../src/mdns/decode.ts';
import { Link } from '../../../src/mdns/link.ts';
import { makeMessage, TYPE, type DnsRecord, type Message, type Question } from '../../../src/mdns/message.ts';
import type { Source } from '../../../src/mdns/network.ts';
import type { Output } from '../../../src/mdns/output.ts';
import { HOST_TTL, OTHER_TTL, type Wanted } from '../../../src/mdns/own-records.ts';
import { encodeText } from '../../../src/mdns/text.ts';

export const SERVICE = '_presence._tcp.local';
export const HOST = 'h1.local';
export const INSTANCE = `a@h1.${SERVICE}`;
export const OTHER: Source = { address: '10.0.0.2', port: 5353 };

export const rr = {
  a: (name: string, address: string, more: Partial<DnsRecord> = {}): DnsRecord => (
    { name, type: address.includes(':') ? TYPE.AAAA : TYPE.A, class: 1, flush: true, ttl: HOST_TTL, data: { kind: 'address', address }, ...more }
  ),
  ptr: (name: string, target: string, more: Partial<DnsRecord> = {}): DnsRecord => (
    { name, type: TYPE.PTR, class: 1, flush: false, ttl: OTHER_TTL, data: { kind: 'name', target }, ...more }
  ),
  srv: (name: string, target: string, port = 5298, more: Partial<DnsRecord> = {}): DnsRecord => (
    { name, type: TYPE.SRV, class: 1, flush: true, ttl: HOST_TTL, data: { kind: 'service', priority: 0, weight: 0, port, target }, ...more }
  ),
  txt: (name: string, pairs: [string, string][] = [['status', 'avail']], more: Partial<DnsRecord> = {}): DnsRecord => (
    { name, type: TYPE.TXT, class: 1, flush: true, ttl: OTHER_TTL, data: { kind: 'bytes', bytes: new Uint8Array(encodeText(pairs)) }, ...more }
  ),
  null: (name: string, bytes: Uint8Array, more: Partial<DnsRecord> = {}): DnsRecord => (
    { name, type: TYPE.NULL, class: 1, flush: true, ttl: HOST_TTL, data: { kind: 'bytes', bytes: Uint8Array.from(bytes) }, ...more }
  ),
};

/** All the records of a peer `name@host`. */
export function peer(name: string, host: string, address = '10.0.0.2'): DnsRecord[] {
  const instance = `${name}@${host}.${SERVICE}`;
  return [rr.ptr(SERVICE, instance), rr.srv(instance, `${host}.local`), rr.txt(instance), rr.a(`${host}.local`, address)];
}

export interface Sent { readonly message: Message; readonly to: Source | undefined; readonly at: number; readonly length: number }

/** The engine of one link under a hand-moved clock: what it hears is given to it, what it sends is kept. */
export class OneLink {
  readonly link: Link;
  readonly sent: Sent[] = [];
  readonly outputs: Output[] = [];
  now = 0;
  random = 0.5;

  constructor(own: readonly string[] = ['10.0.0.1']) {
    const addresses = new Set(own);
    this.link = new Link({ now: 0, random: () => this.random, ownAddresses: () => addresses, limit: 4096 });
  }

  /** `a@h1`, held and announced. */
  static held(): OneLink {
    const one = new OneLink();
    one.claim();
    one.hear({ response: true });
    one.advance(19_000);
    // Not the first packet after a long silence, which would mean something of its own.
    one.hear({ response: true });
    one.advance(1000);
    one.forgetSent();
    return one;
  }

  claim(): void {
    this.link.claim(this.host(), this.now);
    this.link.claim(this.service(), this.now);
    this.#take();
  }

  host(address = '10.0.0.1'): Wanted {
    return { name: HOST, unique: [rr.a(HOST, address)], shared: [], goodbye: true };
  }

  service(pairs: [string, string][] = [['status', 'avail']]): Wanted {
    return {
      name: INSTANCE, needs: HOST, goodbye: true,
      unique: [rr.srv(INSTANCE, HOST), rr.txt(INSTANCE, pairs)],
      shared: [rr.ptr(SERVICE, INSTANCE), rr.ptr('_services._dns-sd._udp.local', SERVICE)],
    };
  }

  advance(ms: number): void {
    const until = this.now + ms;
    for (let next = this.link.next(); next <= until; next = this.link.next()) {
      this.now = Math.max(this.now, next);
      this.link.tick(this.now);
      this.#take();
    }
    this.now = until;
  }

  do(what: (link: Link, now: number) => void): void {
    what(this.link, this.now);
    this.#take();
  }

  hear(parts: Partial<Message>, from: Source = OTHER): void {
    this.link.receive(makeMessage(parts), from, this.now);
    this.#take();
  }

  ask(name: string, type: number, parts: Partial<Message> & { unicast?: boolean } = {}, from: Source = OTHER): void {
    const { unicast = false, ...rest } = parts;
    this.hear({ questions: [{ name, type, class: 1, unicast }], ...rest }, from);
  }

  answer(records: readonly DnsRecord[], from: Source = OTHER): void {
    this.hear({ response: true, answers: records }, from);
  }

  forgetSent(): void {
    this.sent.length = 0;
    this.outputs.length = 0;
  }

  get queries(): Sent[] {
    return this.sent.filter(({ message }) => !message.response);
  }

  get responses(): Sent[] {
    return this.sent.filter(({ message }) => message.response);
  }

  get probes(): Sent[] {
    return this.queries.filter(({ message }) => message.authorities.length > 0);
  }

  /** Every question asked, with its time. */
  get asked(): (Question & { at: number })[] {
    return this.queries.filter(({ message }) => message.authorities.length === 0)
      .flatMap(({ message, at }) => message.questions.map((question) => ({ ...question, at })));
  }

  of<T extends Output['type']>(type: T): Extract<Output, { type: T }>[] {
    return this.outputs.filter((output): output is Extract<Output, { type: T }> => output.type === type);
  }

  #take(): void {
    for (const output of this.link.take()) {
      if (output.type === 'send') this.sent.push({ message: decodeMessage(output.bytes), to: output.to, at: this.now, length: output.bytes.length });
      else this.outputs.push(output);
    }
  }
}
