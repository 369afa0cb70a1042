import { createPublicKey } from 'node:crypto';
import type { Trouble } from '../../src/api.ts';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import type { Registry } from '../../src/log/registry.ts';
import { newKey } from '../../src/trust/certificate.ts';
import { boxIdOf, fingerprintOf } from '../../src/trust/fingerprint.ts';
import { Sealer } from '../../src/trust/seal.ts';
import { Trust } from '../../src/trust/trust.ts';

/** The log's registry rows, in memory. */
export function memoryRegistry(): Registry & { readonly rows: Map<string, unknown>; writes: number } {
  const rows = new Map<string, unknown>();
  return {
    rows,
    writes: 0,
    get: key => rows.get(key),
    set(key, value) {
      return this.setAll([[key, value]]);
    },
    setAll(entries) {
      this.writes += 1;
      for (const [key, value] of entries) {
        if (value === undefined) rows.delete(key);
        else rows.set(key, structuredClone(value));
      }
      return Promise.resolve();
    },
    entries: prefix => [...rows].filter(([key]) => key.startsWith(prefix)),
  };
}

export interface TrustFixture { trust: Trust; registry: ReturnType<typeof memoryRegistry>; clock: TestClock; troubles: Trouble[] }

export function trustFixture(options: { seenKeys?: number; registry?: ReturnType<typeof memoryRegistry> } = {}): TrustFixture {
  const registry = options.registry ?? memoryRegistry();
  const clock = createTestClock();
  const troubles: Trouble[] = [];
  const trust = new Trust({
    registry, clock, trouble: t => void troubles.push(t),
    ...(options.seenKeys === undefined ? {} : { seenKeys: options.seenKeys }),
  });
  return { trust, registry, clock, troubles };
}

/** A made-up public key: trust only ever hashes it. */
export const spki = (name: string): Buffer => Buffer.from(`key of ${name}`);

/** A real key, and what it goes by. */
export async function keyPair(): Promise<{ readonly seal: Sealer; readonly spki: Buffer; readonly fingerprint: string; readonly boxId: string }> {
  const key = await newKey();
  const own = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return { seal: new Sealer({ key, spki: own }), spki: own, fingerprint: fingerprintOf(own), boxId: boxIdOf(own) };
}
