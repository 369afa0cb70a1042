// Mail from addresses that devices have of their own. It waits for the component's connection as any mail for its road, and is
// handed when the server has read it; of what became of it then nobody says anything.
import { LanpostError } from '../../errors.ts';
import type { Address } from '../../mail/address.ts';
import type { Letter } from '../../mail/letter.ts';
import type { Handed, Road } from '../../mail/road.ts';
import { parseJid } from '../../xmpp/jid.ts';
import type { Component } from './component.ts';

export class ComponentRoad implements Road {
  readonly #components: ReadonlyMap<string, Component>;

  /** By domain. */
  constructor(components: ReadonlyMap<string, Component>) {
    this.#components = components;
  }

  reaches(address: Address): boolean {
    return this.#componentOf(address)?.online === true;
  }

  holds(address: Address): boolean {
    return this.#componentOf(address) !== undefined;
  }

  async deliver(address: Address, letter: Letter): Promise<Handed> {
    const component = this.#componentOf(address);
    if (address.kind !== 'as' || !component) throw new LanpostError('unreachable', `No component has the address that ${letter.to} is written to from.`);
    const read = component.deliver(address.from, address.jid, letter);
    return { handed: read, taken: read };
  }

  /** While the device has that address. */
  #componentOf(address: Address): Component | undefined {
    const from = address.kind === 'as' ? parseJid(address.from) : undefined;
    const component = from && this.#components.get(from.domain);
    return from?.local !== undefined && component?.account.devices.includes(from.local) === true ? component : undefined;
  }
}
