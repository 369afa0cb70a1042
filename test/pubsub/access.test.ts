import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AccessModel, Affiliation, PublishModel, TrustLevel } from '../../src/api.ts';
import { createTestClock } from '../../src/clock.ts';
import { Access } from '../../src/pubsub/access.ts';
import type { Actor } from '../../src/pubsub/actor.ts';
import { AFFILIATIONS, mayBecome, type Operation, PRIVILEGES } from '../../src/pubsub/affiliation.ts';
import { Refusal } from '../../src/pubsub/refusal.ts';
import { Rights } from '../../src/pubsub/rights.ts';
import { DEFAULT_CONFIG } from '../../src/pubsub/topic-config.ts';
import { memoryRegistry } from '../trust/fixtures.ts';

const KEY = 'a'.repeat(64);
const PEER: Actor = { kind: 'peer', name: 'desk@pc', fingerprint: KEY };

/** XEP-0060 §4.1, as the XEP prints it: y, n, and * where its note leaves a choice. */
const PRINTED = `
  owner         y y y y y y y
  publisher     y y y * * n n
  publish-only  n n y * * n n
  member        y y n n n n n
  none          y n n n n n n
  outcast       n n n n n n n`;
const COLUMNS: readonly Operation[] = ['subscribe', 'retrieve', 'publish', 'retract', 'purge', 'configure', 'delete'];
const printed = new Map(PRINTED.trim().split('\n').map((line) => {
  const [name = '', ...cells] = line.trim().split(/\s+/);
  return [name, new Map(COLUMNS.map((operation, at) => [operation, cells[at] ?? '']))];
}));

/** What stands for each of the XEP's cells here. */
const FITTING: Readonly<Record<string, readonly string[]>> = { 'y': ['yes', 'model'], 'n': ['no', 'model'], '*': ['no', 'own'] };

interface Case {
  readonly affiliation: Affiliation; readonly operation: Operation; readonly accessModel: AccessModel; readonly publishModel: PublishModel;
  readonly level: TrustLevel; readonly groups: readonly string[]; readonly subscribed: boolean;
}

async function accessOf(c: Partial<Case>, trust: { denied?: boolean; granted?: boolean } = {}): Promise<Access> {
  const rights = new Rights({ registry: memoryRegistry(), clock: createTestClock(), isLive: () => true, trouble: () => undefined });
  await rights.change('t', (row) => row.set(`key:${KEY}`, c.affiliation ?? 'none'));
  return new Access({
    rights,
    may: (_key, _right, _topic, open) => (trust.denied ? false : trust.granted === true || open),
    level: () => c.level ?? 'seen',
    said: () => ({ ...DEFAULT_CONFIG, accessModel: c.accessModel ?? 'whitelist', publishModel: c.publishModel ?? 'publishers', rosterGroups: c.groups ?? [] }),
    isSubscribed: () => c.subscribed ?? false,
    isApproved: () => c.subscribed ?? false,
  });
}

/** The XEP in other words: its table, and §4.5 and the publish models for what the table leaves to them. */
function expected({ affiliation, operation, accessModel, publishModel, level, groups, subscribed }: Case): boolean {
  const cell = printed.get(affiliation)?.get(operation);
  const reads = operation === 'subscribe' || operation === 'retrieve';
  if (affiliation === 'outcast') return false;
  if (reads && affiliation === 'none') {
    const letIn: Record<AccessModel, boolean> = {
      open: true, presence: level === 'paired', roster: groups.includes(`class:${level}`), authorize: subscribed, whitelist: false,
    };
    return letIn[accessModel];
  }
  if (cell === 'y') return true;
  if (cell === '*') return operation === 'retract'; // least right: what is theirs; no purge
  // Who may publish by the topic's own word retracts what is theirs.
  if (operation === 'publish' || operation === 'retract') {
    if (publishModel === 'open') return true;
    return publishModel === 'subscribers' && subscribed && expected({ affiliation, operation: 'subscribe', accessModel, publishModel, level, groups, subscribed });
  }
  return false;
}

const cases: fc.Arbitrary<Case> = fc.record({
  affiliation: fc.constantFrom(...AFFILIATIONS),
  operation: fc.constantFrom(...COLUMNS),
  accessModel: fc.constantFrom('open', 'presence', 'roster', 'authorize', 'whitelist'),
  publishModel: fc.constantFrom('publishers', 'subscribers', 'open'),
  level: fc.constantFrom('seen', 'paired'),
  groups: fc.subarray(['class:seen', 'class:paired']),
  subscribed: fc.boolean(),
});

