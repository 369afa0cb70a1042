import { randomUUID } from 'node:crypto';
import { abortable } from '../abortable.ts';
import type { From, SubscribeOptions, Subscription, Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { matches, validTopic } from '../log/filter.ts';
import type { Log } from '../log/log.ts';
import { NS_LANPOST } from '../payload/xml.ts';
import type { Broker } from '../pubsub/broker.ts';
import { mirrorName } from '../pubsub/mirror.ts';
import { isItemId } from '../pubsub/item-id.ts';
import type { Notice } from '../pubsub/notice.ts';
import { checkedSubscription } from '../pubsub/terms.ts';
import { Seldom } from '../seldom.ts';
import { boxIdOfFingerprint } from '../trust/fingerprint.ts';
import { fromText } from '../xep/pubsub/feeder.ts';
import { NS_PUBSUB } from '../xep/pubsub/terms.ts';
import { fromPubsubError } from '../xep/pubsub/errors.ts';
import { aboutOf, NS_PUBSUB_EVENT, parseEvent } from '../xep/pubsub/event.ts';
import { attr, type Element, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { Asking } from './asking.ts';
import { Losses } from './losses.ts';
import { originOf } from './record-origin.ts';
import type { PeerStreams, ProvenPeer } from './streams-port.ts';

const PREFIX = 'intake/';

export interface IntakeParts {
  readonly broker: Broker;
  readonly log: Log;
  readonly streams: PeerStreams;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  /** The key of whoever has that name on the link; opens a stream when it must. */
  readonly prove: (name: string, signal?: AbortSignal) => Promise<ProvenPeer>;
  /** The name a key goes by now, when it is on the link. */
  readonly nameOf: (fingerprint: string) => string | undefined;
  /** Something is wanted of a peer, whether or not it is there. */
  readonly wants: () => void;
  /** What this box is called in requests. */
  readonly ownName: () => string;
}

/** What we asked a peer to send us. It belongs to the peer's key. */
interface Wanted {
  readonly fingerprint: string;
  readonly filter: string;
  readonly reader: string;
  readonly from: string;
  /** What the peer was called when it was asked: to find it by while it is away, and when a restart has forgotten whose key it is. */
  readonly name: string;
  /** Not durable: kept nowhere. */
  readonly live?: true;
}

/** Subscriptions of ours at peers: what they send is stored here first, then read like any other topic. */
export class Intake {
  readonly #parts: IntakeParts;
  /** `fingerprint reader` → what we want from it. */
  readonly #wanted = new Map<string, Wanted>();
  /** Those that a peer's owner has to let us read, as XEP-0060 §4.2 calls it: not said yet, or refused. */
  readonly #approval = new Map<string, 'pending' | 'none'>();
  readonly #asking: Asking<Wanted>;
  readonly #seldom: Seldom;
  readonly #losses: Losses;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
    const { broker, clock, trouble } = parts;
    this.#seldom = new Seldom(clock, trouble);
    this.#asking = new Asking({
      clock, wanted: () => this.#wanted.values(),
      ask: (name, wanted) => this.#ask(name, wanted),
      failed: (wanted, error) => this.#failed('subscribing to', wanted, error),
    });
    this.#losses = new Losses({ broker, clock, trouble: (found) => this.#seldom.tell(found), keep: (topic, notice) => this.#keep(topic, notice) });
    for (const [, wanted] of parts.log.registry.entries(PREFIX)) if (isWanted(wanted)) this.#wanted.set(keyOf(wanted), wanted);
  }

  /** A subscription at `at`, read from the mirror that is kept here. */
  subscribe(at: string, filter: string, options: SubscribeOptions): Subscription {
    const closed = new AbortController();
    const signal = AbortSignal.any([closed.signal, ...(options.signal ? [options.signal] : [])]);
    return deferred(this.#subscribe(at, filter, options, signal), closed, options.signal);
  }

  /** The keys of the peers that we want something of. */
  *fingerprints(): Iterable<string> {
    for (const { fingerprint } of this.#wanted.values()) yield fingerprint;
  }

  /** The readers here, each with the peer that it reads from, as that was called last and by its key, and what that one's owner has yet to say, or has refused. */
  *readers(): Iterable<{ readonly reader: string; readonly fingerprint: string; readonly askedAs: string; readonly mirror: string; readonly live: boolean; readonly approval: 'pending' | 'none' | undefined }> {
    for (const [key, { reader, fingerprint, live = false, name, filter }] of this.#wanted) {
      yield { reader: localName(reader, fingerprint), fingerprint, askedAs: name, mirror: mirrorName(boxIdOfFingerprint(fingerprint), filter), live, approval: this.#approval.get(key) };
    }
  }

  /** The name under which something was asked of that key. */
  askedAs(fingerprint: string): string | undefined {
    return [...this.#wanted.values()].find((wanted) => wanted.fingerprint === fingerprint)?.name;
  }

  /** Whether it is, as far as one look tells, a notification that was asked for. */
  expects(message: Element, { fingerprint }: ProvenPeer): boolean {
    const told = aboutOf(message);
    if (!told) return false;
    const wanted = this.#wanted.get(`${fingerprint} ${told.reader}`);
    return wanted !== undefined && (told.topic === '' || matches(wanted.filter, told.topic));
  }

  /** The peer has proven its key over a new stream: ask again for everything we want of it. Repeating is harmless. */
  opened(peer: ProvenPeer): void {
    this.#asking.opened(peer);
  }

  closed(peer: ProvenPeer): void {
    this.#asking.closed(peer);
  }

  close(): void {
    this.#asking.close();
  }

  /**
   * Whether a message was a notification. Resolves when everything in it is on disk, in the same
   * batch as the mark that recognises its repeat; only then may the stream's `h` count it.
   */
  async receive(message: Element, peer: ProvenPeer): Promise<boolean> {
    const event = readable(message);
    if (!event) {
      this.#said(stateOf(message), peer);
      return false;
    }
    const wanted = this.#wanted.get(`${peer.fingerprint} ${event.reader}`);
    // XEP-0060 §7: events count only from the service subscribed to, and only for what was asked.
    if (!wanted || !(event.topic === '' || matches(wanted.filter, event.topic))) {
      throw new StanzaError('unexpected-request', { text: 'nobody here subscribed to that', type: 'cancel' });
    }
    const topic = mirrorName(boxIdOfFingerprint(peer.fingerprint), event.topic);
    // Answered, not thrown: the peer would only send it again, over stream after stream.
    if (event.topic !== '' && !validTopic(topic)) throw new StanzaError('bad-request', { text: 'that is no topic name' });
    if (event.topic !== '' && !this.#parts.broker.hasRoomFor(topic)) {
      this.#seldom.tell({ kind: 'link.intake', message: `keeping ${event.topic} of ${peer.name}: this box holds as many topics as it may`, code: 'busy' });
      throw new StanzaError('resource-constraint', { text: 'no room for another topic', type: 'wait' });
    }
    if (!event.notices.every(({ id }) => id === undefined || isItemId(id))) throw new StanzaError('bad-request', { text: 'that is no item id' });
    if (event.topic === '') {
      await this.#losses.everywhere(wanted, mirrorName(boxIdOfFingerprint(peer.fingerprint), wanted.filter), event.notices);
      return true;
    }
    this.#losses.arrived(wanted, topic);
    await Promise.all(event.notices.map((notice) => this.#keep(topic, notice)));
    return true;
  }

  /** XEP-0060 §12.14: an owner has said whether it may be read; if so, what could not be subscribed to can be now. */
  #said(said: { readonly node: string | undefined; readonly state: string | undefined } | undefined, peer: ProvenPeer): void {
    if (said?.state === 'subscribed' && [...this.fingerprints()].includes(peer.fingerprint)) this.opened(peer);
    if (said?.state !== 'none') return;
    for (const wanted of this.#wanted.values()) {
      if (wanted.fingerprint !== peer.fingerprint || wanted.filter !== said.node || this.#approval.get(keyOf(wanted)) !== 'pending') continue;
      this.#approval.set(keyOf(wanted), 'none');
      this.#seldom.tell({ kind: 'link.denied', message: `the owner of ${peer.name} does not let this box read ${wanted.filter}` });
    }
  }

  async #keep(topic: string, notice: Notice): Promise<void> {
    const { kind, id, payload, publisher, recordId, previous, gap } = notice;
    // A gap says nothing of the records before it: another reader here may not have been given those yet.
    const origin = { ...originOf(recordId), ...(previous === undefined ? {} : { previous }), ...(kind === 'gap' ? { chain: kind } : {}) };
    if (kind === 'gap') this.#losses.tell(topic, notice);
    await this.#parts.log.append({
      topic, kind, origin,
      // An item without a chosen id goes by its record id, which it keeps.
      ...(id === undefined || id === recordId ? {} : { id }),
      ...(payload === undefined ? {} : { payload }),
      ...(publisher === undefined ? {} : { publisher }),
      ...(gap === undefined ? {} : { gap }),
    });
  }

  /** `opening`: aborted when nobody waits for it any more. */
  async #subscribe(at: string, filter: string, options: SubscribeOptions, opening: AbortSignal): Promise<Subscription> {
    checkedSubscription(filter, options);
    const { durable, from = 'new' } = options;
    const known = durable === undefined ? undefined : this.#known(at, durable);
    const fingerprint = known?.fingerprint ?? (await this.#parts.prove(linkName(at), opening)).fingerprint;
    if (known && known.filter !== filter) {
      throw new LanpostError('conflict', `the durable subscription "${durable}" at ${at} reads ${known.filter}, not ${filter}; drop it or use another name`);
    }
    const fresh = { fingerprint, filter, reader: durable ?? `live-${randomUUID()}`, from: fromText(from), name: linkName(at) };
    const wanted: Wanted = known ?? (durable === undefined ? { ...fresh, live: true } : fresh);
    const { at: _, ...local } = options;
    // The local reader is in place before the first event can arrive.
    const reading = this.#parts.broker.subscribe(mirrorName(boxIdOfFingerprint(fingerprint), filter), {
      ...local,
      ...(durable === undefined ? {} : { durable: localName(durable, fingerprint) }),
      from: remoteFrom(from),
    });
    try {
      await reading.ready;
      if (!known) await this.#begin(wanted, opening);
      if (this.#approval.get(keyOf(wanted)) === 'pending') this.#parts.trouble({ kind: 'link.waits', message: `waits for the owner of ${linkName(at)} to let this box read ${filter}: \`lanpost access requests\` there` });
      // What is known already is asked for again whenever the peer's stream opens. Two boxes have one
      // key when a data directory was copied: a stream to the other one is none to this.
      else this.#parts.prove(linkName(at)).catch(() => undefined); // not there now: it is called when it appears
      this.#parts.wants();
    } catch (error) {
      await reading.close();
      throw error;
    }
    return durable === undefined ? ending(reading, () => this.#leave(wanted), options.signal) : reading;
  }

  /** Kept before it is asked for: what the peer begins to send, and is told has arrived, must be wanted. */
  async #begin(wanted: Wanted, opening: AbortSignal): Promise<void> {
    const row = PREFIX + keyOf(wanted);
    const before = this.#wanted.get(keyOf(wanted));
    this.#wanted.set(keyOf(wanted), wanted);
    try {
      if (!wanted.live) await this.#parts.log.registry.set(row, wanted);
      const asked = this.#ask(wanted.name, wanted); // by the name that has just proven the key
      // A peer that never answers keeps nobody from leaving.
      await abortable(asked, opening).catch((error: unknown) => {
        asked.then(() => (this.#wanted.has(keyOf(wanted)) ? undefined : this.#leave(wanted))).catch(() => undefined); // what it says afterwards is told to nobody
        throw error;
      });
    } catch (error) {
      if (before) this.#wanted.set(keyOf(wanted), before);
      else this.#wanted.delete(keyOf(wanted));
      if (!wanted.live) await this.#parts.log.registry.set(row, before);
      throw error;
    }
  }

  /** The local reader `name` was dropped: what it wanted of a peer is given up with it. */
  async dropped(name: string): Promise<void> {
    for (const wanted of this.#wanted.values()) {
      if (localName(wanted.reader, wanted.fingerprint) !== name) continue;
      await this.#parts.log.registry.set(PREFIX + keyOf(wanted), undefined);
      await this.#leave(wanted).catch((error: unknown) => this.#failed('unsubscribing from', wanted, error));
    }
  }

  /** A durable subscription goes on where it was, also while the peer is away. */
  #known(at: string, reader: string): Wanted | undefined {
    const name = linkName(at);
    const same = [...this.#wanted.values()].filter((wanted) => wanted.reader === reader);
    return same.find((wanted) => this.#parts.nameOf(wanted.fingerprint) === name)
      ?? same.find((wanted) => wanted.name === name);
  }

  #failed(doing: string, wanted: Wanted, error: unknown): void {
    const where = this.#parts.nameOf(wanted.fingerprint) ?? wanted.fingerprint.slice(0, 16);
    this.#seldom.tell({ kind: 'link.intake', message: `${doing} ${wanted.filter} at ${where}: ${error instanceof Error ? error.message : String(error)}` });
  }

  /** Asks again for all that is wanted of the peer, which is harmless; gives what it refuses. */
  async refused(peer: ProvenPeer): Promise<{ filter: string; reason: string }[]> {
    const asked = [...this.#wanted.values()].filter(({ fingerprint }) => fingerprint === peer.fingerprint).map(async (wanted) => {
      try {
        await this.#ask(peer.name, wanted);
        return [];
      } catch (error) {
        return error instanceof LanpostError && error.code === 'forbidden' ? [{ filter: wanted.filter, reason: error.message }] : [];
      }
    });
    return (await Promise.all(asked)).flat();
  }

  async #ask(name: string, wanted: Wanted): Promise<void> {
    const own = this.#parts.ownName();
    const durable = wanted.live ? { durable: 'false' } : {};
    const answer = await this.#request(name, xml('subscribe', { node: wanted.filter, jid: own }),
      xml('reader', { xmlns: NS_LANPOST, name: wanted.reader, from: wanted.from, ...durable }));
    const pending = answer.getChild('pubsub', NS_PUBSUB)?.getChild('subscription')?.attrs['subscription'] === 'pending';
    if (pending && this.#wanted.has(keyOf(wanted))) this.#approval.set(keyOf(wanted), 'pending');
    else this.#approval.delete(keyOf(wanted));
  }

  async #leave(wanted: Wanted): Promise<void> {
    this.#wanted.delete(keyOf(wanted));
    this.#approval.delete(keyOf(wanted));
    const name = this.#parts.nameOf(wanted.fingerprint);
    if (name === undefined) return;
    await this.#request(name, xml('unsubscribe', { node: wanted.filter, jid: this.#parts.ownName(), subid: wanted.reader }), xml('reader', { xmlns: NS_LANPOST, name: wanted.reader }));
  }

  async #request(name: string, ...parts: Element[]): Promise<Element> {
    try {
      return await this.#parts.streams.request(name, xml('iq', { type: 'set' }, xml('pubsub', { xmlns: NS_PUBSUB }, ...parts)));
    } catch (error) {
      throw error instanceof StanzaError ? fromPubsubError(error) : error;
    }
  }
}

