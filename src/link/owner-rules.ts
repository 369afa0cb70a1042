// What an owner says of peers: rights, accounts, affiliations, and whether to let them subscribe. Grants belong to keys, or
// hold for a class of peers.
import type { AccountRules, Affiliation, ClassRules, Right, SubscriptionRequest, TopicAffiliation, TrustEntry } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { type Address, keyAddress, OWNER } from '../pubsub/actor.ts';
import { AFFILIATIONS } from '../pubsub/affiliation.ts';
import type { Broker } from '../pubsub/broker.ts';
import type { PeerSubscriptions } from '../pubsub/peer-subscriptions.ts';
import { isAccountName } from '../trust/account-rules.ts';
import type { Claims } from '../trust/claims.ts';
import { isClass } from '../trust/classes.ts';
import type { Trust } from '../trust/trust.ts';
import { bare, isBareJid } from '../xmpp/jid.ts';
import type { Approvals } from './approvals.ts';
import type { Feeds } from './feeds.ts';
import type { FileDoor } from './file-door.ts';
import type { HomeAccounts, JidProofs } from './jid-proofs.ts';
import { linkName } from './link-name.ts';
import type { Notifications } from './notifications.ts';
import type { PersonalEvents } from './personal-events.ts';
import type { RelayDoor } from './relay-door.ts';
import type { ProvenPeer } from './streams-port.ts';

export interface OwnerRulesParts {
  readonly broker: Broker;
  readonly trust: Trust;
  readonly subscriptions: PeerSubscriptions;
  readonly approvals: Approvals;
  /** Whatever goes out to peers is looked at again when a right has changed. */
  readonly feeds: Feeds;
  readonly notifications: Notifications;
  readonly personal: PersonalEvents;
  readonly relays: RelayDoor;
  readonly files: FileDoor;
  readonly proofs: JidProofs | undefined;
  readonly accounts: { readonly claims: Claims; readonly home: HomeAccounts } | undefined;
  /** Asks a peer for its key. */
  readonly prove: (name: string) => Promise<ProvenPeer>;
  readonly roadsChanged: () => void;
  /** A key is not paired any more: what it was allowed elsewhere is taken back. */
  readonly revoked?: (() => Promise<void>) | undefined;
}

/** Of a fingerprint: by so many a key is found. */
const FIND_DIGITS = 16;
/** Of keys that go by one name, so many are listed. */
const LISTED = 5;

export class OwnerRules {
  readonly #parts: OwnerRulesParts;

  constructor(parts: OwnerRulesParts) {
    this.#parts = parts;
  }

  async allow(peer: string, right: Right, filter?: string): Promise<TrustEntry | ClassRules | AccountRules> {
    const who = this.#known(peer) ?? await this.#proven(peer);
    this.#unmistaken(peer, who);
    if (isAccountName(who) && right !== 'command' && right !== 'device') throw new LanpostError('invalid-value', 'an account elsewhere may be allowed commands and devices, and nothing else');
    if (right === 'relay' && isClass(who) && who !== 'class:paired') throw new LanpostError('invalid-value', `only paired boxes are relayed: ${who} cannot be allowed it`);
    const ruled = await this.#parts.trust.allow(who, right, filter);
    if (right === 'relay') this.#parts.relays.recheck();
    // Whoever is vouched for by that is of another class, of which something else may be said.
    this.#parts.files.recheck();
    // A key that is allowed something is vouched for by that.
    if (!isClass(who) && !isAccountName(who)) await this.#parts.broker.places.fit(who);
    this.#given();
    return ruled;
  }

  async deny(peer: string, right: Right, filter?: string): Promise<TrustEntry | ClassRules | AccountRules> {
    const who = this.#known(peer) ?? await this.#proven(peer);
    this.#unmistaken(peer, who);
    try {
      return await this.#parts.trust.deny(who, right, filter);
    } finally {
      // Also what could not be stored holds.
      this.#parts.relays.recheck();
      this.#parts.files.recheck();
      await this.#parts.feeds.recheck();
      this.#parts.notifications.recheck();
      this.#parts.personal.recheck();
    }
  }

  /** The owners of both boxes have seen that it is the other's key. */
  async pair(fingerprint: string): Promise<TrustEntry> {
    const entry = await this.#parts.trust.pair(fingerprint);
    await this.#parts.broker.places.fit(fingerprint);
    // It is of another class now, of which something else may be said, and sees this box.
    this.#parts.files.recheck();
    this.#given();
    return entry;
  }

