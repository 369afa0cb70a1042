// Pairing when what one side says does not reach the other, or one of them goes.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { PairingEvent, Trouble } from '../../src/api.ts';
import { createTestClock, type TestClock } from '../../src/clock.ts';
import { deferred } from '../../src/control/deferred.ts';
import { LanpostError } from '../../src/errors.ts';
import type { PeerContext } from '../../src/link/context.ts';
import { Pairings, WINDOW } from '../../src/link/pairings.ts';
import type { PeerStreams } from '../../src/link/streams-port.ts';
import { fingerprintOf } from '../../src/trust/fingerprint.ts';
import { parseStep, type PairingStep } from '../../src/xep/pairing.ts';
import { type Element, xml } from '../../src/xmpp/element.ts';
import { StanzaError } from '../../src/xmpp/stanza-error.ts';
import { quiet } from '../support/quiet.ts';
import { seen, SimulatedLan } from './fixtures.ts';
import { serviceBox } from './service-box.ts';

type Pairing = AsyncGenerator<PairingEvent>;
type Name = 'a' | 'b';
/** What becomes of a step: it never comes, or its answer does not. */
type Fate = 'goes' | 'is lost' | 'loses its answer';

const KEYS = { a: Buffer.from('a'), b: Buffer.from('b') };
const binding = Buffer.from('one stream');
const otherOf = (name: Name): Name => (name === 'a' ? 'b' : 'a');

interface Side {
  readonly pairings: Pairings;
  readonly troubles: Trouble[];
  paired: boolean;
  readonly heard: PairingStep[];
}

/** Two boxes and the streams between them, which lose what a test says. */
class Joined {
  fate: (from: Name, step: PairingStep) => Fate = () => 'goes';
  /** Before a stream is there. */
  proven: (name: Name) => Promise<void> = () => Promise.resolve();
  diskFails = false;
  readonly clock: TestClock = createTestClock();
  readonly a: Side = this.#side('a');
  readonly b: Side = this.#side('b');

  #side(name: Name): Side {
    const other = otherOf(name);
    const side: Side = {
      paired: false, troubles: [], heard: [],
      pairings: new Pairings({
        clock: this.clock,
        trouble: (found) => side.troubles.push(found),
        // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what pairings use of it
        streams: { request: (_to: string, iq: Element) => this.#carry(name, iq) } as unknown as PeerStreams,
        prove: async () => {
          await this.proven(name);
          return { name: other, fingerprint: fingerprintOf(KEYS[other]) };
        },
        ends: () => ({ own: KEYS[name], peer: KEYS[other], binding }),
        pair: async (fingerprint) => {
          await Promise.resolve();
          if (this.diskFails) throw new LanpostError('disk-full');
          side.paired = true;
          return { fingerprint, name: other, level: 'paired', grants: [], denials: [], lastSeen: 0 };
        },
      }),
    };
    return side;
  }

  async #carry(from: Name, iq: Element): Promise<Element> {
    const pair = iq.getChild('pair');
    if (!pair) throw new Error('no step');
    const step = parseStep(pair);
    const fate = this.fate(from, step);
    await Promise.resolve();
    if (fate === 'is lost') throw new LanpostError('disconnected');
    const to = this[otherOf(from)];
    to.heard.push(step);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what pairings use of it
    const context = { fingerprint: fingerprintOf(KEYS[from]), ends: () => ({ own: KEYS[otherOf(from)], peer: KEYS[from], binding }) } as unknown as PeerContext;
    const answer = await to.pairings.asked(pair, context).catch((error: unknown) => { throw error instanceof StanzaError ? error : new StanzaError('internal-server-error'); });
    if (fate === 'loses its answer') throw new LanpostError('disconnected');
    return xml('iq', { type: 'result' }, ...answer ? [answer] : []);
  }

  /** Both show the words. */
  async words(): Promise<[Pairing, Pairing]> {
    const pairings: [Pairing, Pairing] = [this.a.pairings.open('b'), this.b.pairings.open('a')];
    for (const pairing of pairings) await next(pairing, 'waiting');
    for (const pairing of pairings) await next(pairing, 'words');
    return pairings;
  }

  get paired(): [boolean, boolean] { return [this.a.paired, this.b.paired]; }
}

