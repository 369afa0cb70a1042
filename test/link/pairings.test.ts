import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Box, PairingEvent } from '../../src/api.ts';
import { createSystemClock } from '../../src/clock.ts';
import { deferred } from '../../src/control/deferred.ts';
import { LanpostError } from '../../src/errors.ts';
import type { PeerContext } from '../../src/link/context.ts';
import { Pairings } from '../../src/link/pairings.ts';
import type { Ends, PeerStreams } from '../../src/link/streams-port.ts';
import { PairingDesk } from '../../src/pairing-desk.ts';
import { fingerprintOf } from '../../src/trust/fingerprint.ts';
import { commitment } from '../../src/trust/pairing-words.ts';
import { buildStep, nonceElement, type PairingStep } from '../../src/xep/pairing.ts';
import { type Element, xml } from '../../src/xmpp/element.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { Bell } from '../support/bell.ts';
import { quiet } from '../support/quiet.ts';
import { seen, SimulatedLan } from './fixtures.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

let lan: SimulatedLan;
let a: ServiceBox;
let b: ServiceBox;

const known = (box: ServiceBox, other: ServiceBox): Promise<void> => seen(box, other.link.name);

beforeEach(async () => {
  lan = new SimulatedLan();
  a = await serviceBox(lan, 1, 'a');
  b = await serviceBox(lan, 2, 'b');
  await Promise.all([known(a, b), known(b, a)]);
});
afterEach(() => lan.close());

type Pairing = AsyncGenerator<PairingEvent>;
async function next<T extends PairingEvent['type']>(pairing: Pairing, type: T): Promise<Extract<PairingEvent, { type: T }>> {
  const { value } = await pairing.next() as { value: PairingEvent };
  expect(value).toMatchObject({ type });
  return value as Extract<PairingEvent, { type: T }>;
}

/** Both windows open, one after the other. */
async function opened(): Promise<[Pairing, Pairing]> {
  const here = a.service.pair(b.link.name);
  await next(here, 'waiting');
  const there = b.service.pair(a.link.name);
  await next(there, 'waiting');
  return [here, there];
}

