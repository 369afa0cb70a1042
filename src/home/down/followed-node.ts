// One node of a home that comes down: subscribed to, caught up with, and then followed, event by event.
import { children, serialize, type Element } from '../../xmpp/element.ts';
import type { HomeSession } from '../session.ts';
import { lastOf } from './beginning.ts';
import { catchUp, FIRST_PAGE, type CatchUpParts } from './catch-up.ts';
import type { Change } from './event.ts';
import { type HomeItem, readItem } from './item.ts';
import type { Outcome, Target } from './keeper.ts';
import type { OwnRetractions } from './own-retractions.ts';
import { subscribeRequest } from './request.ts';

export interface FollowedNodeParts extends Omit<CatchUpParts, 'request' | 'short' | 'lists'> {
  readonly target: Target;
  /** What it holds when it is first seen is not wanted. */
  readonly onlyNew: boolean;
  readonly ownRetractions: OwnRetractions;
  /** It must be caught up with. */
  readonly behind: (node: FollowedNode) => void;
  /** It is not there any more, or the service sends nothing of it. */
  readonly gone: (node: FollowedNode) => void;
  readonly short: (target: Target, count: number) => void;
}

/** waiting: nothing of it is taken, all will be fetched. beginning: it is being fetched. */
export type NodeState = 'waiting' | 'beginning' | 'following';

/** Longer than a dead link takes to be noticed. */
const ANSWER = 90_000;
/** What comes while a node is caught up with; beyond it, it is caught up with once more. */
const KEPT_BACK = { changes: 256, bytes: 1 << 20 } as const;
/** Times that happens before others have their turn. */
const ROUNDS = 4;

export class FollowedNode {
  readonly target: Target;
  readonly #parts: FollowedNodeParts;
  #state: NodeState = 'waiting';
  #page = FIRST_PAGE;
  readonly #lists = { choked: 0, asking: false };
  #came: Change[] = [];
  #cameBytes = 0;
  #missed = false;
  /** What comes waits for it: it must see the topic as it is then. */
  #clearing: Promise<Outcome> | undefined;
  /** The last that came, and is yet to be written down. */
  #noted: HomeItem[] = [];
  #noting = false;
  /** Records that came since. */
  #unnoted = 0;

  constructor(parts: FollowedNodeParts) {
    this.#parts = parts;
    this.target = parts.target;
  }

  get state(): NodeState {
    return this.#state;
  }

  /** Another session: whatever it was doing is void. */
  reset(): void {
    this.#state = 'waiting';
    this.#forget();
  }

  /** The stream died of an answer to this. */
  choked(): void {
    if (this.#lists.asking) {
      this.#lists.choked += 1;
      this.#lists.asking = false;
    } else if (this.#state === 'beginning') this.#page = Math.max(1, Math.floor(this.#page / 8));
  }

  #forget(): void {
    this.#came = [];
    this.#cameBytes = 0;
    this.#missed = false;
  }

