// One address, two roads: two paired boxes send numbered messages to each other's account, both at once, while the
// link and the way home come and go, each change with hundreds on their way that nobody has confirmed.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Receipt } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { needs } from '../support/needs.ts';
import { bodies, claimOf, numbered, Scene, type Side } from './two-accounts.ts';

const MESSAGES = Number(process.env['LANPOST_MESSAGES'] ?? 2000);
/** Each lasts most of a minute: so long the link takes to notice that its peer is silent, and to give up its stream. */
const ROUNDS = Math.max(1, Math.floor(MESSAGES / 5000));
/** Said and delivered before a road is cut. */
const QUIET = 100;
/** Sent at once when a road is cut, and of these what must be on its way then. */
const BURST = 750;
const IN_FLIGHT = 600;
/** As many calls as one connection to a box takes at once. */
const AT_ONCE = 500;

/** What one side has sent to the other, and what it knows of it. */
class Conversation {
  readonly #from: Side;
  readonly #to: Side;
  sent = 0;
  handed = 0;
  delivered = 0;
  readonly failures: unknown[] = [];

  constructor(from: Side, to: Side) {
    this.#from = from;
    this.#to = to;
  }

  get inFlight(): number { return this.handed - this.delivered; }

  async say(count: number): Promise<void> {
    for (let left = count; left > 0; left -= AT_ONCE) {
      const receipts = Array.from({ length: Math.min(left, AT_ONCE) }, () => this.#from.box.send(`xmpp:${this.#to.jid}`, `no ${this.sent++}`));
      for (const receipt of await Promise.all(receipts)) void this.#follow(receipt);
    }
  }

  async #follow({ handed, delivered }: Receipt): Promise<void> {
    try {
      await handed;
      this.handed += 1;
      await delivered;
      this.delivered += 1;
    } catch (error) {
      this.failures.push(error);
    }
  }

  get undelivered(): number { return this.sent - this.delivered; }
}

/** What both do at once. */
class Talk {
  readonly #both: readonly Conversation[];

  constructor(...both: Conversation[]) { this.#both = both; }

  get failures(): unknown[] { return this.#both.flatMap((one) => one.failures); }

  async say(count: number): Promise<void> {
    await Promise.all(this.#both.map((one) => one.say(count)));
  }

  async allDelivered(): Promise<void> {
    await eventually(async () => this.#both.every((one) => one.undelivered === 0), { within: 200_000 });
  }

  /** How many each has under way, once they are enough. */
  async inFlight(enough: (one: Conversation) => boolean): Promise<string> {
    await eventually(async () => this.#both.every(enough), { within: 60_000 });
    return this.#both.map((one) => `${one.undelivered} (${one.inFlight} handed)`).join(' and ');
  }
}

describe.each(['prosody', 'ejabberd'] as const)('two paired boxes that talk to each other\'s accounts at %s', (kind) => {
  describe.skipIf(!needs('root', kind))('with two roads', () => {
    const scene = new Scene();
    let one: Side, two: Side;
    beforeAll(async () => {
      await scene.open(kind);
      await scene.pair();
      [one, two] = scene.sides as [Side, Side];
      await Promise.all(([[one, two], [two, one]] as const).map(async ([from, to]) => {
        await from.box.trust.claim(`box@h${to.host}`, `xmpp:${to.jid}`);
        await eventually(async () => (await claimOf(from.box))?.state === 'proven', { within: 20_000 });
      }));
    });
    afterAll(() => scene.close());

    it(`lose, double and reorder none of ${MESSAGES} each over ${2 * ROUNDS} changes of road, each with ${IN_FLIGHT} in flight`, async () => {
      const there = new Conversation(one, two);
      const talk = new Talk(there, new Conversation(two, one));
      const inFlight: string[] = [];
      const said = Math.floor(MESSAGES / ROUNDS);
      for (let round = 0; round < ROUNDS; round++) {
        // The link falls silent: what it was given goes again, through home.
        await talk.say(QUIET);
        await talk.allDelivered();
        await scene.lan.silentCut(one.host);
        await talk.say(BURST);
        inFlight.push(await talk.inFlight((way) => way.undelivered >= IN_FLIGHT));
        await talk.allDelivered();
        // The recipient is not at home, whose server takes what comes for it; then the link is there again.
        await scene.cutHome(two.host, true);
        await talk.say(BURST);
        // Who is not at home has handed nothing.
        inFlight.push(await talk.inFlight((way) => (way === there ? way.inFlight : way.undelivered) >= IN_FLIGHT));
        await scene.lan.restore(one.host);
        await talk.allDelivered();
        // What the server kept comes late, while new ones are on their way.
        await scene.cutHome(two.host, false);
        await talk.say(said - QUIET - 2 * BURST);
        await talk.allDelivered();
      }
      await talk.say(MESSAGES - there.sent);
      await talk.allDelivered();
      console.info(`sent and not delivered at the changes: ${inFlight.join(', ')}`);
      expect(talk.failures).toEqual([]);
      await eventually(async () => [one, two].every((side) => bodies(side, 'no ').length >= MESSAGES), { within: 30_000 });
      for (const side of [one, two]) expect(bodies(side, 'no ')).toEqual(numbered('no ', MESSAGES));
    }, 590_000);
  });
});