describe('pairing', () => {
  test('shows both owners the same words, and pairs when both say so: what is kept for the other has no end then', async () => {
    await a.service.rules.allow('class:seen', 'read', 't');
    await b.service.subscribe(a.link.name, 't', { durable: 'r' }).ready;
    const bounds = async (): Promise<boolean[]> => (await a.broker.subscriptions()).map(({ maxBacklog }) => maxBacklog !== undefined);
    expect(await bounds()).toEqual([true]);
    const [here, there] = await opened();
    const [ours, theirs] = await Promise.all([next(here, 'words'), next(there, 'words')]);
    expect(ours.words).toEqual(theirs.words);
    expect(new Set(ours.words).size).toBeGreaterThan(1);
    expect(ours.words).toHaveLength(3);
    await a.service.confirm(b.link.name, true);
    expect(a.trust.level(b.identity.fingerprint)).toBe('seen');
    await b.service.confirm(a.link.name, true);
    expect(await Promise.all([next(here, 'paired'), next(there, 'paired')])).toMatchObject([
      { fingerprint: b.identity.fingerprint, entry: { level: 'paired', grants: [] } },
      { fingerprint: a.identity.fingerprint, entry: { level: 'paired', grants: [] } },
    ]);
    expect([a.trust.level(b.identity.fingerprint), b.trust.level(a.identity.fingerprint)]).toEqual(['paired', 'paired']);
    expect(await bounds()).toEqual([false]);
    expect(await Promise.all([here.next(), there.next()])).toEqual([{ done: true, value: undefined }, { done: true, value: undefined }]);
  });

  test('of two desks at one box, as its status page and a dialog have, one pairs; the other says that it is under way', async () => {
    const bell = new Bell();
    const desk = (): PairingDesk => {
      const trust: Pick<Box['trust'], 'pair' | 'confirm'> = { pair: (peer, options) => a.service.pair(peer, options?.signal), confirm: (peer, same) => a.service.confirm(peer, same) };
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what a desk uses of it
      return new PairingDesk({ box: { trust: trust as Box['trust'] }, changed: bell.ring });
    };
    const [page, dialog] = [desk(), desk()];
    page.start(b.link.name);
    await bell.until(() => page.list()[0]?.state === 'waiting');
    dialog.start(b.link.name);
    await bell.until(() => dialog.list()[0]?.state === 'failed');
    expect(dialog.list()).toMatchObject([{ reason: expect.stringContaining('under way already') }]);
    const there = b.service.pair(a.link.name);
    await next(there, 'waiting');
    const { words } = await next(there, 'words');
    await bell.until(() => page.list()[0]?.state === 'words');
    expect(page.list()).toMatchObject([{ words }]);
    // Whoever stops what failed stops nothing else, and answers for nothing else.
    await expect(dialog.answer(dialog.list()[0]?.id ?? '', words, true)).rejects.toMatchObject({ code: 'not-found' });
    dialog.stop(dialog.list()[0]?.id ?? '');
    await page.answer(page.list()[0]?.id ?? '', words, true);
    await b.service.confirm(a.link.name, true);
    await bell.until(() => page.list()[0]?.state === 'paired');
    expect(dialog.list()).toEqual([]);
    page.close();
    await there.return(undefined);
  });

  test('works when both open at the same moment', async () => {
    const both = [a.service.pair(b.link.name), b.service.pair(a.link.name)];
    await Promise.all(both.map((pairing) => next(pairing, 'waiting')));
    const [ours, theirs] = await Promise.all(both.map((pairing) => next(pairing, 'words')));
    expect(ours?.words).toEqual(theirs?.words);
    await Promise.all([a.service.confirm(b.link.name, true), b.service.confirm(a.link.name, true)]);
    await Promise.all(both.map((pairing) => next(pairing, 'paired')));
  });

  test('pairs nobody when one owner says that the words differ', async () => {
    const [here, there] = await opened();
    await Promise.all([next(here, 'words'), next(there, 'words')]);
    await a.service.confirm(b.link.name, true);
    await b.service.confirm(a.link.name, false);
    expect(await Promise.all([next(here, 'failed'), next(there, 'failed')])).toMatchObject([{ reason: 'refused' }, { reason: 'refused' }]);
    expect([a.trust.level(b.identity.fingerprint), b.trust.level(a.identity.fingerprint)]).toEqual(['seen', 'seen']);
  });

  test('asks nothing of a box whose owner has opened no window, and is asked nothing by one', async () => {
    await expect(a.link.request(b.link.name, buildStep({ step: 'commit', commitment: commitment(Buffer.alloc(32)) }))).rejects.toMatchObject({ condition: 'unexpected-request' });
    await expect(a.link.request(b.link.name, buildStep({ step: 'same', same: true }))).rejects.toMatchObject({ condition: 'unexpected-request' });
    await expect(a.service.confirm(b.link.name, true)).rejects.toMatchObject({ code: 'not-found' });
    expect(b.trust.level(a.identity.fingerprint)).toBe('seen');
  });

  test('takes a reveal only of what was committed to, and three tries', async () => {
    const there = b.service.pair(a.link.name);
    await next(there, 'waiting');
    const once = (): Promise<unknown> => a.link.request(b.link.name, buildStep({ step: 'commit', commitment: commitment(Buffer.alloc(32, 1)) }));
    // Its own beginning, which finds no window here, may still be under way.
    const commit = (): Promise<unknown> => once().catch((error: unknown) => (error instanceof StanzaError && error.condition === 'conflict' ? commit() : Promise.reject(error)));
    for (let tries = 0; tries < 3; tries++) {
      await commit();
      await expect(a.link.request(b.link.name, buildStep({ step: 'reveal', nonce: Buffer.alloc(32, 2) }))).rejects.toMatchObject({ condition: 'not-acceptable' });
    }
    await expect(commit()).rejects.toMatchObject({ condition: 'policy-violation' });
    expect(await next(there, 'failed')).toMatchObject({ reason: 'tries' });
  });

  test('does not let a peer say yes before there are words, nor change the words that are shown', async () => {
    const [here, there] = await opened();
    const [ours] = await Promise.all([next(here, 'words'), next(there, 'words')]);
    await expect(a.link.request(b.link.name, buildStep({ step: 'commit', commitment: commitment(Buffer.alloc(32, 1)) }))).rejects.toMatchObject({ condition: 'policy-violation' });
    await a.link.request(b.link.name, buildStep({ step: 'same', same: true }));
    expect(b.trust.level(a.identity.fingerprint)).toBe('seen'); // its own owner has not
    expect(ours.words).toHaveLength(3);
    await here.return(undefined);
    await there.return(undefined);
  });

  test('one window for a peer; leaving the iteration closes it', async () => {
    const here = a.service.pair(b.link.name);
    await next(here, 'waiting');
    await expect(a.service.pair(b.link.name).next()).rejects.toMatchObject({ code: 'in-use' });
    await here.return(undefined);
    const again = a.service.pair(b.link.name);
    await next(again, 'waiting');
    await again.return(undefined);
  });

  test('is over after two minutes, and when the box closes', async () => {
    const here = a.service.pair(b.link.name);
    const { until } = await next(here, 'waiting');
    expect(until - Date.now()).toBeGreaterThan(110_000);
    await a.close();
    expect(await next(here, 'failed')).toMatchObject({ reason: 'closed' });
  });
});

