import { LanpostError } from '../errors.ts';
import type { Address } from './address.ts';
import type { Devices } from './devices.ts';
import type { Letter } from './letter.ts';
import type { Handed, Road } from './road.ts';

/** The next road: letters from this box, and from devices of it, to a device of it. */
export class DeviceRoad implements Road {
  readonly #devices: Pick<Devices, 'has' | 'receive'>;
  readonly #ownName: () => string;

  constructor(parts: { readonly devices: Pick<Devices, 'has' | 'receive'>; readonly ownName: () => string }) {
    this.#devices = parts.devices;
    this.#ownName = parts.ownName;
  }

  reaches(address: Address): boolean {
    return address.kind === 'device' && address.at === undefined && this.#devices.has(address.name);
  }

  /** What there is not yet is not waited for. */
  holds(): boolean {
    return false;
  }

  check(address: Address): void {
    if (address.kind === 'device' && address.at === undefined) throw new LanpostError('not-found', `this box has no device ${address.name}: see \`lanpost device list\``);
  }

  async deliver(address: Address, { id, body, subject, thread, device, recordId }: Letter): Promise<Handed> {
    const to = address.kind === 'device' ? address.name : '';
    await this.#devices.receive(to, {
      id, body,
      from: device === undefined ? `link:${this.#ownName()}` : `device:${device}`,
      to: `device:${to}`,
      trust: 'paired',
      // A crash between the two logs, its outbox and what the device reads, sends it once more.
      repeat: recordId,
      ...(subject === undefined ? {} : { subject }),
      ...(thread === undefined ? {} : { thread }),
    });
    return { delivered: Promise.resolve() };
  }
}
