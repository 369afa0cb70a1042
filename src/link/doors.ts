import type { Socket } from 'node:net';
import type { Trouble } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { USUAL_PORT } from './peer-target.ts';
import type { OwnAddress } from './source-address.ts';
import type { Door, Tcp } from './tcp.ts';

export interface DoorsInit {
  readonly tcp: Tcp;
  readonly interfaces: () => readonly { readonly name: string; readonly addresses: readonly OwnAddress[] }[];
  /** The port asked for; undefined: the usual one, or a free one. 0: a free one. */
  readonly port: number | undefined;
  readonly accept: (socket: Socket) => void;
  readonly trouble: (trouble: Trouble) => void;
}

const FREE_PORT_TRIES = 8;

/** Listens on the addresses of the link, and on no other: one port, as one SRV record says it. */
export class Doors {
  readonly #init: DoorsInit;
  readonly #doors = new Map<string, Door>();
  readonly #failing = new Set<string>();
  #port: number | undefined;
  #closed = false;
  #adapting: Promise<void> | undefined;

  constructor(init: DoorsInit) {
    this.#init = init;
  }

  /** Known once one address is listened on. */
  get port(): number | undefined {
    return this.#port;
  }

  /** Opens and closes doors until there is one on every address. Rejects when a port asked for is taken. */
  adapt(): Promise<void> {
    this.#adapting ??= this.#adapt().finally(() => { this.#adapting = undefined; });
    return this.#adapting;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#adapting?.catch(() => undefined); // told to whoever asked for it
    const doors = [...this.#doors.values()];
    this.#doors.clear();
    // Streams that are still open keep their door in use; nobody waits for that.
    for (const door of doors) void door.close();
  }

  async #adapt(): Promise<void> {
    const wanted = new Set(this.#init.interfaces().flatMap(({ name, addresses }) => addresses.map(({ address }) => scoped(address, name))));
    for (const [address, door] of this.#doors) {
      if (wanted.has(address)) continue;
      this.#doors.delete(address);
      void door.close();
    }
    if (wanted.size === 0 || this.#closed) return;
    if (this.#port === undefined) await this.#settle([...wanted]);
    else await this.#open([...wanted].filter(address => !this.#doors.has(address)), this.#port);
  }

  /** Finds a port that is free on all addresses. */
  async #settle(addresses: readonly string[]): Promise<void> {
    const { port: asked } = this.#init;
    let taken: unknown;
    for (let round = 0; round < FREE_PORT_TRIES; round += 1) {
      const port = round === 0 ? asked ?? USUAL_PORT : 0;
      try {
        this.#port = await this.#all(addresses, port);
        return;
      } catch (error) {
        taken = error;
        if (!(error instanceof LanpostError && error.code === 'in-use') || (asked !== undefined && asked !== 0)) throw error;
      }
    }
    throw taken;
  }

  async #all(addresses: readonly string[], port: number): Promise<number | undefined> {
    const opened: Door[] = [];
    let use = port;
    try {
      for (const address of addresses) {
        const door = await this.#listen(address, use);
        if (!door) continue;
        opened.push(door);
        use = door.port;
      }
    } catch (error) {
      await Promise.all(opened.map(door => door.close()));
      throw error;
    }
    for (const door of opened) this.#doors.set(door.address, door);
    return opened.length > 0 ? use : undefined;
  }

  async #open(addresses: readonly string[], port: number): Promise<void> {
    for (const address of addresses) {
      const door = await this.#listen(address, port).catch((error: unknown) => this.#failed(address, error));
      if (door && this.#closed) await door.close();
      else if (door) this.#doors.set(address, door);
    }
  }

  /** Nothing: the address cannot be used yet. That the port is taken is the caller's to solve. */
  async #listen(address: string, port: number): Promise<Door | undefined> {
    try {
      const door = await this.#init.tcp.listen(address, port, this.#init.accept);
      this.#failing.delete(address);
      return door;
    } catch (error) {
      if (error instanceof LanpostError && error.code === 'in-use') throw error;
      return this.#failed(address, error);
    }
  }

  /** A new address needs a moment before it can be used (duplicate address detection): tried again, told once. */
  #failed(address: string, error: unknown): undefined {
    if (!this.#failing.has(address)) this.#init.trouble({ kind: 'link.listen', message: error instanceof Error ? error.message : String(error) });
    this.#failing.add(address);
  }
}

/** Link-local IPv6 addresses mean something on one interface only. */
function scoped(address: string, name: string): string {
  return /^fe[89ab]/i.test(address) && !address.includes('%') ? `${address}%${name}` : address;
}