async function next<T extends PairingEvent['type']>(pairing: Pairing, type: T): Promise<Extract<PairingEvent, { type: T }>> {
  const { value } = await pairing.next() as { value: PairingEvent };
  expect(value).toMatchObject({ type });
  return value as Extract<PairingEvent, { type: T }>;
}

const isYes = (step: PairingStep): boolean => step.step === 'same' && step.same;

describe('both owners have said yes', () => {
  let boxes: Joined;
  let here: Pairing;
  let there: Pairing;
  beforeEach(async () => {
    boxes = new Joined();
    [here, there] = await boxes.words();
  });

  test.each<Fate>(['is lost', 'loses its answer'])('the second yes %s once: both are paired', async (fate) => {
    await boxes.b.pairings.confirm('a', true);
    let yeses = 0;
    boxes.fate = (from, step) => (from === 'a' && isYes(step) && ++yeses === 1 ? fate : 'goes');
    await boxes.a.pairings.confirm('b', true);
    await Promise.all([next(here, 'paired'), next(there, 'paired')]);
    expect([boxes.paired, boxes.a.troubles, boxes.b.troubles]).toEqual([[true, true], [], []]);
  });

  test.each<Fate>(['is lost', 'loses its answer'])('the first yes %s each time: its owner is told, and both are paired by the second', async (fate) => {
    boxes.fate = (from, step) => (from === 'b' && isYes(step) ? fate : 'goes');
    await expect(boxes.b.pairings.confirm('a', true)).rejects.toMatchObject({ code: 'disconnected' });
    boxes.fate = () => 'goes';
    await boxes.a.pairings.confirm('b', true);
    await Promise.all([next(here, 'paired'), next(there, 'paired')]);
    expect([boxes.paired, boxes.a.troubles, boxes.b.troubles]).toEqual([[true, true], [], []]);
  });

  test('the second yes is lost each time: the side that is paired says so, hears it when the other goes, and pairing once more mends it', async () => {
    await boxes.b.pairings.confirm('a', true);
    boxes.fate = (from, step) => (from === 'a' && isYes(step) ? 'is lost' : 'goes');
    await boxes.a.pairings.confirm('b', true);
    await next(here, 'paired');
    expect([boxes.paired, boxes.a.troubles]).toEqual([[true, false], [{ kind: 'link.pairing', message: expect.stringContaining('pair them again') }]]);
    boxes.clock.advance(WINDOW - 1);
    boxes.clock.advance(1);
    expect(await next(there, 'failed')).toMatchObject({ reason: 'expired' });
    await quiet();
    expect([boxes.paired, boxes.a.troubles.length]).toEqual([[true, false], 2]);
    await Promise.all([here.return(undefined), there.return(undefined)]);
    boxes.fate = () => 'goes';
    [here, there] = await boxes.words();
    await boxes.a.pairings.confirm('b', true);
    await boxes.b.pairings.confirm('a', true);
    await Promise.all([next(here, 'paired'), next(there, 'paired')]);
    expect([boxes.paired, boxes.a.troubles.length, boxes.b.troubles.length]).toEqual([[true, true], 2, 0]);
  });

  test('the peer answers the second with an error: it is not paired, and nor is this box', async () => {
    await boxes.b.pairings.confirm('a', true);
    boxes.diskFails = true;
    await expect(boxes.a.pairings.confirm('b', true)).rejects.toMatchObject({ condition: 'internal-server-error' });
    expect(await next(there, 'failed')).toMatchObject({ reason: 'failed' });
    expect(await next(here, 'failed')).toMatchObject({ reason: 'failed', detail: 'b has ended the pairing' });
    expect(boxes.paired).toEqual([false, false]);
  });
});