  async revoke(peer: string): Promise<void> {
    const who = isClass(peer) ? peer : isAccountName(peer) ? accountName(peer) : this.#parts.trust.find(peer)?.fingerprint;
    if (who === undefined) throw new LanpostError('not-found', `no key is known for "${peer}": see \`lanpost trust list\``);
    const { trust, relays, files, accounts, broker, subscriptions } = this.#parts;
    // It holds from here on, stored or not: so does all that follows from it.
    const revoked = trust.revoke(who);
    relays.recheck();
    files.recheck();
    const outcomes = await Promise.allSettled([
      revoked, ...isClass(who) || isAccountName(who) ? [] : [this.#parts.revoked?.(), accounts?.claims.forget(who), broker.disown(who), subscriptions.disowned(who), broker.places.fit(who)],
    ]);
    await this.changed();
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** What is known of keys, with the accounts they are said to have to themselves. */
  trusted(): TrustEntry[] {
    return this.#parts.trust.list().map((entry) => this.#withClaims(entry));
  }

  async claim(peer: string, address: string): Promise<TrustEntry> {
    if (typeof peer !== 'string') throw new TypeError('a peer must be a string');
    const jid = accountOf(address);
    const { claims, home } = this.#accounts();
    const entry = this.#parts.trust.find(peer);
    if (!entry || isClass(peer)) throw new LanpostError('not-found', `no key is known for "${peer}": see \`lanpost trust list\``);
    if (home.has(jid)) throw new LanpostError('invalid-value', `${jid} is an account of this box`);
    await claims.claim(jid, entry.fingerprint);
    this.#parts.proofs?.claimed(jid);
    return this.#withClaims(entry);
  }

  async disclaim(address: string): Promise<void> {
    await this.#accounts().claims.disclaim(accountOf(address));
    this.#parts.roadsChanged();
  }

  #accounts(): NonNullable<OwnerRulesParts['accounts']> {
    if (!this.#parts.accounts) throw new LanpostError('unsupported', 'this box has no accounts');
    return this.#parts.accounts;
  }

  #withClaims(entry: TrustEntry): TrustEntry {
    const claims = this.#parts.accounts?.claims.of(entry.fingerprint) ?? [];
    return claims.length === 0 ? entry : { ...entry, claims };
  }

  async affiliations(topic: string): Promise<TopicAffiliation[]> {
    return this.#parts.broker.affiliations(OWNER, topic).map(([address, affiliation]) => {
      if (address.startsWith('xmpp:')) return { peer: address, affiliation };
      const fingerprint = address.slice('key:'.length);
      return { peer: this.#parts.trust.nameOf(fingerprint) ?? fingerprint, fingerprint, affiliation };
    });
  }

  async setAffiliation(topic: string, peer: string, affiliation: Affiliation): Promise<void> {
    if (typeof peer !== 'string') throw new TypeError('a peer must be a string');
    if (!AFFILIATIONS.includes(affiliation)) throw new TypeError(`an affiliation is one of ${AFFILIATIONS.join(', ')}`);
    if (isClass(peer)) throw new LanpostError('invalid-value', `${peer} is a class: affiliations are of keys, grants may be of classes`);
    const who = this.#known(peer) ?? await this.#proven(peer);
    this.#unmistaken(peer, who);
    await this.#parts.broker.affiliate(OWNER, topic, new Map([[addressOf(who), affiliation]]));
  }

  async requests(topic?: string): Promise<SubscriptionRequest[]> {
    return this.#parts.approvals.waiting(OWNER, topic).map(({ node, fingerprint }) => ({ topic: node, peer: this.#parts.trust.nameOf(fingerprint) ?? fingerprint, fingerprint }));
  }

  async decide(topic: string, peer: string, allow: boolean): Promise<void> {
    const who = this.#known(peer) ?? await this.#proven(peer);
    this.#unmistaken(peer, who);
    const address = addressOf(who);
    await this.#parts.approvals.decide(OWNER, topic, ({ fingerprint }) => keyAddress(fingerprint) === address, allow);
  }

  /** Resolves when nothing goes out any more that should not. */
  async changed(): Promise<void> {
    await this.#parts.feeds.recheck();
    this.#given();
  }

  /** Somebody may read more than before: what was subscribed to goes on. */
  #given(): void {
    this.#parts.feeds.resume();
    this.#parts.notifications.recheck();
    this.#parts.personal.recheck();
  }

  /** A class, an account, or a fingerprint. At once: what is revoked in the next moment must not have to wait for what it takes back. */
  #known(peer: string): string | undefined {
    if (isClass(peer)) return peer;
    if (isAccountName(peer)) return accountName(peer);
    return this.#parts.trust.find(peer)?.fingerprint ?? (/^[0-9a-f]{64}$/i.test(peer) ? peer.toLowerCase() : undefined);
  }

  /** Names are free: of several keys that nobody vouched for and that go by one, the last to show it need not be the one that is meant. */
  #unmistaken(peer: string, who: string): void {
    const { trust } = this.#parts;
    if (trust.level(who) === 'paired') return;
    const name = peer.startsWith('link:') ? peer.slice('link:'.length) : peer;
    // By its fingerprint it is meant, and who has called itself something else since goes by the name all the same.
    if (trust.holder(name) !== who) return;
    const namesakes = [...new Set([who, ...trust.namesakes(name)])];
    if (namesakes.length < 2) return;
    const more = namesakes.length > LISTED ? `, and ${namesakes.length - LISTED} more` : '';
    const keys = namesakes.slice(0, LISTED).map((fingerprint) => fingerprint.slice(0, FIND_DIGITS)).join(', ') + more;
    throw new LanpostError('conflict', `${namesakes.length} keys have called themselves ${peer}: say which is meant, by its fingerprint: ${keys} (see \`lanpost trust list\`)`);
  }

  /** A name whose key is not known yet is asked for it. */
  async #proven(peer: string): Promise<string> {
    return (await this.#parts.prove(linkName(peer))).fingerprint;
  }
}

function addressOf(who: string): Address {
  return isAccountName(who) ? who : keyAddress(who);
}

function accountName(name: `xmpp:${string}`): `xmpp:${string}` {
  const jid = bare(name.slice('xmpp:'.length));
  if (jid === undefined) throw new LanpostError('invalid-value', `"${name}" names no account`);
  return `xmpp:${jid}`;
}

/** The bare JID of the account that an owner means. */
function accountOf(address: string): string {
  if (typeof address !== 'string') throw new TypeError('an account must be a string');
  const given = address.startsWith('xmpp:') ? address.slice('xmpp:'.length) : address;
  const jid = isBareJid(given) ? bare(given) : undefined;
  if (jid === undefined) throw new LanpostError('invalid-value', `"${address}" names no account: use xmpp:NAME@DOMAIN`);
  return jid;
}