function isWanted(row: unknown): row is Wanted {
  return typeof row === 'object' && row !== null && 'fingerprint' in row && 'filter' in row && 'reader' in row && 'from' in row && 'name' in row;
}

function keyOf(wanted: { readonly fingerprint: string; readonly reader: string }): string {
  return `${wanted.fingerprint} ${wanted.reader}`;
}

function localName(reader: string, fingerprint: string): string {
  return `${reader} at ${fingerprint.slice(0, 16)}`;
}

function linkName(at: string): string {
  return at.startsWith('link:') ? at.slice('link:'.length) : at;
}

/** Positions and times are the remote log's: here everything that arrives is new. */
function remoteFrom(from: From): From {
  return typeof from === 'string' ? from : 'new';
}

function readable(message: Element): ReturnType<typeof parseEvent> {
  try {
    return parseEvent(message);
  } catch (error) {
    throw new StanzaError('bad-request', { text: error instanceof Error ? error.message : String(error) });
  }
}

function stateOf(message: Element): { readonly node: string | undefined; readonly state: string | undefined } | undefined {
  const told = message.getChild('event', NS_PUBSUB_EVENT)?.getChild('subscription');
  return told ? { node: attr(told, 'node'), state: attr(told, 'subscription') } : undefined;
}

/** A subscription that exists once `opening` has. */
function deferred(opening: Promise<Subscription>, closed: AbortController, signal: AbortSignal | undefined): Subscription {
  opening.catch(() => undefined); // whoever iterates or awaits `ready` sees it
  const ready = opening.then((subscription) => subscription.ready);
  ready.catch(() => undefined);
  const close = async (): Promise<void> => {
    closed.abort(new LanpostError('closed', 'The subscription was closed.'));
    const opened = await opening.catch(() => undefined); // it never opened: nothing to close
    await opened?.close();
  };
  const subscription: Subscription = {
    ready,
    close,
    [Symbol.asyncIterator]: () => subscription,
    [Symbol.asyncDispose]: close,
    async next() {
      signal?.throwIfAborted();
      return (await opening).next();
    },
    async return() {
      await close();
      return { done: true, value: undefined };
    },
  };
  return subscription;
}

/** The same subscription, with something to do once it is closed, or aborted: nobody closes what has thrown. */
function ending(inner: Subscription, after: () => Promise<void>, signal: AbortSignal | undefined): Subscription {
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => closing ??= (async () => {
    signal?.removeEventListener('abort', abort);
    // Nobody waits for the peer: it forgets a live reader with the stream anyhow.
    after().catch(() => undefined);
    await inner.close();
  })();
  const abort = (): void => { close().catch(() => undefined); }; // the iteration reports it
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  const subscription: Subscription = {
    ready: inner.ready,
    close,
    [Symbol.asyncIterator]: () => subscription,
    [Symbol.asyncDispose]: close,
    next: () => inner.next(),
    async return() {
      await close();
      return { done: true, value: undefined };
    },
  };
  return subscription;
}
