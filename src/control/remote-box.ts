// A Box that is somewhere else: every member becomes a call or a stream on the control socket.
import { resolve as fullPath } from 'node:path';
import type {
  AccountRules, Box, BoxStatus, Carrier, ClassRules, CommandInfo, ComponentStatus, DeviceInfo, FileEvent, Finding, HomeEvent, HomeStatus, ItemsOptions, MessageState, OutboxExport, OutboxImport, PairingEvent, Peer, PeerEvent, PeerTopic, Poison, Published, Receipt, RehearsalEvent,
  SendOptions, SubscriptionInfo, SubscriptionRequest, TopicAffiliation, TopicCandidate, TopicInfo, Trouble, TrustEntry,
} from '../api.ts';
import { abortable } from '../abortable.ts';
import { LanpostError } from '../errors.ts';
import { checkedObject } from '../given.ts';
import { unpackDelivery, unpackMessage, unpackPoison } from './delivery-wire.ts';
import type { ControlLimits } from './limits.ts';
import { asGiven, present } from './record.ts';
import { remoteOffer } from './remote-offer.ts';
import { remoteReceipt } from './remote-receipt.ts';
import { remoteEvents, remoteMessages, remoteSubscription } from './remote-subscription.ts';
import type { RemoteStream } from './remote-stream.ts';
import type { Arrival, RpcClient } from './rpc-client.ts';
import { take } from './take.ts';
import { packValue, unpackValue } from './value-wire.ts';

/** Values pulled ahead of a reader that keeps asking, where nothing is confirmed by reading. */
const AHEAD = 64;