  /** Subscribes and catches up. `later`: nothing can be kept now. */
  async begin(session: HomeSession): Promise<Outcome> {
    const { target, short } = this.#parts;
    const request = (iq: Element): Promise<Element> => session.iq.request(iq, { timeout: ANSWER });
    this.#forget();
    this.#state = 'beginning';
    const still = (): boolean => this.#state === 'beginning';
    // A full JID: what is published is then sent without presence, and once.
    await request(subscribeRequest(target.service, target.node, session.jid));
    for (let round = 0; round < ROUNDS && still(); round++) {
      this.#forget();
      const outcome = await catchUp(target, this.#page, this.#parts.onlyNew, { ...this.#parts, request, lists: this.#lists, short: (count) => short(target, count) });
      if (!still()) return 'kept';
      if (outcome === 'later') break;
      if (this.#missed) continue;
      this.#page = FIRST_PAGE;
      this.#state = 'following';
      await this.#apply(this.#came.splice(0));
      return 'kept';
    }
    if (still()) this.reset();
    return 'later';
  }

  /** Resolves when it is on disk, or will be fetched. */
  receive(changes: readonly Change[]): Promise<void> {
    const { target: { service, node }, ownRetractions } = this.#parts;
    // Whatever becomes of them: one that was expected any longer would hide somebody else's.
    const theirs = changes.filter((change) => change.kind !== 'retract' || !ownRetractions.take(service, node, change.id));
    if (this.#state === 'following') return this.#apply(theirs);
    if (this.#state === 'beginning') this.#keepBack(theirs);
    return Promise.resolve();
  }

  #keepBack(changes: readonly Change[]): void {
    if (this.#missed) return;
    for (const change of changes.slice(0, KEPT_BACK.changes + 1)) {
      this.#came.push(change);
      if (change.kind === 'item') this.#cameBytes += Buffer.byteLength(serialize(change.item));
    }
    if (this.#came.length <= KEPT_BACK.changes && this.#cameBytes <= KEPT_BACK.bytes) return;
    this.#forget();
    this.#missed = true;
  }

  async #apply(changes: readonly Change[]): Promise<void> {
    await Promise.all(changes.map(async (change) => {
      if (await this.#inTurn(change) === 'later') this.#fallBehind();
    }));
    if (this.#state === 'following' && changes.some(({ kind }) => kind === 'delete' || kind === 'unsubscribed')) {
      this.reset();
      this.#parts.gone(this);
    }
  }

  /** At once: what came behind it, and was kept, would have it taken for known. */
  #fallBehind(): void {
    if (this.#state !== 'following') return;
    this.reset();
    this.#parts.behind(this);
  }

  #inTurn(change: Change): Promise<Outcome> {
    const before = this.#clearing;
    const done = before ? before.then(() => this.#change(change), () => this.#change(change)) : this.#change(change);
    if (!before && change.kind !== 'purge' && change.kind !== 'delete') return done;
    this.#clearing = done;
    const over = (): void => { if (this.#clearing === done) this.#clearing = undefined; };
    void done.then(over, over);
    return done;
  }

  #change(change: Change): Promise<Outcome> {
    const { keeper, target } = this.#parts;
    switch (change.kind) {
      case 'item': return this.#item(change.item);
      case 'retract': return keeper.retract(target, change.id);
      case 'purge': case 'delete': return keeper.clear(target, change.kind);
      default: return Promise.resolve('kept');
    }
  }

  /** Written down with whatever comes meanwhile, and behind the items themselves. */
  #come(items: readonly HomeItem[]): void {
    this.#noted = lastOf([...this.#noted, ...items]);
    // A record that comes again is told by its mark: that the last are not noted has a few more fetched, and none kept twice.
    if (items.every(({ origin }) => origin) && (this.#unnoted += items.length) < FIRST_PAGE) return;
    this.#unnoted = 0;
    if (!this.#noting) void this.#note();
  }

  async #note(): Promise<void> {
    const { beginnings, target: { service, node } } = this.#parts;
    this.#noting = true;
    // A log that takes nothing: it is written down with the next, or when the node is caught up with.
    while (this.#noted.length > 0) await beginnings.came(service, node, this.#noted.splice(0)).catch(() => undefined);
    this.#noting = false;
  }

  #item(element: Element): Promise<Outcome> {
    const { keeper, target } = this.#parts;
    // XEP-0060 §7.1.2.1: a service may tell only that there is one.
    if (children(element).length === 0) return Promise.resolve('later');
    const items = readItem(element);
    if (items.length === 0) return keeper.unreadable(target);
    // Those of a pack have numbers, which say what is missing.
    return Promise.all(items.map((item) => keeper.item(target, item))).then((outcomes) => {
      if (outcomes.includes('later')) return 'later';
      if (this.#state === 'following' && !outcomes.includes('refused')) this.#come(items);
      return 'kept';
    });
  }
}
