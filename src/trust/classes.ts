import { isDeepStrictEqual } from 'node:util';
import type { ClassRules, Grant, PeerClass, Right, TrustLevel } from '../api.ts';
import type { Registry } from './registry.ts';
import { type Rules, sayAndStore, type StoreRow, toRules, verdict } from './rules.ts';

const PREFIX = 'policy/';
/** Without a key; with one that nobody vouched for; with one that the owner did. */
const CLASSES: readonly PeerClass[] = ['class:plain', 'class:seen', 'class:paired'];
export const CLASS_OF: Readonly<Record<TrustLevel, PeerClass>> = { none: 'class:plain', seen: 'class:seen', paired: 'class:paired' };
/** Who nothing is said of may be found and may chat. */
const BY_DEFAULT: Readonly<Record<Right, boolean>> = { chat: true, read: false, write: false, files: false, relay: false, command: false, device: false };

export function isClass(name: string): name is PeerClass {
  return CLASSES.some(one => one === name);
}

/** Whether a class may be kept so; what is imported is told apart by it. */
export function isClassRow(key: string, value: unknown): boolean {
  return key.startsWith(PREFIX) && isClass(key.slice(PREFIX.length)) && isDeepStrictEqual(toRules(value), value);
}

/** What peers may do of whom nothing else is said. */
export class Classes {
  readonly #registry: Pick<Registry, 'get'>;
  readonly #storeRow: StoreRow;
  readonly #rules = new Map<PeerClass, Rules>();

  constructor(registry: Pick<Registry, 'get'>, storeRow: StoreRow) {
    this.#registry = registry;
    this.#storeRow = storeRow;
    for (const name of CLASSES) {
      this.#rules.set(name, this.#stored(name) ?? { grants: [], denials: [] });
    }
  }

  list(): ClassRules[] {
    return CLASSES.map(name => this.get(name));
  }

  get(name: PeerClass): ClassRules {
    const { grants, denials } = this.#of(name);
    return { name, grants: [...grants], denials: [...denials] };
  }

  /** Durable when resolved. */
  async say(name: PeerClass, what: 'grants' | 'denials', grant: Grant): Promise<ClassRules> {
    const rules = this.#of(name);
    await sayAndStore(rules, what, grant, () => this.#stored(name), () => this.#store(name));
    return this.get(name);
  }

  /** Back to what holds by default. */
  async forget(name: PeerClass): Promise<void> {
    this.#rules.set(name, { grants: [], denials: [] });
    await this.#store(name);
  }

  /** `open`: what is asked for is there for everybody with a key, if nothing else is said. */
  may(level: TrustLevel, right: Right, asked: string | undefined, open: boolean): boolean {
    return verdict(this.#of(CLASS_OF[level]), right, asked) ?? (open || BY_DEFAULT[right]);
  }

  /** Whether any of these rights is granted to that class. */
  grants(level: TrustLevel, ...rights: readonly Right[]): boolean {
    return this.#of(CLASS_OF[level]).grants.some(({ right }) => rights.includes(right));
  }

  #of(name: PeerClass): Rules {
    return this.#rules.get(name) ?? { grants: [], denials: [] };
  }

  #stored(name: PeerClass): Rules | undefined {
    return toRules(this.#registry.get(PREFIX + name));
  }

  async #store(name: PeerClass): Promise<void> {
    await this.#storeRow(PREFIX + name, () => {
      const { grants, denials } = this.#of(name);
      return grants.length + denials.length === 0 ? undefined : { grants: [...grants], denials: [...denials] };
    });
  }
}