export function remoteBox(o: { name: string; rpc: RpcClient; limits: ControlLimits; close: () => Promise<void> }): Box {
  const { rpc, limits } = o;
  let { name } = o;
  const receipts = new Set<RemoteStream<unknown>>();
  /** Of messages that are not accepted yet. */
  const sending = new Set<RemoteStream<unknown>>();

  const call = async <T>(method: string, args: readonly unknown[], signal?: AbortSignal): Promise<T> => take<T>(await rpc.call(method, args, signal));
  const list = async <T>(method: string, args: readonly unknown[], decode: (arrival: Arrival) => T = taken): Promise<T[]> => {
    const stream = rpc.open(method, args, { decode, ahead: 256 });
    const values: T[] = [];
    for (let step = await stream.next(); !step.done; step = await stream.next()) values.push(step.value);
    return values;
  };
  const send = async (address: string, body: string, options: SendOptions = {}): Promise<Receipt> => {
    const { signal, ...rest } = options;
    signal?.throwIfAborted();
    // Thousands of messages may be on their way for days; the oldest receipts give way.
    const [oldest] = receipts;
    if (receipts.size + sending.size >= limits.receipts && oldest) {
      receipts.delete(oldest);
      oldest.abort(new LanpostError('busy', `More than ${limits.receipts} receipts are followed; ask for the state of this message by its id.`));
    }
    const stream = rpc.open<unknown>('send', [address, body, present(rest)], { decode: taken, ahead: 4 });
    sending.add(stream);
    const sent = remoteReceipt(stream).finally(() => sending.delete(stream));
    const { receipt, follow } = await abortable(sent, signal).catch((error: unknown) => {
      // What has begun is not taken back; nobody follows what becomes of it.
      sent.then(() => stream.close()).catch(() => undefined); // then it is closed
      throw error;
    });
    receipts.add(stream);
    void follow.finally(() => receipts.delete(stream));
    return receipt;
  };

  return {
    get name() { return name; },
    async publish(topic, value, options = {}): Promise<Published> {
      checkedObject('the options of publish', options);
      const { signal, ...rest } = options;
      const payload = packValue(value, rest.contentType);
      return call('publish', [topic, payload, present({ ...rest, contentType: payload.contentType })], signal);
    },
    async delivered(seq, reader, options = {}) {
      checkedObject('the options of delivered', options);
      const { signal } = options;
      signal?.throwIfAborted();
      const stream = rpc.open<unknown>('delivered', [seq, reader], { decode: taken, ahead: 0, signal });
      const told = await stream.next();
      // A box that stops ends its streams.
      if (told.done) throw new LanpostError('closed', 'The box was closed before it was known what becomes of this item; it is on disk, and goes on its way when the box is opened again.');
      await stream.close();
    },
    subscribe(filter, options = {}) {
      checkedObject('the options of a subscription', options);
      const { signal, ...rest } = options;
      // Readers of one group share what there is: none may hold more than it works on. Nor where it is counted, or
      // timed, how long it takes to confirm.
      const ahead = rest.group || rest.ackWait || rest.maxDeliveries ? 0 : Math.min(rest.inFlight ?? AHEAD, AHEAD) - 1;
      return remoteSubscription(rpc.open('subscribe', [filter, present(rest)], { decode: unpackDelivery, ahead, signal }), rest.ack ?? 'auto');
    },
    items: (topic: string, options: ItemsOptions = {}) => list('items', [topic, asGiven(options)], unpackDelivery),
    async retract(topic, id) { await call('retract', [topic, id]); },
    async purge(topic) { await call('purge', [topic]); },
    topics: {
      create: (topic, config) => call<TopicInfo>('topics.create', [topic, asGiven(config)]),
      configure: (topic, config) => call<TopicInfo>('topics.configure', [topic, asGiven(config)]),
      get: (topic) => call<TopicInfo | undefined>('topics.get', [topic]),
      async delete(topic) { await call('topics.delete', [topic]); },
      list: (filter) => list<TopicInfo>('topics.list', [filter]),
      search: (query) => list<TopicInfo>('topics.search', [query]),
      classify: async (value, options = {}) => {
        checkedObject('the options of classify', options);
        const payload = packValue(value, options.contentType);
        return list<TopicCandidate>('topics.classify', [payload, present({ ...options, contentType: payload.contentType })]);
      },
      affiliations: (topic) => list<TopicAffiliation>('topics.affiliations', [topic]),
      async setAffiliation(topic, peer, affiliation) { await call('topics.setAffiliation', [topic, peer, affiliation]); },
      requests: (topic) => list<SubscriptionRequest>('topics.requests', [topic]),
      async approve(topic, peer) { await call('topics.approve', [topic, peer]); },
      async deny(topic, peer) { await call('topics.deny', [topic, peer]); },
    },
    subscriptions: {
      list: () => list<SubscriptionInfo>('subscriptions.list', []),
      async drop(reader) { await call('subscriptions.drop', [reader]); },
      async seek(reader, from) { await call('subscriptions.seek', [reader, from]); },
      poison: (reader) => list<Poison>('subscriptions.poison', [reader], unpackPoison),
      retry: (reader, seqs) => call<number>('subscriptions.retry', [reader, seqs]),
      dropPoison: (reader, seqs) => call<number>('subscriptions.dropPoison', [reader, seqs]),
    },
    send,
    messageState: (id) => call<MessageState | undefined>('messageState', [id]),
    messages(options = {}) {
      const { signal, ...rest } = options;
      return remoteMessages(rpc.open('messages', [present(rest)], { decode: unpackMessage, ahead: 0, signal }));
    },
    peers: {
      list: () => list<Peer>('peers.list', []),
      watch: (options) => remoteEvents(rpc.open<PeerEvent>('peers.watch', [], { decode: taken, ahead: AHEAD, signal: options?.signal })),
      features: (peer) => call<readonly string[] | undefined>('peers.features', [peer]),
      topics: (peer, query) => list<PeerTopic>('peers.topics', [peer, query]),
      async avatar(peer) {
        const image = await call<Uint8Array | undefined>('peers.avatar', [peer]);
        return image && Uint8Array.from(image);
      },
      async add(peer) { await call('peers.add', [peer]); },
      async remove(peer) { await call('peers.remove', [peer]); },
    },
    commands: {
      async offer(command, handler, options) {
        if (typeof handler !== 'function') throw new TypeError('a command\'s handler must be a function');
        if (options !== undefined) checkedObject('the options of an offer', options);
        const { signal, ...rest } = options ?? {};
        return remoteOffer(command, handler, rpc.open<unknown>('commands.offer', [command, present(rest)], { decode: taken, ahead: AHEAD, signal }), (id, given) => call('commands.answer', [id, given]));
      },
      list: (address) => list<CommandInfo>('commands.list', [address]),
      async run(address, command, value, options = {}) {
        checkedObject('the options of a command', options);
        const { signal, ...rest } = options;
        const answer = await call<unknown>('commands.run', [address, command, value === undefined ? undefined : packValue(value), present(rest)], signal);
        return answer === undefined || answer === null ? undefined : unpackValue(answer);
      },
    },
    request(address, payload, options = {}) {
      checkedObject('the options of a request', options);
      const { signal, ...rest } = options;
      return call<string | undefined>('request', [address, payload, present(rest)], signal);
    },
    files: {
      // The path means what it means here, not where the box runs.
      send: (peer, file, { signal, ...rest } = {}) => remoteEvents(rpc.open<FileEvent>('files.send', [peer, typeof file === 'string' ? fullPath(file) : file, present(rest)], { decode: taken, ahead: AHEAD, signal })),
      offers: (options) => remoteEvents(rpc.open<FileEvent>('files.offers', [], { decode: taken, ahead: AHEAD, signal: options?.signal })),
      accept: (id, options) => remoteEvents(rpc.open<FileEvent>('files.accept', [id], { decode: taken, ahead: AHEAD, signal: options?.signal })),
      async decline(id) { await call('files.decline', [id]); },
      list: () => list<FileEvent>('files.list', []),
      watch: (options) => remoteEvents(rpc.open<FileEvent>('files.watch', [], { decode: taken, ahead: AHEAD, signal: options?.signal })),
    },
    trust: {
      list: () => list<TrustEntry>('trust.list', []),
      classes: () => list<ClassRules>('trust.classes', []),
      accounts: () => list<AccountRules>('trust.accounts', []),
      allow: (peer, right, filter) => call<TrustEntry | ClassRules | AccountRules>('trust.allow', [peer, right, filter]),
      deny: (peer, right, filter) => call<TrustEntry | ClassRules | AccountRules>('trust.deny', [peer, right, filter]),
      async revoke(peer) { await call('trust.revoke', [peer]); },
      claim: (peer, address) => call<TrustEntry>('trust.claim', [peer, address]),
      async disclaim(address) { await call('trust.disclaim', [address]); },
      pair: (peer, options) => remoteEvents(rpc.open<PairingEvent>('trust.pair', [peer], { decode: taken, ahead: AHEAD, signal: options?.signal })),
      async confirm(peer, same) { await call('trust.confirm', [peer, same]); },
    },
    homes: {
      add: (options) => call<HomeStatus>('homes.add', [asGiven(options)]),
      list: () => list<HomeStatus>('homes.list', []),
      pause: (jid) => call<HomeStatus>('homes.pause', [jid]),
      resume: (jid) => call<HomeStatus>('homes.resume', [jid]),
      async remove(jid) { await call('homes.remove', [jid]); },
      rehearse: (options) => {
        checkedObject('the options of a rehearsal', options);
        const { signal, ...rest } = options;
        return remoteEvents(rpc.open<RehearsalEvent>('homes.rehearse', [present(rest)], { decode: taken, ahead: AHEAD, signal }));
      },
      watch: (options) => remoteEvents(rpc.open<HomeEvent>('homes.watch', [], { decode: taken, ahead: AHEAD, signal: options?.signal })),
    },
    devices: {
      add: (device) => call<DeviceInfo>('devices.add', [device]),
      list: () => list<DeviceInfo>('devices.list', []),
      async remove(device) { await call('devices.remove', [device]); },
    },
    components: {
      add: (options) => call<ComponentStatus>('components.add', [asGiven(options)]),
      list: () => list<ComponentStatus>('components.list', []),
      async remove(domain) { await call('components.remove', [domain]); },
      async send(from, to, body) { await call('components.send', [from, to, body]); },
    },
    outbox: {
      allow: (peer, options) => call<Carrier>('outbox.allow', [peer, asGiven(options)]),
      async deny(peer) { await call('outbox.deny', [peer]); },
      list: () => list<Carrier>('outbox.list', []),
      // Paths mean what they mean here, not where the box runs.
      export: (file, options) => call<OutboxExport>('outbox.export', [pathHere(file), asGiven(options)]),
      import: (file, { signal, confirmation, ...rest } = {}) => call<OutboxImport>('outbox.import', [pathHere(file), present({ ...rest, confirmation: confirmation === undefined ? undefined : pathHere(confirmation) })], signal),
      confirm: (file) => call<{ readonly id: string; readonly records: number }>('outbox.confirm', [pathHere(file)]),
    },
    async setStatus(status, text) { await call('setStatus', [status, text]); },
    async setAbout(changes) { await call('setAbout', [asGiven(changes)]); },
    async setAvatar(image) { await call('setAvatar', [image]); },
    async status() {
      const status = await call<BoxStatus>('status', []);
      ({ name } = status); // another box may have made it take a new one
      return status;
    },
    doctor: (peer, options) => remoteEvents(rpc.open<Finding>('doctor', [peer], { decode: taken, ahead: AHEAD, signal: options?.signal })),
    troubles: (options) => remoteEvents(rpc.open<Trouble>('troubles', [], { decode: taken, ahead: AHEAD, signal: options?.signal })),
    close: o.close,
    [Symbol.asyncDispose]: o.close,
  };
}

/** What is no path is refused by the box. */
function pathHere(path: string): string {
  return typeof path === 'string' && path !== '' ? fullPath(path) : path;
}

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the protocol's type
function taken<T>({ value }: Arrival): T {
  return take<T>(value);
}