/** Windows at peers who are spoken for here: who has a name, and what their boxes answer. */
function windows({ answer = async () => { throw new StanzaError('unexpected-request'); }, proven = async () => undefined }: { answer?: (step: Element) => Promise<Element>; proven?: () => Promise<void> } = {}) {
  const keys = { evil: Buffer.from('evil'), good: Buffer.from('good') };
  let has: keyof typeof keys = 'evil';
  const paired: string[] = [];
  const bindings = Buffer.from('one stream');
  const own = Buffer.from('us');
  const pairings = new Pairings({
    clock: createSystemClock(), trouble: () => undefined,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what pairings use of it
    streams: { request: (_name: string, step: Element) => answer(step) } as unknown as PeerStreams,
    prove: async (name) => {
      await proven();
      return { name, fingerprint: fingerprintOf(keys[has]) };
    },
    ends: () => ({ own, peer: keys[has], binding: bindings }),
    pair: async (fingerprint) => {
      paired.push(fingerprint);
      return { fingerprint, name: 'hall', level: 'paired', grants: [], denials: [], claims: [], lastSeen: 0 };
    },
  });
  const nonce = Buffer.alloc(32, 7);
  const says = (who: keyof typeof keys, step: PairingStep): Promise<unknown> => pairings.asked(stepIn(step), context(keys[who], { own, peer: keys[who], binding: bindings }));
  return {
    pairings, paired, keys,
    passes: () => { has = 'good'; },
    same: (who: keyof typeof keys) => says(who, { step: 'same', same: true }),
    /** The peer makes the words known to both. */
    words: async (who: keyof typeof keys) => {
      await says(who, { step: 'commit', commitment: commitment(nonce) });
      await says(who, { step: 'reveal', nonce });
    },
  };
}

const stepIn = (step: PairingStep): Element => buildStep(step).getChild('pair') ?? raise();
const raise = (): never => { throw new Error('no step'); };
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what pairings use of it
const context = (spki: Uint8Array, ends: Ends): PeerContext => ({ fingerprint: fingerprintOf(spki), ends: () => ends }) as unknown as PeerContext;

describe('a name that passes to another key between two pairings', () => {
  test('the owner answers for the words of the second, and the first, which said yes already, is over', async () => {
    const { pairings, paired, keys, passes, same, words } = windows();
    const first = pairings.open('hall');
    await next(first, 'waiting');
    await words('evil');
    await next(first, 'words');
    await same('evil');
    passes();
    const second = pairings.open('hall');
    await next(second, 'waiting');
    expect(await next(first, 'failed')).toMatchObject({ fingerprint: fingerprintOf(keys.evil), reason: 'failed' });
    await words('good');
    await next(second, 'words');
    // What the owner still says of the words of the first is for nobody.
    await expect(pairings.confirm(fingerprintOf(keys.evil), true)).rejects.toMatchObject({ code: 'not-found' });
    await same('good');
    await pairings.confirm('hall', true).catch(() => undefined); // these boxes do not listen
    expect(paired).not.toContain(fingerprintOf(keys.evil));
    await pairings.close();
  });
});

test('our own try, begun again when a stream was lost, does not change words that are shown', async () => {
  const back = deferred<void>();
  let asked = 0;
  const { pairings, words } = windows({
    answer: async () => {
      if (++asked === 1) throw new LanpostError('disconnected');
      return xml('iq', { type: 'result' }, nonceElement(Buffer.alloc(32, 9)));
    },
    proven: () => (asked === 0 ? Promise.resolve() : back.promise),
  });
  const pairing = pairings.open('hall');
  await next(pairing, 'waiting');
  await quiet();
  await words('evil');
  await next(pairing, 'words');
  back.resolve();
  await quiet();
  await pairings.close();
  expect((await next(pairing, 'failed')).reason).toBe('closed');
});
