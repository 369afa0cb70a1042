import type { AccountRules, Grant, Right } from '../api.ts';
import { LanpostError } from '../errors.ts';
import type { Registry } from './registry.ts';
import { type Rules, sayAndStore, type StoreRow, toRules, verdict } from './rules.ts';

const PREFIX = 'account-rules/';
/** Accounts of which anything is said. */
const MOST = 256;

/** By bare JID, as `xmpp:JID`: what it may do by way of a home. Nothing, unless the owner says so. */
export class RulesOfAccounts {
  readonly #registry: Pick<Registry, 'get' | 'entries'>;
  readonly #storeRow: StoreRow;
  readonly #rules = new Map<string, Rules>();

  constructor(registry: Pick<Registry, 'get' | 'entries'>, storeRow: StoreRow) {
    this.#registry = registry;
    this.#storeRow = storeRow;
    for (const [key, kept] of registry.entries(PREFIX)) {
      const rules = toRules(kept);
      if (rules) this.#rules.set(key.slice(PREFIX.length), rules);
    }
  }

  list(): AccountRules[] {
    return [...this.#rules.keys()].toSorted().map((name) => this.#get(name));
  }

  /** Durable when resolved. */
  async say(name: string, what: 'grants' | 'denials', grant: Grant): Promise<AccountRules> {
    const known = this.#rules.get(name);
    if (!known && this.#rules.size >= MOST) throw new LanpostError('too-large', `Something may be said of ${MOST} accounts; revoke what was said of others.`);
    const rules: Rules = known ?? { grants: [], denials: [] };
    this.#rules.set(name, rules);
    try {
      await sayAndStore(rules, what, grant, () => this.#stored(name), () => this.#store(name));
    } catch (error) {
      if (rules.grants.length + rules.denials.length === 0 && this.#rules.get(name) === rules) this.#rules.delete(name);
      throw error;
    }
    return this.#get(name);
  }

  /** At once; durable when resolved. Until then it can be said again. */
  async forget(name: string): Promise<void> {
    if (!this.#rules.delete(name) && this.#registry.get(PREFIX + name) === undefined) throw new LanpostError('not-found', `Nothing is said of ${name}.`);
    await this.#store(name);
  }

  may(name: string, right: Right, asked: string): boolean {
    const said = (of: string): boolean | undefined => {
      const rules = this.#rules.get(of);
      return rules && verdict(rules, right, asked);
    };
    // Whoever runs a server speaks for all its accounts; commands are for one of them all the same.
    return (said(name) ?? (right === 'device' ? said(name.replace(/^xmpp:.*@/, 'xmpp:')) : undefined)) === true;
  }

  #stored(name: string): Rules | undefined {
    return toRules(this.#registry.get(PREFIX + name));
  }

  async #store(name: string): Promise<void> {
    await this.#storeRow(PREFIX + name, () => {
      const rules = this.#rules.get(name);
      return rules && { grants: [...rules.grants], denials: [...rules.denials] };
    });
  }

  #get(name: string): AccountRules {
    const { grants, denials } = this.#rules.get(name) ?? { grants: [], denials: [] };
    return { name, grants: [...grants], denials: [...denials] };
  }
}

/** Of what an owner names: an account, and no key and no class. */
export function isAccountName(name: string): name is `xmpp:${string}` {
  return name.startsWith('xmpp:');
}
