import type { Address } from './address.ts';
import type { Incoming } from './inbox.ts';
import type { Letter } from './letter.ts';
import type { Handed, Road } from './road.ts';

/** The shortest road: letters to this box itself. */
export class SelfRoad implements Road {
  readonly #ownName: () => string;
  readonly #receive: (incoming: Incoming) => Promise<void>;

  constructor(parts: { readonly ownName: () => string; readonly receive: (incoming: Incoming) => Promise<void> }) {
    this.#ownName = parts.ownName;
    this.#receive = parts.receive;
  }

  reaches(address: Address): boolean {
    return address.kind === 'link' && address.name === this.#ownName();
  }

  /** Its own name is its own only while it has it. */
  holds(): boolean {
    return false;
  }

  async deliver(_address: Address, { id, body, subject, thread, device }: Letter): Promise<Handed> {
    const to = `link:${this.#ownName()}`;
    await this.#receive({
      id, body, to,
      from: device === undefined ? to : `device:${device}`,
      trust: 'paired',
      ...(subject === undefined ? {} : { subject }),
      ...(thread === undefined ? {} : { thread }),
    });
    return { delivered: Promise.resolve() };
  }
}
