import { decodeMessage } from '../../src/mdns/decode.ts';
import { encodeMessage } from '../../src/mdns/encode.ts';
import { makeMessage, TYPE, type DnsRecord } from '../../src/mdns/message.ts';
import type { Channel } from '../../src/mdns/network.ts';
import type { SimulatedLan } from '../support/simulated-network.ts';
import { peer } from '../conformance/rfc-6762/one-link.ts';

/** Many peers of one simulated link at little cost: they announce themselves once, then answer what they are asked. */
export class Crowd {
  readonly names: readonly string[];
  readonly #alive = new Map<string, DnsRecord[]>();
  #channel: Channel | undefined;

  constructor(size: number) {
    this.names = Array.from({ length: size }, (_, n) => `p${n}@c${n}`);
    for (const [n, name] of this.names.entries()) this.#alive.set(name, peer(`p${n}`, `c${n}`, `10.77.${100 + (n >> 8)}.${n & 255}`));
  }

  async join(lan: SimulatedLan): Promise<void> {
    this.#channel = await lan.host('crowd', 'lan', [4]).network().open('eth0', 4, (bytes) => this.#hear(bytes));
    for (const records of this.#alive.values()) this.#say(records);
  }

  /** Without a word. */
  dies(name: string): void {
    this.#alive.delete(name);
  }

  #hear(bytes: Uint8Array): void {
    const message = decodeMessage(bytes);
    if (message.response) return;
    const asked = new Set(message.questions.filter(({ type }) => type !== TYPE.PTR).map(({ name }) => name));
    for (const records of asked.size > 0 ? this.#alive.values() : []) if (records.some((record) => asked.has(record.name))) this.#say(records.slice(1));
  }

  #say(answers: readonly DnsRecord[]): void {
    this.#channel?.send(encodeMessage(makeMessage({ response: true, answers: [...answers] })));
  }
}
