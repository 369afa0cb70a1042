// A box that may publish for this one and is revoked: here at once, at home when that is reached.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBox } from '../../src/box.ts';
import { type Clock, createSystemClock, createTestClock } from '../../src/clock.ts';
import type { Trouble } from '../../src/api.ts';
import type { CarriedOutbox } from '../../src/home/carried/carried.ts';
import { Carriers } from '../../src/home/carried/carriers.ts';
import { Withdrawals } from '../../src/home/carried/withdrawals.ts';
import { LanpostError } from '../../src/errors.ts';
import type { Home } from '../../src/home/home.ts';
import { createHomes, type Homes } from '../../src/home/homes.ts';
import { checkedOptions } from '../../src/options.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { toPayload } from '../../src/payload/payload.ts';
import { openStore } from '../../src/store.ts';
import { type Identity, loadIdentity } from '../../src/trust/identity.ts';
import { Sealer } from '../../src/trust/seal.ts';
import { iqResult } from '../../src/xmpp/stanza.ts';
import { attr } from '../../src/xmpp/element.ts';
import { Bell } from '../support/bell.ts';
import { type FakeHome, startFakeHome } from './fake-home.ts';

const KEY = 'ab'.repeat(32);
const NEXT = 'cd'.repeat(32);
const OTHER = 'other@home.test';

let dir: string;
let bell: Bell;
let home: FakeHome;
/** What the home has been told of who publishes, as `node jid affiliation`. */
let said: string[];
let refuses: Set<string>;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lanpost-withdrawals-'));
  bell = new Bell();
  home = await startFakeHome(bell);
  said = [];
  refuses = new Set();
  home.set.answer = (iq, what, node) => {
    if (what !== 'affiliations') return undefined;
    if (refuses.has(node)) return 'forbidden';
    const one = iq.getChild('pubsub')?.getChild('affiliations')?.getChild('affiliation');
    said.push(`${node} ${one && attr(one, 'jid')} ${one && attr(one, 'affiliation')}`);
    bell.ring();
    return iqResult(iq);
  };
});
afterEach(async () => {
  await home.close();
  rmSync(dir, { recursive: true, force: true });
});

const party = (fingerprint: string): Parameters<CarriedOutbox['allow']>[0] => ({ fingerprint, spki: Buffer.from(fingerprint, 'hex') });

