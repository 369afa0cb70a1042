import { addressToBytes, isHostAddress, isLinkLocal } from './address.ts';
import { onLink, type Subnet } from './interfaces.ts';
import { firstLabel, nameKey } from './name.ts';
import type { Resolved } from './output.ts';
import { decodeText, type TextValue } from './text.ts';

export interface FoundAddress {
  /** Ready to connect to: an IPv6 link-local address carries its zone. */
  readonly address: string;
  readonly family: 4 | 6;
  readonly interface: string;
}

/** An instance as all links together know it. */
export interface Found {
  /** The opaque label, unescaped. */
  readonly instance: string;
  readonly host: string;
  readonly port: number;
  readonly txt: ReadonlyMap<string, TextValue>;
  /** Those that are on the link where they were learned; IPv4 first. */
  readonly addresses: readonly FoundAddress[];
}

export interface BrowseEvent { readonly type: 'up' | 'changed' | 'down'; readonly service: Found }

/** The interface where something was learned. */
export interface Whereabouts { readonly interface: { readonly name: string }; readonly subnets: readonly Subnet[] }

interface Sight { readonly resolved: Resolved; readonly at: Whereabouts }

interface Listing {
  /** Newest last. */
  readonly seen: Map<string, Sight>;
  shown?: { readonly found: Found; readonly types: ReadonlySet<string> };
}

export interface DirectoryParts {
  /** Our own instances are nobody's peers. */
  readonly isOwn: (key: string) => boolean;
  readonly emit: (type: string, event: BrowseEvent) => void;
}

/** One entry per instance, however many links tell of it (XEP-0174 §4). */
export class Directory {
  readonly #parts: DirectoryParts;
  readonly #listings = new Map<string, Listing>();

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
  }

  found(place: string, at: Whereabouts, resolved: Resolved): void {
    const key = nameKey(resolved.name);
    const listing = this.#listings.get(key) ?? { seen: new Map<string, Sight>() };
    this.#listings.set(key, listing);
    listing.seen.delete(place);
    listing.seen.set(place, { resolved, at });
    this.#show(key, listing);
  }

  lost(place: string, name: string): void {
    const key = nameKey(name);
    const listing = this.#listings.get(key);
    if (!listing?.seen.delete(place)) return;
    this.#show(key, listing);
    if (listing.seen.size === 0) this.#listings.delete(key);
  }

  /** Our own names have changed: some that were hidden are peers now, or the other way round. */
  review(): void {
    for (const [key, listing] of this.#listings) this.#show(key, listing);
  }

  /** What is shown of one instance, by its key. */
  find(key: string): Found | undefined {
    return this.#listings.get(key)?.shown?.found;
  }

  shown(type: string): Found[] {
    const shown: Found[] = [];
    for (const listing of this.#listings.values()) if (listing.shown?.types.has(type)) shown.push(listing.shown.found);
    return shown;
  }

  #show(key: string, listing: Listing): void {
    const found = this.#parts.isOwn(key) ? undefined : merge(listing);
    const before = listing.shown;
    if (!found) {
      delete listing.shown;
      if (before) this.#tell(before.types, { type: 'down', service: before.found });
      return;
    }
    const types = new Set<string>();
    for (const { resolved } of listing.seen.values()) for (const type of resolved.types) types.add(nameKey(type));
    listing.shown = { found, types };
    if (!before) return this.#tell(types, { type: 'up', service: found });
    const stayed = [...types].filter((type) => before.types.has(type));
    this.#tell([...before.types].filter((type) => !types.has(type)), { type: 'down', service: found });
    this.#tell([...types].filter((type) => !before.types.has(type)), { type: 'up', service: found });
    if (!same(before.found, found)) this.#tell(stayed, { type: 'changed', service: found });
  }

  #tell(types: Iterable<string>, event: BrowseEvent): void {
    for (const type of types) this.#parts.emit(type, event);
  }
}

/** Found the same again tells nobody anything. */
function same(a: Found, b: Found): boolean {
  if (a.host !== b.host || a.port !== b.port || a.txt.size !== b.txt.size || a.addresses.length !== b.addresses.length) return false;
  for (const [key, value] of a.txt) if (b.txt.get(key) !== value) return false;
  return a.addresses.every((one, index) => one.address === b.addresses[index]?.address && one.interface === b.addresses[index].interface);
}

function merge({ seen }: Listing): Found | undefined {
  let newest: Resolved | undefined;
  const addresses: FoundAddress[] = [];
  for (const { resolved, at } of seen.values()) {
    newest = resolved;
    for (const address of resolved.addresses) {
      const usable = connectable(address, at);
      if (!usable) continue;
      const known = addresses.findIndex((one) => one.address === usable.address);
      if (known < 0) addresses.push(usable);
      else addresses[known] = usable;
    }
  }
  const label = newest && firstLabel(newest.name).label;
  if (!newest || label === undefined || addresses.length === 0) return undefined;
  if (addresses.length > 1) addresses.sort((a, b) => a.family - b.family || (a.address < b.address ? -1 : 1));
  return { instance: label, host: newest.host, port: newest.port, txt: decodeText(newest.text), addresses };
}

/** Nobody on the link makes us connect elsewhere: only to addresses of that link. */
function connectable(address: string, { interface: { name }, subnets }: Whereabouts): FoundAddress | undefined {
  const bytes = addressToBytes(address);
  if (!bytes || !isHostAddress(bytes)) return undefined;
  const family = bytes.length === 4 ? 4 : 6;
  const local = isLinkLocal(bytes);
  if (!local && !onLink(bytes, subnets)) return undefined;
  return { address: local && family === 6 ? `${address}%${name}` : address, family, interface: name };
}