describe('who may do what with a topic', () => {
  test('is what XEP-0060 §4.1 and the models say', async () => {
    await fc.assert(fc.asyncProperty(cases, async (c) => {
      expect((await accessOf(c)).allows(PEER, c.operation, 't')).toBe(expected(c));
    }), { numRuns: 2000 });
  });

  test('has a cell for each affiliation and operation, and says yes and no where the XEP does', () => {
    for (const affiliation of AFFILIATIONS) {
      for (const operation of COLUMNS) {
        const cell = printed.get(affiliation)?.get(operation) ?? '';
        expect(FITTING[cell], `${affiliation} ${operation}`).toContain(PRIVILEGES[affiliation][operation]);
      }
    }
  });

  test('a denial goes before everything, whatever the peer is to the topic', async () => {
    await fc.assert(fc.asyncProperty(cases, async (c) => {
      expect((await accessOf(c, { denied: true })).allows(PEER, c.operation, 't')).toBe(false);
    }), { numRuns: 300 });
  });

  test('a grant is enough to read and to publish, not to manage; and does not bring an outcast back', async () => {
    for (const affiliation of AFFILIATIONS) {
      const access = await accessOf({ affiliation }, { granted: true });
      for (const operation of COLUMNS) {
        const managing = operation === 'purge' || operation === 'configure' || operation === 'delete';
        const may = affiliation !== 'outcast' && (!managing || affiliation === 'owner');
        expect(access.allows(PEER, operation, 't'), `${affiliation} ${operation}`).toBe(may);
      }
    }
  });

  test.each<[Partial<Case>, Operation, string]>([
    [{ accessModel: 'whitelist' }, 'subscribe', 'closed-node'],
    [{ accessModel: 'presence' }, 'subscribe', 'presence-subscription-required'],
    [{ accessModel: 'roster', groups: ['class:paired'] }, 'retrieve', 'not-in-roster-group'],
    [{ accessModel: 'authorize' }, 'subscribe', 'authorization-required'],
    [{ accessModel: 'authorize' }, 'retrieve', 'subscribers-only'],
    [{ affiliation: 'publish-only', accessModel: 'open' }, 'retrieve', 'forbidden'],
    [{ affiliation: 'outcast', accessModel: 'open' }, 'subscribe', 'forbidden'],
    [{}, 'publish', 'forbidden'],
  ])('%j: %s is refused as %s', async (c, operation, reason) => {
    const access = await accessOf(c);
    expect(() => access.check(PEER, operation, 't')).toThrow(expect.objectContaining({ reason }));
    expect(() => access.check(PEER, operation, 't')).toThrow(Refusal);
  });

  test('whoever has shown no key is let in by a grant alone', async () => {
    const keyless: Actor = { kind: 'peer', name: 'alice@h4' };
    expect((await accessOf({ accessModel: 'open', publishModel: 'open' })).allows(keyless, 'retrieve', 't')).toBe(false);
    expect((await accessOf({}, { granted: true })).allows(keyless, 'retrieve', 't')).toBe(true);
  });

  test('an account is its bare JID, and no class of the link', async () => {
    const account: Actor = { kind: 'account', jid: 'romeo@example.org' };
    expect((await accessOf({ accessModel: 'open' })).allows(account, 'retrieve', 't')).toBe(true);
    expect((await accessOf({ accessModel: 'presence', level: 'paired' }, { granted: true })).allows(account, 'retrieve', 't')).toBe(false);
  });

  test('what begins with $ is nobody\'s to write, whatever is granted', async () => {
    expect((await accessOf({ affiliation: 'owner' }, { granted: true })).allows(PEER, 'publish', '$mail/x')).toBe(false);
  });
});

describe('an affiliation becomes another', () => {
  /** §4.1, the state chart: rows before, columns after; n/a is -. */
  const CHART: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    outcast: { none: 'y', member: 'y', publisher: 'y', owner: 'y' },
    none: { outcast: 'y', member: 'y', publisher: 'y', owner: 'y' },
    member: { outcast: 'y', none: 'y', publisher: 'y', owner: 'y' },
    publisher: { outcast: 'y', none: 'y', member: '-', owner: 'y' },
    owner: { outcast: '-', none: 'resigns', member: '-', publisher: '-' },
  };

  test('as the state chart of §4.1 has it', () => {
    for (const before of AFFILIATIONS.filter((one) => one !== 'publish-only')) {
      for (const after of AFFILIATIONS.filter((one) => one !== 'publish-only' && one !== before)) {
        const cell = CHART[before]?.[after];
        expect(mayBecome(before, after, false), `${before} → ${after}`).toBe(cell === 'y');
        expect(mayBecome(before, after, true), `${before} → ${after}, by itself`).toBe(cell === 'y' || cell === 'resigns');
      }
    }
  });
});