describe('the right to publish at a home', () => {
  let identity: Identity;
  let database: MemoryDatabase;
  let clock: Clock;
  let log: Log;
  let homes: Homes;
  let outbox: CarriedOutbox;
  let carriers: Carriers;
  let paired: Set<string>;
  let troubles: Trouble[];

  const start = async (): Promise<void> => {
    log = await openLog({ database, clock, boxId: identity.boxId, trouble: bell.ring });
    const trouble = (found: Trouble): void => {
      troubles.push(found);
      bell.ring();
    };
    homes = createHomes({ log, clock, trouble, boxId: identity.boxId, random: () => 0, opened: () => void outbox.takeBack() });
    outbox = await homes.outbox({ identity, sealer: new Sealer(identity), isPaired: (key) => paired.has(key), nameOf: (key) => (key === KEY ? 'hall@vm' : undefined) });
    carriers = new Carriers(log.registry);
  };
  const stop = async (): Promise<void> => {
    await homes.close();
    await log.close();
  };
  beforeEach(async () => {
    identity = await loadIdentity(dir, { machine: 'test' });
    database = new MemoryDatabase();
    clock = bell.heard(createSystemClock());
    paired = new Set([KEY, NEXT]);
    troubles = [];
    await start();
    for (const topic of ['plant/x', 'plant/y']) await log.append({ topic, kind: 'publish', payload: toPayload(1) });
    for (const node of ['plant/x', 'plant/y']) home.nodes.set(node, new Map());
  });
  afterEach(stop);

  const online = async (): Promise<void> => {
    await homes.add({ ...home.account, topics: ['plant/#'] });
    await bell.until(async () => (await homes.list())[0]?.state === 'online');
  };
  const taken = ['plant/x other@home.test none', 'plant/y other@home.test none'];
  const allowed = async (key = KEY): Promise<void> => {
    await outbox.allow(party(key), OTHER, undefined);
    said.length = 0;
  };
  /** What is asked of it comes after what there was to do. */
  const settled = async (): Promise<void> => {
    await expect(outbox.deny('nobody@vm', undefined)).rejects.toMatchObject({ code: 'not-found' });
    expect(carriers.withdrawn()).toEqual([]);
  };
  const revoke = async (key = KEY): Promise<void> => {
    paired.delete(key);
    await outbox.takeBack();
  };

  test('goes with the pairing: here at once, and at the home that is connected', async () => {
    await online();
    await allowed();
    await revoke();
    expect(outbox.list()).toEqual([]);
    await settled();
    expect(said).toEqual(taken);
    expect(troubles).toEqual([]);
  });

  test('is taken back when the home is reached again, over a restart, whether or not the key is paired again', async () => {
    await online();
    await allowed();
    await homes.remove(home.account.jid);
    await revoke();
    expect([outbox.list(), said]).toEqual([[], []]);
    await stop();
    paired.add(KEY);
    await start();
    expect(outbox.list()).toEqual([]);
    await online();
    await bell.until(() => said.length === 2);
    await settled();
    expect(said).toEqual(taken);
  });

  test('is denied also by the name or the key of a box that was revoked; while the home is away that is said, and it is tried on', async () => {
    await online();
    await allowed();
    await homes.pause(home.account.jid);
    await revoke();
    for (const [peer, key] of [['hall@vm', undefined], ['link:hall@vm', undefined], [KEY.slice(0, 16), undefined], ['now@vm', KEY]] as const) {
      await expect(outbox.deny(peer, key)).rejects.toMatchObject({ code: 'unreachable' });
    }
    await expect(outbox.deny('nobody@vm', undefined)).rejects.toMatchObject({ code: 'not-found' });
    await homes.resume(home.account.jid);
    await bell.until(() => said.length === 2);
    await settled();
    expect(said).toEqual(taken);
    await expect(outbox.deny('hall@vm', undefined)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('that the home would not take back at one node is at the others, is told once, and tried again with the next session', async () => {
    await online();
    await allowed();
    refuses.add('plant/x');
    await revoke();
    await bell.until(() => troubles.length > 0);
    expect(said).toEqual(taken.slice(1));
    expect(troubles).toMatchObject([{ kind: 'home.outbox', message: expect.stringContaining('plant/x') }]);
    await expect(outbox.deny('hall@vm', undefined)).rejects.toMatchObject({ code: 'forbidden' });
    refuses.clear();
    said.length = 0;
    home.cut();
    await bell.until(() => said.length === 2);
    await settled();
    expect([said, troubles.length]).toEqual([taken, 1]);
  });

  test('stays with the account that another box uses by now', async () => {
    await online();
    await allowed();
    await allowed(NEXT);
    await revoke();
    await settled();
    expect(said).toEqual([]);
    expect(outbox.list()).toMatchObject([{ fingerprint: NEXT }]);
    await outbox.deny('', NEXT);
    expect([said, outbox.list()]).toEqual([taken, []]);
  });

  test('that is given anew is not taken back by what was to be before', async () => {
    await online();
    await allowed();
    refuses = new Set(['plant/x', 'plant/y']);
    await revoke();
    await bell.until(() => troubles.length > 0);
    refuses.clear();
    paired.add(KEY);
    await allowed();
    await outbox.takeBack();
    await settled();
    expect(said.filter((one) => one.endsWith('none'))).toEqual([]);
    expect(outbox.list()).toMatchObject([{ fingerprint: KEY }]);
  });

  test('is not given to a box that is revoked meanwhile', async () => {
    await online();
    let once = true;
    const { answer } = home.set;
    home.set.answer = (...asked) => {
      if (once && asked[1] === 'affiliations') {
        once = false;
        paired.delete(KEY);
      }
      return answer(...asked);
    };
    await expect(outbox.allow(party(KEY), OTHER, undefined)).rejects.toMatchObject({ code: 'forbidden' });
    await settled();
    expect([outbox.list(), said.slice(-2)]).toEqual([[], taken]);
  });

  test('is given to no more boxes than can be taken back', async () => {
    await online();
    for (let n = 0; n < 16; n++) {
      const key = n.toString(16).padStart(2, '0').repeat(32);
      await carriers.withdraw({ ...party(key), account: `a${n}@gone.test`, jid: 'gone@gone.test' }, undefined);
    }
    await expect(outbox.allow(party(KEY), OTHER, undefined)).rejects.toMatchObject({ code: 'busy' });
    expect(said).toEqual([]);
  });

  test('is given at no more nodes than can be remembered', async () => {
    const nodes = Array.from({ length: 20_001 }, (_, n) => ({ service: 'pubsub.home.test', node: String(n) }));
    const carrier = { ...party(KEY), account: OTHER, jid: home.account.jid };
    await expect(carriers.begin(carrier, undefined, nodes)).rejects.toMatchObject({ code: 'too-large' });
    expect(log.registry.entries('carrier')).toEqual([]);
    await carriers.begin(carrier, undefined, nodes.slice(1));
    expect(carriers.given(carrier)).toEqual(nodes.slice(1));
  });

  const again = async (options: object): Promise<void> => {
    await homes.add({ ...home.account, ...options });
    await bell.until(async () => (await homes.list())[0]?.state === 'online');
  };
  /** Of what services it was taken back. */
  const services = (): (string | undefined)[] => home.stanzas.filter((stanza) => stanza.getChild('pubsub')?.getChild('affiliations')?.getChild('affiliation')?.attrs['affiliation'] === 'none').map((stanza) => attr(stanza, 'to'));

  test.each<[string, () => Promise<unknown>]>([
    ['whose topics are deleted', async () => { for (const topic of ['plant/x', 'plant/y']) await log.append({ topic, kind: 'delete' }); }],
    ['whose topics keep the newest only by now', async () => { for (const topic of ['plant/x', 'plant/y']) await log.append({ topic, kind: 'configure', config: { lane: 'latest' } }); }],
    ['of topics that do not go up any more', () => again({ topics: ['other/#'] })],
    ['of topics that go up packed by now', () => again({ up: [{ filter: 'plant/#', pack: true }] })],
    ['of topics that go to other nodes by now', () => again({ up: [{ filter: 'plant/#', node: 'now' }] })],
    ['of a service that is not that of the home any more', () => again({ topics: ['plant/#'], service: 'other.home.test' })],
  ])('is taken back at nodes %s', async (_, change) => {
    await online();
    await allowed();
    await change();
    await stop();
    await start();
    await homes.start();
    await bell.until(async () => (await homes.list())[0]?.state === 'online');
    await revoke();
    await settled();
    expect(said.slice(0, 2)).toEqual(taken);
    expect(services().slice(0, 2)).toEqual(['pubsub.home.test', 'pubsub.home.test']);
    expect(log.registry.entries('carrier')).toEqual([]);
  });

  test('is taken back by `outbox deny`, too, wherever it was given, by whichever of the boxes that use the account', async () => {
    await online();
    await allowed();
    await log.append({ topic: 'plant/x', kind: 'delete' });
    await allowed(NEXT);
    await revoke();
    await settled();
    expect(said).toEqual([]);
    await outbox.deny('', NEXT);
    expect(said).toEqual(taken);
    expect(log.registry.entries('carrier')).toEqual([]);
  });

  test('goes from the account that a box had before', async () => {
    await online();
    await allowed();
    await outbox.allow(party(KEY), 'new@home.test', undefined);
    await settled();
    expect(said.slice(2)).toEqual(taken);
    expect(outbox.list()).toMatchObject([{ account: 'xmpp:new@home.test' }]);
  });

  test('that the home gives at one node only is no right to publish: it is taken back there, and what was refused is not tried for ever', async () => {
    await online();
    refuses.add('plant/y');
    await expect(outbox.allow(party(KEY), OTHER, undefined)).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('plant/y') });
    await settled();
    expect(said).toEqual(['plant/x other@home.test publisher', 'plant/x other@home.test none']);
    expect([troubles, log.registry.entries('carrier')]).toEqual([[], []]);
  });

  test('stays with a box that had it when more is not given, and goes wherever it was given', async () => {
    await online();
    await allowed();
    for (const topic of ['plant/y2', 'plant/z']) await log.append({ topic, kind: 'publish', payload: toPayload(1) });
    for (const node of ['plant/y2', 'plant/z']) home.nodes.set(node, new Map());
    refuses.add('plant/z');
    await expect(outbox.allow(party(KEY), OTHER, undefined)).rejects.toMatchObject({ code: 'forbidden' });
    await settled();
    expect(said.filter((one) => one.endsWith('none'))).toEqual([]);
    await log.append({ topic: 'plant/y2', kind: 'delete' });
    said.length = 0;
    await outbox.deny('', KEY);
    expect(said.toSorted()).toEqual([...taken, 'plant/y2 other@home.test none'].toSorted());
    expect(log.registry.entries('carrier')).toEqual([]);
  });

  /** The home hears of one node, and then `then` is called with its answer to the next still out. */
  const midway = (then: () => void): void => {
    const { answer } = home.set;
    home.set.answer = (...asked) => {
      if (asked[1] !== 'affiliations' || said.length !== 1) return answer(...asked);
      answer(...asked);
      home.set.answer = answer;
      then();
      return 'silence';
    };
  };

  test('that was half given when the session broke is taken back with the next', async () => {
    await online();
    home.set.resumable = false;
    midway(() => home.cut());
    await expect(outbox.allow(party(KEY), OTHER, undefined)).rejects.toMatchObject({ code: 'disconnected' });
    expect(outbox.list()).toEqual([]);
    await bell.until(() => said.length === 4);
    await settled();
    expect(said.slice(2)).toEqual(taken);
  });

  test('that was half given when the power went is taken back at the next start', async () => {
    await online();
    let left: MemoryDatabase | undefined;
    home.set.resumable = false;
    midway(() => {
      left = database.fork();
      home.cut();
    });
    await expect(outbox.allow(party(KEY), OTHER, undefined)).rejects.toMatchObject({ code: 'disconnected' });
    await stop();
    database = left ?? database;
    said.length = 0;
    await start();
    await homes.start();
    await bell.until(() => said.length === 2);
    await settled();
    expect(said).toEqual(taken);
  });

  test('that was half given when the box was revoked is taken back', async () => {
    await online();
    refuses.add('plant/y');
    const { answer } = home.set;
    home.set.answer = (...asked) => {
      if (asked[1] === 'affiliations' && paired.delete(KEY)) void outbox.takeBack().finally(bell.ring);
      return answer(...asked);
    };
    await expect(outbox.allow(party(KEY), OTHER, undefined)).rejects.toMatchObject({ code: 'forbidden' });
    await settled();
    expect(said).toEqual(['plant/x other@home.test publisher', 'plant/x other@home.test none']);
  });

  test('is asked of a home that is connected: nothing is kept of it otherwise', async () => {
    await online();
    await homes.pause(home.account.jid);
    await expect(outbox.allow(party(KEY), OTHER, undefined)).rejects.toMatchObject({ code: 'unreachable' });
    expect(log.registry.entries('carrier')).toEqual([]);
  });

  test('at a home that was removed is denied with the word that it is to be taken back by hand, and takes no room any more', async () => {
    await online();
    await allowed();
    await homes.pause(home.account.jid);
    await revoke();
    await expect(outbox.deny('hall@vm', undefined)).rejects.toMatchObject({ code: 'unreachable' });
    expect([carriers.withdrawn().length, troubles]).toEqual([1, []]);
    await homes.remove(home.account.jid);
    expect(troubles).toMatchObject([{ kind: 'home.outbox', message: expect.stringContaining('other@home.test (hall@vm)') }]);
    await expect(outbox.deny('hall@vm', undefined)).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('by hand') });
    await expect(outbox.deny('hall@vm', undefined)).rejects.toMatchObject({ code: 'not-found' });
    expect(log.registry.entries('carrier')).toEqual([]);
  });

  test('of a box that still has it, too', async () => {
    await online();
    await allowed(NEXT);
    await homes.remove(home.account.jid);
    expect(troubles).toEqual([]);
    await expect(outbox.deny('', NEXT)).rejects.toMatchObject({ code: 'unreachable', message: expect.stringContaining('by hand') });
    expect([outbox.list(), log.registry.entries('carrier')]).toEqual([[], []]);
  });
});

