// One address, two roads: numbered messages to a paired peer's account, while the link and the way home come and
// go, each change with hundreds on their way that nobody has confirmed.
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

  allDelivered(): Promise<void> {
    return eventually(async () => this.delivered === this.sent, { within: 200_000 });
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
      await one.box.trust.claim(`box@h${two.host}`, `xmpp:${two.jid}`);
      await eventually(async () => (await claimOf(one.box))?.state === 'proven', { within: 20_000 });
    });
    afterAll(() => scene.close());

    it(`lose, double and reorder none of ${MESSAGES} over ${2 * ROUNDS} changes of road, each with ${IN_FLIGHT} in flight`, async () => {
      const talk = new Conversation(one, two);
      const inFlight: string[] = [];
      const said = Math.floor(MESSAGES / ROUNDS);
      for (let round = 0; round < ROUNDS; round++) {
        // The link falls silent: what it was given goes again, through home.
        await talk.say(QUIET);
        await talk.allDelivered();
        await scene.lan.silentCut(one.host);
        await talk.say(BURST);
        await eventually(async () => talk.sent - talk.delivered >= IN_FLIGHT);
        inFlight.push(`${talk.sent - talk.delivered} (${talk.inFlight} handed)`);
        await talk.allDelivered();
        // The recipient is not at home, whose server takes what comes for it; then the link is there again.
        await scene.cutHome(two.host, true);
        await talk.say(BURST);
        await eventually(async () => talk.inFlight >= IN_FLIGHT, { within: 60_000 });
        inFlight.push(`${talk.sent - talk.delivered} (${talk.inFlight} handed)`);
        await scene.lan.restore(one.host);
        await talk.allDelivered();
        // What the server kept comes late, while new ones are on their way.
        await scene.cutHome(two.host, false);
        await talk.say(said - QUIET - 2 * BURST);
        await talk.allDelivered();
      }
      await talk.say(MESSAGES - talk.sent);
      await talk.allDelivered();
      console.info(`sent and not delivered at the changes: ${inFlight.join(', ')}`);
      expect(talk.failures).toEqual([]);
      await eventually(async () => bodies(two, 'no ').length >= MESSAGES, { within: 30_000 });
      expect(bodies(two, 'no ')).toEqual(numbered('no ', MESSAGES));
    }, 590_000);
  });
});
