import { addressToBytes, fourNumber, isHostAddress, isHostNumber, isLinkLocal, isLinkLocalNumber } from './address.ts';
import { isNumberOnLink, onLink, type Subnet } from './interfaces.ts';
import { nameKey } from './name.ts';
import type { Resolved } from './output.ts';
import { decodeText } from './text.ts';

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
  /** The data of its TXT record, a character for each byte; `decodeText` reads it. */
  readonly text: string;
  /** Those that are on the link where they were learned; IPv4 first. */
  readonly addresses: readonly FoundAddress[];
}

export interface BrowseEvent { readonly type: 'up' | 'changed' | 'down'; readonly service: Found }

/** The interface where something was learned. */
export interface Whereabouts { readonly interface: { readonly name: string }; readonly subnets: readonly Subnet[] }

interface Sight { readonly place: string; readonly resolved: Resolved; readonly at: Whereabouts }

interface Listing {
  /** One for each place; the newest last. */
  seen: readonly Sight[];
  shown: { readonly found: Found; readonly types: readonly string[] } | undefined;
}

export interface DirectoryParts {
  /** Our own instances are nobody's peers. */
  readonly own: { owns(key: string): boolean };
  readonly listeners: { emit(type: string, event: BrowseEvent): void };
}

/** One entry per instance, however many links tell of it (XEP-0174 §4). */
export class Directory {
  readonly #parts: DirectoryParts;
  readonly #listings = new Map<string, Listing>();

  constructor(parts: DirectoryParts) {
    this.#parts = parts;
  }

  found(place: string, at: Whereabouts, resolved: Resolved): void {
    const sight = { place, resolved, at };
    const listing = this.#listings.get(resolved.key);
    if (!listing) return this.#first(sight);
    listing.seen = [...elsewhere(listing, place), sight];
    this.#show(resolved.key, listing);
  }

  /** Nothing was known of it. As `#show`, in one piece: a newcomer is told of when this is done. */
  #first(sight: Sight): void {
    const { resolved, at } = sight;
    const listing: Listing = { seen: [sight], shown: undefined };
    this.#listings.set(resolved.key, listing);
    if (this.#parts.own.owns(resolved.key)) return;
    const addresses = usableOf(resolved, at, []);
    if (addresses.length === 0) return;
    const found = foundOf(resolved, addresses);
    listing.shown = { found, types: resolved.types };
    for (let index = 0; index < resolved.types.length; index++) this.#parts.listeners.emit(resolved.types[index] ?? '', { type: 'up', service: found });
  }

  lost(place: string, name: string): void {
    const key = nameKey(name);
    const listing = this.#listings.get(key);
    if (!listing?.seen.some((sight) => sight.place === place)) return;
    listing.seen = elsewhere(listing, place);
    this.#show(key, listing);
    if (listing.seen.length === 0) this.#listings.delete(key);
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
    for (const listing of this.#listings.values()) if (listing.shown?.types.includes(type)) shown.push(listing.shown.found);
    return shown;
  }

  #show(key: string, listing: Listing): void {
    const before = listing.shown;
    const merged = this.#parts.own.owns(key) ? undefined : merge(listing);
    // Listeners know it as it was first written: names that differ in case are one name in DNS, and two for them.
    const found = merged && before && merged.instance !== before.found.instance ? { ...merged, instance: before.found.instance } : merged;
    if (!found) {
      listing.shown = undefined;
      if (before) this.#tell(before.types, { type: 'down', service: before.found });
      return;
    }
    const types = typesOf(listing);
    listing.shown = { found, types };
    if (!before) return this.#tell(types, { type: 'up', service: found });
    const stayed = types.filter((type) => before.types.includes(type));
    this.#tell(before.types.filter((type) => !types.includes(type)), { type: 'down', service: found });
    this.#tell(types.filter((type) => !before.types.includes(type)), { type: 'up', service: found });
    if (!same(before.found, found)) this.#tell(stayed, { type: 'changed', service: found });
  }

  #tell(types: readonly string[], event: BrowseEvent): void {
    for (let index = 0; index < types.length; index++) this.#parts.listeners.emit(types[index] ?? '', event);
  }
}

/** Keys of the browsed names that lead to it. */
function typesOf({ seen }: Listing): readonly string[] {
  return [...new Set(seen.flatMap(({ resolved }) => resolved.types))];
}

/** Found the same again tells nobody anything. */
function same(a: Found, b: Found): boolean {
  if (a.host !== b.host || a.port !== b.port || a.addresses.length !== b.addresses.length) return false;
  if (a.text !== b.text && !sameText(a.text, b.text)) return false;
  return a.addresses.every((one, index) => one.address === b.addresses[index]?.address && one.interface === b.addresses[index].interface);
}

/** In whatever order and with whatever else that says nothing. */
function sameText(one: string, other: string): boolean {
  const [a, b] = [decodeText(one), decodeText(other)];
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}

const elsewhere = ({ seen }: Listing, place: string): Sight[] => seen.filter((sight) => sight.place !== place);

function merge({ seen }: Listing): Found | undefined {
  const addresses: FoundAddress[] = [];
  let newest: Resolved | undefined;
  for (const { resolved, at } of seen) {
    newest = resolved;
    usableOf(resolved, at, addresses);
  }
  return newest && addresses.length > 0 ? foundOf(newest, addresses) : undefined;
}

function foundOf({ label, host, port, text }: Resolved, addresses: FoundAddress[]): Found {
  if (addresses.length > 1) addresses.sort((a, b) => a.family - b.family || (a.address < b.address ? -1 : 1));
  return { instance: label, host, port, text, addresses };
}

/** Puts its addresses to those; of the same address the newest. */
function usableOf(resolved: Resolved, at: Whereabouts, addresses: FoundAddress[]): FoundAddress[] {
  for (let index = 0; index < resolved.addresses.length; index++) {
    const usable = connectable(resolved.addresses[index] ?? '', at);
    if (!usable) continue;
    let place = 0;
    while (place < addresses.length && addresses[place]?.address !== usable.address) place++;
    addresses[place] = usable;
  }
  return addresses;
}

/** Nobody on the link makes us connect elsewhere: only to addresses of that link. */
function connectable(address: string, { interface: { name }, subnets }: Whereabouts): FoundAddress | undefined {
  const four = fourNumber(address);
  if (four < 0) return connectableSix(address, name, subnets);
  const usable = isHostNumber(four) && (isNumberOnLink(four, subnets) || isLinkLocalNumber(four));
  return usable ? { address, family: 4, interface: name } : undefined;
}

function connectableSix(address: string, name: string, subnets: readonly Subnet[]): FoundAddress | undefined {
  const bytes = addressToBytes(address);
  if (!bytes || !isHostAddress(bytes)) return undefined;
  const local = isLinkLocal(bytes);
  if (!local && !onLink(bytes, subnets)) return undefined;
  return { address: local ? `${address}%${name}` : address, family: 6, interface: name };
}
