import { hostLabel, instanceLabel } from './host-label.ts';
import type { Link } from './link.ts';
import { checkName, nameKey } from './name.ts';
import type { InterfaceInfo } from './network.ts';
import { checkedRecords, checkSubtypes, hostName, hostRecords, instanceKey, instanceName, instanceRecords, nameOf, type InstanceRecord, type Machine, type Offer, type Service } from './offer.ts';
import type { OfferState } from './state.ts';
import { encodeText } from './text.ts';

/** RFC 6762 §8.1: after 15 conflicts within 10 s, at least 5 s between attempts. */
const MANY_CONFLICTS = 15;
const CONFLICT_TIME = 10_000;
const CONFLICT_WAIT = 5000;
/** For as long without a conflict it is not over: a stranger may claim every name we turn to. */
const STORM_TIME = 60_000;
/** Conflicts of machine and user about one other box may come in two packets. */
const SAME_CONFLICT = 1500;

/** One link and the interface it is on. */
export interface Place { readonly id: string; readonly link: Link; readonly interface: InterfaceInfo }

/** What is said anew of an instance; what is left out stays. */
export interface Changes {
  readonly txt?: readonly (readonly [string, string])[];
  readonly records?: readonly InstanceRecord[];
}

export interface OffersParts {
  readonly places: () => Iterable<Place>;
  readonly host: string;
  /** A label no other box has, for use beside another responder. */
  readonly alias: string;
  readonly held: (offer: Offer) => void;
  /** Names are tried; which of them are ours is to be looked at again. */
  readonly changed: () => void;
  /** A name other than the one last told is held. */
  readonly renamed: (offer: Offer) => void;
}

/** Every service of this box, its names, and what becomes of them in conflicts (XEP-0174 §3, RFC 6762 §9). */
export class Offers {
  readonly #parts: OffersParts;
  readonly #machines = new Map<string, Machine>();
  readonly #offers = new Map<string, Offer>();
  #conflicts: number[] = [];
  #stormUntil = -Infinity;

  constructor(parts: OffersParts) {
    this.#parts = parts;
  }

