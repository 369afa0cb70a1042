import type { Address } from './address.ts';
import type { Letter } from './letter.ts';

/** What a road says once it has a letter. */
export interface Handed {
  /** Resolves when the road has it, where that takes its time; absent: it has. */
  readonly handed?: Promise<void>;
  /** Settles when the recipient has it; absent where nobody will ever say. */
  readonly delivered?: Promise<void>;
  /** Where nobody will say: resolves when the recipient will have it, rejects when it cannot have it. */
  readonly taken?: Promise<void>;
  /** Nothing follows it until then: who confirms nothing would get all that is under way twice after a power cut. */
  readonly alone?: true;
  /** After that: resolves when it has not come back for long enough, rejects as `deliver` does when it has. */
  readonly stays?: Promise<void>;
}

/** A way to an address. The nearest that reaches it is taken; roads are asked in order. */
export interface Road {
  /** Whether it could take a letter for that address now. */
  reaches(address: Address): boolean;
  /** Whose key it is, as far as is known: what is accepted for it now goes to no other. */
  recipient?(address: Address): string | undefined;
  /** Whether letters for it may wait here while no road reaches it. */
  holds(address: Address): boolean;
  /** Throws `invalid-value` for what is an address of its kind and can be none; `given`: as somebody wrote it. */
  check?(address: Address, given: string): void;
  /**
   * Resolves when the road has the letter, or the next one may come. Rejects with `forbidden`, `too-large` or `invalid-value`
   * when it never will; with anything else when another try may help. `delivered` that rejects with
   * `timeout`: nothing was heard of the recipient; one letter at a time is tried until it is.
   */
  deliver(address: Address, letter: Letter): Promise<Handed>;
}
