// Before a topic's items are sent: its node is made, and what it has of them is found out.
import { LanpostError } from '../errors.ts';
import { xml, type Element } from '../xmpp/element.ts';
import type { RequestOptions } from '../xmpp/iq.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { failureOf } from './failure.ts';
import type { Failures, Whose } from './failures.ts';
import { PAGE_ITEMS, type Entry, type Lane } from './lane.ts';
import { createNode, newestThere, probe, readBack, type NodeCheckParts, type ReadBack } from './node-check.ts';
import { ownersOf } from './node-info.ts';
import { FEWEST, NodeRoom } from './node-room.ts';
import { newestSent } from './newest-sent.ts';
import { reasonOf } from './reason.ts';
import type { HomeSession } from './session.ts';
import type { Stretch } from './stretches.ts';
import type { Work } from './work.ts';

/** At once. */
const CHECKS = 8;
/** Longer than a dead link takes to be noticed, so that it is not mistaken for a dead service. */
const ANSWER = 90_000;
/** What a node keeps is good to know, and nothing waits for it for long: an answer may be lost where a session is taken up again. */
const ADVICE = 10_000;
/** Why a question is over that is asked anew. */
const ONCE_MORE = new LanpostError('disconnected', 'It is asked once more.');

export interface CheckingParts {
  readonly work: Work;
  readonly failures: Failures;
  readonly wake: (lane: Lane) => void;
  /** Of one item made of many records, as fast as the home takes them. */
  readonly packBytes: () => number;
}

export class Checking {
  readonly #parts: CheckingParts;
  readonly #node: NodeCheckParts;
  readonly room: NodeRoom;
  /** Asked and not answered. */
  readonly #open = new Set<Element>();
  /** Of them, what the server had not heard of before the session was taken up again. */
  readonly #saidAgain = new Set<Element>();
  #checks = 0;

