// What is remembered of a node that is followed: that it is, what it held when that began and was not wanted, and which of its items
// came last: the topic here may hold none of them any more.
import { createHash } from 'node:crypto';
import type { Registry } from '../../log/registry.ts';
import type { HomeItem } from './item.ts';

/** The newest items of a node that count as old, when only what is new is wanted. */
export const REMEMBERED = 64;

/** Ids with hashes of their payloads, oldest first. */
export type Before = readonly (readonly [id: string, hash: string, isRecord?: boolean])[];

/** The last items that came of a node: so many that are records, and so many that are not. */
const LAST = 3;

const prefix = (jid: string): string => `down/${jid} `;
const lastPrefix = (jid: string): string => `down-last/${jid} `;

export class Beginnings {
  readonly #registry: Registry;
  readonly #jid: string;

  constructor(registry: Registry, jid: string) {
    this.#registry = registry;
    this.#jid = jid;
  }

  /** Undefined: it has not begun. */
  of(service: string, node: string): Before | undefined {
    const row = this.#registry.get(this.#key(service, node));
    return Array.isArray(row) ? row as Before : undefined;
  }

  async began(service: string, node: string, before: Before = []): Promise<void> {
    await this.#registry.set(this.#key(service, node), before);
  }

  async ended(service: string, node: string): Promise<void> {
    if (this.of(service, node)) await this.#registry.setAll([this.#key(service, node), this.#lastKey(service, node)].map((key) => [key, undefined] as const));
  }

  /** Those that came last, as far as the disk knows. */
  last(service: string, node: string): Before {
    const row = this.#registry.get(this.#lastKey(service, node));
    return Array.isArray(row) ? row as Before : [];
  }

  /** These have come, of this box or not, and are kept; nothing that came before them has not. A record's mark says nothing of the node by which it came. */
  async came(service: string, node: string, items: readonly HomeItem[]): Promise<void> {
    const newest = lastOf(items).map((item) => [item.id, hashOf(item), item.origin !== undefined] as const);
    const before = this.last(service, node);
    const all = [...before.filter(([id]) => !newest.some(([other]) => other === id)), ...newest];
    const last = [false, true].flatMap((kind) => all.filter(([, , isRecord = false]) => isRecord === kind).slice(-LAST));
    if (newest.length > 0 && String(last) !== String(before)) await this.#registry.set(this.#lastKey(service, node), last);
  }

  all(): { readonly service: string; readonly node: string }[] {
    return this.#registry.entries(prefix(this.#jid)).map(([key]) => {
      const rest = key.slice(prefix(this.#jid).length);
      const space = rest.indexOf(' ');
      return { service: rest.slice(0, space), node: rest.slice(space + 1) };
    });
  }

  #key(service: string, node: string): string {
    return `${prefix(this.#jid)}${service} ${node}`;
  }

  #lastKey(service: string, node: string): string {
    return `${lastPrefix(this.#jid)}${service} ${node}`;
  }
}

/** The home is forgotten, and with it what it was followed for. */
export async function forgetBeginnings(registry: Registry, jid: string): Promise<void> {
  for (const [key] of [...registry.entries(prefix(jid)), ...registry.entries(lastPrefix(jid))]) await registry.set(key, undefined);
}

/** Those of them that are remembered. */
export function lastOf(items: readonly HomeItem[]): HomeItem[] {
  return [...items.filter(({ origin }) => !origin).slice(-LAST), ...items.filter(({ origin }) => origin).slice(-LAST)];
}

export function hashOf({ payload, origin }: HomeItem): string {
  const hash = createHash('sha256').update(`${origin?.box ?? ''} ${origin?.epoch ?? ''} ${origin?.seq ?? ''} ${payload?.contentType ?? ''}\n`);
  return hash.update(payload?.bytes ?? '').digest('hex').slice(0, 16);
}

/** Those of a node's items that came after it began, or were changed since. */
export function since(before: Before, items: readonly HomeItem[]): HomeItem[] {
  const old = new Map(before.map(([id, hash]) => [id, hash] as const));
  const cut = items.findLastIndex(({ id }) => old.has(id));
  return items.filter((item, i) => i > cut || (old.has(item.id) && old.get(item.id) !== hashOf(item)));
}
