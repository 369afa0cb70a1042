import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import { deferred } from '../../src/control/deferred.ts';
import { Intake } from '../../src/link/intake.ts';
import type { PeerStreams } from '../../src/link/streams-port.ts';
import { type Element, xml } from '../../src/xmpp/element.ts';
import { quiet } from '../support/quiet.ts';
import { SimulatedLan } from './fixtures.ts';
import { serviceBox, type ServiceBox } from './service-box.ts';

const PEER = { name: 'mute', fingerprint: 'ab'.repeat(32) };

let lan: SimulatedLan;
let box: ServiceBox;
/** What the peer was asked; it answers when it is let. */
let asked: Element[];
const answer = deferred<void>();
let intake: Intake;

beforeEach(async () => {
  lan = new SimulatedLan();
  box = await serviceBox(lan, 1, 'box');
  asked = [];
  const request: PeerStreams['request'] = async (_name, iq) => {
    asked.push(iq);
    await answer.promise;
    return xml('iq', { type: 'result' });
  };
  intake = new Intake({
    broker: box.broker, log: box.log, clock: createSystemClock(), trouble: () => undefined, ownName: () => 'box', wants: () => undefined,
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what an intake uses of it
    streams: { request } as unknown as PeerStreams, prove: async () => PEER, nameOf: () => PEER.name,
  });
});
afterEach(async () => {
  intake.close();
  await lan.close();
});

describe('a peer that does not answer', () => {
  test('keeps nobody from leaving, by close or by signal; a yes that comes later is taken back', async () => {
    const closed = intake.subscribe(PEER.name, 't', { durable: 'r' });
    const stop = new AbortController();
    const aborted = intake.subscribe(PEER.name, 't', { signal: stop.signal });
    await quiet();
    expect(asked).toHaveLength(2);
    await closed.close();
    stop.abort(new Error('enough'));
    await expect(closed.ready).rejects.toMatchObject({ code: 'closed' });
    await expect(aborted.ready).rejects.toThrow('enough');
    expect([...intake.fingerprints()]).toEqual([]);
    await expect.poll(async () => (await box.broker.subscriptions()).filter(({ readers }) => readers > 0)).toEqual([]);
    answer.resolve();
    await quiet();
    expect(asked.map((iq) => iq.getChild('pubsub')?.getChild('unsubscribe') !== undefined)).toEqual([false, false, true, true]);
  });
});