  constructor(parts: CheckingParts) {
    this.#parts = parts;
    const { options: { log, jid, trouble }, packs, pep } = parts.work;
    this.#node = {
      log, pep, packs, request: (iq) => this.#request(iq),
      moved: (topic, reason) => trouble({ kind: 'home.pep', message: `${jid}: ${topic ?? 'all that goes up'} goes to the account's own service (PEP) from now on, where only the account may read what is not open: ${reason}` }),
    };
    this.room = new NodeRoom({ work: parts.work, request: (iq) => this.#advice(iq), packBytes: parts.packBytes });
  }

  /** Another session: whatever was being checked will not be answered. */
  begin(): void {
    this.#checks = 0;
    this.room.begin();
  }

  /**
   * The session has been taken up again. What the server has to say once more comes first: an answer that has not come by then was
   * lost, and whoever waits for it would do so for long. Of what had to be said once more there was none yet.
   */
  resumed(session: HomeSession): void {
    const asked = [...this.#open].filter((question) => !this.#saidAgain.has(question));
    this.#saidAgain.clear();
    session.onProof(() => { for (const question of asked) session.iq.refused(question, ONCE_MORE); });
  }

  /** An answer was too large to take: fewer at once, in the end none. */
  choked(): void {
    for (const lane of this.#parts.work.lanes.values()) if (lane.phase === 'checking') lane.page = Math.floor(lane.page / 8) || (lane.page > 1 ? 1 : 0);
  }

  /** False: enough are being checked. */
  check(lane: Lane): boolean {
    if (this.#checks >= CHECKS) return false;
    this.#checks++;
    lane.phase = 'checking';
    lane.outdated = false;
    const { work, failures, wake } = this.#parts;
    const { generation } = work;
    this.#checked(lane, generation).then(
      () => {
        if (generation !== work.generation) return undefined;
        lane.phase = lane.outdated ? 'new' : 'ready';
        if (lane.page > 0) lane.page = PAGE_ITEMS;
        return undefined;
      },
      (error: unknown) => {
        if (generation !== work.generation) return undefined;
        lane.phase = 'new';
        const failure = failureOf(error);
        lane.reason = reasonOf(error);
        if (failure !== 'unknown') failures.act(lane, failure === 'poison' || failure === 'create' ? 'hold' : failure, 3);
        return undefined;
      },
    ).finally(() => {
      if (generation === work.generation) this.#checks--;
      wake(lane);
    });
    return true;
  }

  async #checked(lane: Lane, generation: number): Promise<void> {
    const still = (): boolean => generation === this.#parts.work.generation;
    if (!lane.created) await createNode(lane, this.#node);
    if (lane.readBack && still()) {
      const found = await readBack(lane, this.#node);
      if (still()) await this.#apply(lane, found);
    }
    // It was gone: publishing would make it anew, but not as it should be.
    if (!lane.created && still()) await createNode(lane, this.#node);
    // After that: what the node has let go of tells how many it kept until now.
    if (this.room.isDue(lane) && still()) await this.room.measure(lane);
    if (lane.room === undefined && lane.flight.size >= FEWEST && still()) await this.room.bound(lane);
    if (still()) await this.#dropReplaced(lane, still);
    const doubtful = this.#whole(lane).filter((entry) => this.#parts.work.isDoubtful(lane, entry));
    if (doubtful.length > 0 && still()) {
      const { asked, present } = await probe(lane, doubtful, this.#node);
      // Where nothing may be asked any more, they go as they are.
      if (still()) await this.#found(lane, asked.length > 0 ? asked : doubtful, present, still);
    }
    // Or is gone by now.
    if (!lane.created && still()) await createNode(lane, this.#node);
  }

  /** Of what waits, all before a pack that has not been read to its end: what is in it is at home in the pack, or not at all. */
  #whole({ topic, queue }: Lane): readonly Entry[] {
    const { packs } = this.#parts.work;
    const half = queue.findIndex((entry) => !entry.pack && !entry.retried && packs.covering(topic, entry.seq) !== undefined);
    return half < 0 ? queue : queue.slice(0, half);
  }

  /** That the topic's node is not there, or to whom it belongs, when it is not the account's, and what may be done about it. */
  async whose(lane: Lane): Promise<Whose | undefined> {
    const { options: { jid }, pep } = this.#parts.work;
    const owners = await ownersOf(pep.serviceOf(lane.topic), lane.node, this.#node.request);
    if (owners === undefined) return { words: `the node ${lane.node} is not there${lane.unmade === undefined ? '' : ` and cannot be made: ${lane.unmade}`}`, owned: false };
    if (owners.includes(jid)) return undefined;
    const own = lane.rule.node.includes('{box}') ? '' : `; nodes of this box's own are had by node={box}/${lane.rule.node} in the rule of ${lane.rule.filter}`;
    return { words: `the node ${lane.node} belongs to ${owners.length > 0 ? owners.join(', ') : 'another account, which the service does not name'}${own}`, owned: true };
  }

  /** Until it is answered: where a session that is taken up again has lost that, it is asked anew. */
  async #request(iq: Element): Promise<Element> {
    for (;;) {
      // A stanza of its own: the one before may have to be said again, as it was.
      const question = xml('iq', iq.attrs, ...iq.children);
      this.#open.add(question);
      try {
        return await this.#ask(question, { timeout: ANSWER, again: () => this.#saidAgain.add(question) });
      } catch (error) {
        if (error !== ONCE_MORE) throw error;
      } finally {
        this.#open.delete(question);
      }
    }
  }

  async #ask(iq: Element, options: RequestOptions): Promise<Element> {
    const { session } = this.#parts.work;
    if (!session) throw new LanpostError('disconnected');
    return session.iq.request(iq, options);
  }

  #advice(iq: Element): Promise<Element> {
    return this.#ask(iq, { timeout: ADVICE }).catch((error: unknown) => {
      throw error instanceof LanpostError && error.code === 'timeout' ? new StanzaError('remote-server-timeout') : error;
    });
  }

  async #apply(lane: Lane, { arrived, missing, lost, first }: ReadBack): Promise<void> {
    const { work } = this.#parts;
    const { generation } = work;
    // Before anything is forgotten: this is what may fail.
    if (lost > 0) await work.apart(lane);
    if (generation !== work.generation) return;
    lane.unknown = [];
    work.seen(lane);
    for (const entry of arrived) work.acked(lane, entry);
    work.queued(lane, missing);
    if (lost === 0) return;
    const { jid, trouble } = work.options;
    trouble({ kind: 'home.lost', message: `${jid}: ${lost} acknowledged items of ${lane.topic} were no longer there and are sent again` });
    // In a node that keeps only so many items, what is sent again would drive out newer ones: these follow it.
    for (const stretch of lane.stretches) stretch.probed = Infinity;
    work.sendAgain(lane, first);
  }

  /**
   * What was put aside, or stood back, is not sent once more where a newer item has taken its place meanwhile: it would put itself over that.
   * Nor is, in the lane `latest`, what failed, or was on its way when the session went: the newer one may have got through.
   */
  async #dropReplaced(lane: Lane, still: () => boolean): Promise<void> {
    const { work } = this.#parts;
    const { log, jid, trouble } = work.options;
    const isLatest = work.isLatest(lane);
    for (const entry of lane.queue.filter((one) => !one.looked && ((isLatest && !one.pack) || work.wasPassed(lane, one)))) {
      const isTold = work.wasPassed(lane, entry);
      if (!await log.isReplaced(entry.record) || !still() || !work.drop(lane, entry) || !isTold) continue;
      trouble({ kind: 'home.poison', message: `${jid}: ${entry.recordId} of ${lane.topic} is not sent once more: there is a newer ${entry.itemId}` });
    }
  }

