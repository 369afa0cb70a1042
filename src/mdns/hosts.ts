import type { Instance } from './resolver.ts';

/** Which instances are at which host, by its key. */
export class Hosts {
  readonly #there = new Map<string, Set<Instance>>();

  has(host: string): boolean {
    return this.#there.has(host);
  }

  at(host: string): Iterable<Instance> {
    return this.#there.get(host) ?? [];
  }

  /** Puts the instance at that host, or at none; gives the host that no instance is at any more. */
  move(instance: Instance, host: string | undefined): string | undefined {
    const before = instance.host;
    if (host === before) return undefined;
    delete instance.host;
    if (host !== undefined) {
      instance.host = host;
      this.#there.set(host, (this.#there.get(host) ?? new Set<Instance>()).add(instance));
    }
    if (before === undefined) return undefined;
    const left = this.#there.get(before);
    left?.delete(instance);
    if (left?.size !== 0) return undefined;
    this.#there.delete(before);
    return before;
  }
}