describe('nobody is paired', () => {
  test('by a yes of the peer, without the owner\'s own; nor by the owner\'s, without that of the peer, however often either is said', async () => {
    const boxes = new Joined();
    const [here, there] = await boxes.words();
    await boxes.a.pairings.confirm('b', true);
    await boxes.a.pairings.confirm('b', true);
    await quiet();
    expect(boxes.paired).toEqual([false, false]);
    await Promise.all([here.return(undefined), there.return(undefined)]);
  });

  test('by a yes for the words of an earlier window, that comes again in the next', async () => {
    const boxes = new Joined();
    let [here, there] = await boxes.words();
    await boxes.b.pairings.confirm('a', true);
    // a is paired alone, and waits for a stream to be heard over.
    const back = deferred<void>();
    let asked = 0;
    boxes.proven = (name) => (name === 'a' && ++asked === 1 ? back.promise : Promise.resolve());
    boxes.fate = (from, step) => (from === 'a' && isYes(step) ? 'is lost' : 'goes');
    const first = boxes.a.pairings.confirm('b', true);
    await next(here, 'paired');
    await there.return(undefined);
    boxes.fate = () => 'goes';
    [here, there] = await boxes.words();
    back.resolve();
    await first;
    await boxes.b.pairings.confirm('a', true);
    await quiet();
    expect(boxes.paired).toEqual([true, false]); // until a's owner has said yes to these words
    await boxes.a.pairings.confirm('b', true);
    await Promise.all([next(here, 'paired'), next(there, 'paired')]);
  });
});

describe('a side that leaves while words are shown', () => {
  test('tells the other, once, which needs not wait for its two minutes', async () => {
    const boxes = new Joined();
    const [here, there] = await boxes.words();
    await here.return(undefined);
    expect(await next(there, 'failed')).toMatchObject({ reason: 'failed', detail: 'a has ended the pairing' });
    await quiet();
    expect([boxes.a.heard, boxes.b.heard].map((steps) => steps.filter(({ step }) => step === 'left').length)).toEqual([0, 1]);
    // And both can begin anew at once.
    await boxes.words();
  });

  test('tells nobody what it has told already, or was told', async () => {
    const boxes = new Joined();
    const [here, there] = await boxes.words();
    await boxes.a.pairings.confirm('b', false);
    await Promise.all([next(here, 'failed'), next(there, 'failed')]);
    await quiet();
    expect([...boxes.a.heard, ...boxes.b.heard].filter(({ step }) => step === 'left')).toEqual([]);
  });

  test('is not waited for when the other says nothing', async () => {
    const boxes = new Joined();
    await boxes.words();
    boxes.b.pairings.asked = () => new Promise(() => undefined);
    const closed = boxes.a.pairings.close();
    await quiet();
    boxes.clock.advance(2_000);
    await expect(closed).resolves.toBeUndefined();
  });
});

describe('between boxes', () => {
  let lan: SimulatedLan;
  beforeEach(() => { lan = new SimulatedLan(); });
  afterEach(() => lan.close());

  test.each(['its owner has thought better of it', 'it is stopped'])('who leaves while words are shown, because %s, is not waited for', async (why) => {
    const [a, b] = [await serviceBox(lan, 1, 'a'), await serviceBox(lan, 2, 'b')];
    await Promise.all([seen(a, b.link.name), seen(b, a.link.name)]);
    const stopper = new AbortController();
    const here = a.service.pair(b.link.name, stopper.signal);
    await next(here, 'waiting');
    const there = b.service.pair(a.link.name);
    await next(there, 'waiting');
    await Promise.all([next(here, 'words'), next(there, 'words')]);
    await b.service.confirm(a.link.name, true);
    const ending = here.next().catch(() => undefined);
    if (why === 'it is stopped') await a.close();
    else stopper.abort();
    await ending;
    expect(await next(there, 'failed')).toMatchObject({ reason: 'failed', detail: 'a@h1 has ended the pairing' });
  });
});