  async #found(lane: Lane, asked: readonly Entry[], present: ReadonlySet<Entry>, still: () => boolean): Promise<void> {
    const { work } = this.#parts;
    for (const [i, stretch] of lane.stretches.entries()) {
      const mine = asked.filter(({ retried, seq }) => !retried && lane.stretchOf(seq) === stretch);
      const known = mine.findLast((entry) => present.has(entry));
      if (lane.rule.pack && mine.length > 0 && !known) await this.#sentAlone(lane, stretch);
      else if (!lane.rule.pack && stretch.sent === Infinity && mine.some((entry, at) => !present.has(entry) && (!known || at < mine.indexOf(known)))) await this.#lookBehind(lane, stretch, { to: (lane.stretches[i + 1]?.from ?? Infinity) - 1, after: mine.at(-1)?.seq ?? 0, known: known?.seq });
      if (!still()) return;
    }
    for (const { pack, seq } of present) if (!pack) lane.sentAlone(seq);
    for (const entry of asked) entry.looked = true;
    for (const entry of lane.queue.filter((queued) => present.has(queued))) {
      work.reading.unqueued(lane, entry);
      work.acked(lane, entry);
    }
    lane.queue = lane.queue.filter((entry) => !present.has(entry));
    for (const entry of asked.filter((one) => !present.has(one) && work.wasThere(lane, one))) if (work.takeOut(lane, entry)) lane.cursor.done(entry.seq);
    work.reading.makeRoom();
  }

  /** Sent in order: what is not there, before others that are, was there, or failed. When nothing behind it is there either, none of it was sent. */
  async #lookBehind(lane: Lane, stretch: Stretch, { to, after, known }: { readonly to: number; readonly after: number; readonly known: number | undefined }): Promise<void> {
    const { work } = this.#parts;
    const { options: { carried }, packs } = work;
    const past = work.reading.pastOf(lane.main);
    const tells = (seq: number): boolean => !carried.may(seq) && !packs.covering(lane.topic, seq) && past?.({ topic: lane.topic, seq }) !== 'done';
    const sent = lane.page === 0 ? undefined : await newestSent(lane, { from: stretch.from, to: Math.min(to, work.seenTo(lane)), after, known }, { ...this.#node, tells });
    if (!sent) stretch.probed = Infinity;
    else {
      stretch.sent = sent.to;
      // What failed is known of this reader alone; and in the lane `latest` not all went that is not there any more.
      stretch.through = past || work.isLatest(lane) ? 0 : sent.through;
    }
  }

  /** In a node that keeps only so many items the first may have been driven out by the later: what of those went alone is to go alone again. */
  async #sentAlone(lane: Lane, stretch: Stretch): Promise<void> {
    const waiting = lane.queue.filter(({ retried, seq }) => !retried && lane.stretchOf(seq) === stretch);
    const alone = waiting.filter((entry) => !entry.pack && entry.redelivered && entry.itemId === entry.recordId && !this.#parts.work.packs.covering(lane.topic, entry.seq));
    const to = await newestThere(lane, alone, this.#node);
    if (to !== undefined) lane.sentAlone(to);
    // What is read from now on is asked for again.
    stretch.probed = Math.max(stretch.probed, ...waiting.map(({ pack, seq }) => pack?.bundle.last ?? seq));
  }
}