  publish(service: Service, now: number): Offer {
    checkSubtypes(service.subtypes ?? []);
    checkName(`${service.type}.local`);
    const base = hostLabel(service.host ?? this.#parts.host);
    const machine = this.#machines.get(nameKey(base))
      ?? { base, number: service.numbers?.host ?? 0, alias: this.#parts.alias, offers: new Set<Offer>() };
    const offer: Offer = { service, machine, number: service.numbers?.user ?? 0, text: encodeText(service.txt), records: checkedRecords(service.records ?? []), held: new Set(), told: '' };
    while (this.#offers.has(instanceKey(offer))) offer.number++;
    offer.told = instanceKey(offer);
    this.#machines.set(nameKey(base), machine);
    machine.offers.add(offer);
    this.#offers.set(instanceKey(offer), offer);
    for (const place of this.#parts.places()) this.#claim(offer, place, now, 0);
    return offer;
  }

  update(offer: Offer, { txt, records }: Changes, now: number): void {
    const text = txt && encodeText(txt);
    const checked = records && checkedRecords(records);
    if (text) offer.text = text;
    if (checked) offer.records = checked;
    if (!offer.machine.offers.has(offer)) return;
    for (const place of this.#parts.places()) place.link.claim(instanceRecords(offer), now);
  }

  stop(offer: Offer): void {
    const { machine } = offer;
    if (!machine.offers.delete(offer)) return;
    this.#offers.delete(instanceKey(offer));
    const last = machine.offers.size === 0;
    if (last) this.#machines.delete(nameKey(machine.base));
    for (const { link } of this.#parts.places()) {
      link.release(instanceName(offer), true);
      if (last) link.release(hostName(machine), true);
    }
  }

  states(): OfferState[] {
    return [...this.#offers.values()].map((offer) => {
      const { machine, service, held } = offer;
      const { instance, host } = nameOf(offer);
      return { instance, wanted: instanceLabel(service.user, 0, machine.base), host, besideAnother: machine.aliased !== undefined, held: [...held] };
    });
  }

  /** A link was joined, or its interface has other addresses. */
  joined(place: Place, now: number): void {
    for (const offer of this.#offers.values()) this.#claim(offer, place, now, 0);
  }

  left(id: string): void {
    for (const offer of this.#offers.values()) offer.held.delete(id);
  }

  /** Whether an instance, by its key, is one of ours. */
  owns(key: string): boolean {
    return this.#offers.has(key);
  }

  heldAt(place: Place, name: string): void {
    const key = nameKey(name);
    const offer = this.#offers.get(key);
    if (offer) this.#check(offer, place);
    for (const machine of this.#machines.values()) {
      if (nameKey(hostName(machine)) === key) for (const one of machine.offers) this.#check(one, place);
    }
  }

  /** RFC 6762 §9: others hold these names; ours change, on every link. */
  conflict(names: readonly string[], now: number): void {
    const keys = new Set(names.map(nameKey));
    this.#conflicts = [...this.#conflicts.filter((at) => now - at < CONFLICT_TIME), now];
    if (this.#conflicts.length >= MANY_CONFLICTS || now < this.#stormUntil) this.#stormUntil = now + STORM_TIME;
    const wait = now < this.#stormUntil ? CONFLICT_WAIT : 0;
    for (const machine of this.#machines.values()) {
      if (keys.has(nameKey(hostName(machine)))) this.#renameMachine(machine, now, wait);
      else {
        for (const offer of machine.offers) if (keys.has(instanceKey(offer))) this.#renameUser(offer, now, wait);
      }
    }
  }

  /** Beside avahi: its host name stays wholly its own, we take a label of ours for the address. */
  answeredHere(name: string, now: number): void {
    for (const machine of this.#machines.values()) {
      if (machine.aliased !== undefined || nameKey(hostName(machine)) !== nameKey(name)) continue;
      this.#rename(machine.offers, [hostName(machine)], now, 0, () => {
        machine.aliased = 0;
      });
    }
  }

  #renameMachine(machine: Machine, now: number, wait: number): void {
    const { offers } = machine;
    if (machine.aliased !== undefined) {
      this.#rename(offers, [hostName(machine)], now, wait, () => {
        machine.aliased = (machine.aliased ?? 0) + 1;
      });
      return;
    }
    this.#rename(offers, [hostName(machine), ...[...offers].map(instanceName)], now, wait, () => {
      machine.number++;
      for (const offer of offers) {
        // The machine's name was the matter after all: the user's part keeps its own.
        if (offer.renamed && now - offer.renamed.at < SAME_CONFLICT) offer.number = offer.renamed.from;
      }
    });
  }

  #renameUser(offer: Offer, now: number, wait: number): void {
    this.#rename([offer], [instanceName(offer)], now, wait, () => {
      offer.renamed = { at: now, from: offer.number };
      do offer.number++;
      while (this.#offers.has(instanceKey(offer)));
    });
  }

  /** The old names are another's now: no goodbye for them. */
  #rename(offers: Iterable<Offer>, old: readonly string[], now: number, wait: number, change: () => void): void {
    const before = new Map([...offers].map((offer) => [offer, instanceKey(offer)]));
    for (const { link } of this.#parts.places()) for (const name of old) link.release(name, false);
    for (const key of before.values()) this.#offers.delete(key);
    change();
    for (const offer of before.keys()) this.#offers.set(instanceKey(offer), offer);
    for (const offer of before.keys()) {
      offer.held.clear();
      for (const place of this.#parts.places()) this.#claim(offer, place, now, wait);
    }
    this.#parts.changed();
  }

  #check(offer: Offer, { id, link }: Place): void {
    if (offer.held.has(id) || !link.holds(instanceName(offer)) || !link.holds(hostName(offer.machine))) return;
    offer.held.add(id);
    this.#parts.held(offer);
    // Not before: open streams are ended for a new name, and whoever contests every name would have that for nothing.
    const key = instanceKey(offer);
    if (key === offer.told) return;
    offer.told = key;
    this.#parts.renamed(offer);
  }

  #claim(offer: Offer, place: Place, now: number, wait: number): void {
    place.link.claim(hostRecords(offer.machine, place.interface), now, wait);
    place.link.claim(instanceRecords(offer), now, wait);
  }
}