test('what a home that stays connected did not do is tried again', async () => {
  const log = await openLog({ database: new MemoryDatabase(), clock: createSystemClock(), boxId: 'a'.repeat(16), trouble: () => undefined });
  const carriers = new Carriers(log.registry);
  await carriers.withdraw({ ...party(KEY), account: OTHER, jid: home.account.jid }, undefined);
  const clock = createTestClock();
  const results = ['busy', 'timeout', undefined] as const;
  let tries = 0;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what withdrawals use of it
  const homes = [{ account: { jid: home.account.jid }, online: true } as Home];
  const withdrawals = new Withdrawals({
    carriers, clock, trouble: () => undefined, homes: () => homes,
    take: async () => {
      const code = results[tries++];
      if (code) throw new LanpostError(code);
    },
  });
  withdrawals.look();
  for (let n = 1; n <= 3; n++) {
    await withdrawals.inTurn(async () => undefined);
    expect([tries, carriers.withdrawn().length]).toEqual([n, n < 3 ? 1 : 0]);
    clock.advance(300_000);
  }
  await withdrawals.close();
  await log.close();
});

test('trust revoke takes it back at a whole box', async () => {
  const store = await openStore(checkedOptions({ dir, limits: { diskFloor: 0 } }));
  await store.log.registry.set(`trust/${KEY}`, { names: ['hall@vm'], label: 'hall@vm', level: 'paired', grants: [], denials: [], lastSeen: 0 });
  await new Carriers(store.log.registry).add({ ...party(KEY), account: OTHER, jid: home.account.jid });
  await store.opened.close();
  const box = await createBox({ dir, link: false, limits: { diskFloor: 0 }, homes: [] });
  try {
    await box.publish('plant/x', 1);
    home.nodes.set('plant/x', new Map());
    expect(await box.outbox.list()).toMatchObject([{ peer: 'hall@vm', account: `xmpp:${OTHER}` }]);
    await box.trust.revoke('hall@vm');
    expect(await box.outbox.list()).toEqual([]);
    await box.homes.add({ ...home.account, topics: ['plant/#'] });
    await bell.until(() => said.length > 0);
    expect(said).toEqual([`plant/x ${OTHER} none`]);
  } finally {
    await box.close();
  }
});
