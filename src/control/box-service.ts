// A Box as a service. Arguments are checked by the box itself, at its own door: a remote caller
// gets the TypeError or LanpostError that a caller in the same process gets.
import type { Box, ClassifyOptions, FileContent, MessagesOptions, OfferOptions, PublishOptions, RehearseOptions, RunOptions, SendFileOptions, SendOptions, SubscribeOptions, TopicQuery } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { packDelivery, packMessage, packPoison } from './delivery-wire.ts';
import { outcomeSource } from './outcome-source.ts';
import { OfferAnswers, offerSource } from './offer-source.ts';
import { isRecord, plain } from './record.ts';
import { receiptSource } from './receipt-source.ts';
import { listSource, watchSource, type Service, type Source } from './service.ts';
import { take } from './take.ts';
import { packValue, unpackValue } from './value-wire.ts';

type Args = readonly unknown[];
type Call = (...args: never[]) => Promise<unknown>;

export function boxService(box: Box): Service {
  const answers = new OfferAnswers();
  const calls = new Map<string, Call>(Object.entries<Call>({
    publish: (topic: string, value: unknown, options: PublishOptions) => box.publish(topic, unpackValue(value), options),
    retract: (topic: string, id: string) => box.retract(topic, id),
    purge: (topic: string) => box.purge(topic),
    'topics.create': (...args: Parameters<Box['topics']['create']>) => box.topics.create(...args),
    'topics.configure': (...args: Parameters<Box['topics']['configure']>) => box.topics.configure(...args),
    'topics.get': (name: string) => box.topics.get(name),
    'topics.delete': (name: string) => box.topics.delete(name),
    'topics.setAffiliation': (...args: Parameters<Box['topics']['setAffiliation']>) => box.topics.setAffiliation(...args),
    'topics.approve': (name: string, peer: string) => box.topics.approve(name, peer),
    'topics.deny': (name: string, peer: string) => box.topics.deny(name, peer),
    'subscriptions.drop': (name: string) => box.subscriptions.drop(name),
    'subscriptions.seek': (...args: Parameters<Box['subscriptions']['seek']>) => box.subscriptions.seek(...args),
    'subscriptions.retry': (...args: Parameters<Box['subscriptions']['retry']>) => box.subscriptions.retry(...args),
    'subscriptions.dropPoison': (...args: Parameters<Box['subscriptions']['dropPoison']>) => box.subscriptions.dropPoison(...args),
    'peers.add': (peer: string) => box.peers.add(peer),
    'peers.remove': (peer: string) => box.peers.remove(peer),
    'commands.answer': async (id: string, answer: unknown) => answers.settle(id, answer),
    'commands.run': async (address: string, name: string, value: unknown, options?: RunOptions) => {
      const answer = await box.commands.run(address, name, value === undefined ? undefined : unpackValue(value), options);
      return answer === undefined ? undefined : packValue(answer);
    },
    request: (...args: Parameters<Box['request']>) => box.request(...args),
    messageState: (id: string) => box.messageState(id),
    'trust.allow': (...args: Parameters<Box['trust']['allow']>) => box.trust.allow(...args),
    'trust.deny': (...args: Parameters<Box['trust']['deny']>) => box.trust.deny(...args),
    'trust.revoke': (peer: string) => box.trust.revoke(peer),
    'trust.claim': (...args: Parameters<Box['trust']['claim']>) => box.trust.claim(...args),
    'trust.disclaim': (address: string) => box.trust.disclaim(address),
    'trust.confirm': (...args: Parameters<Box['trust']['confirm']>) => box.trust.confirm(...args),
    'files.decline': (id: string) => box.files.decline(id),
    'homes.add': (...args: Parameters<Box['homes']['add']>) => box.homes.add(...args),
    'homes.pause': (jid: string) => box.homes.pause(jid),
    'homes.resume': (jid: string) => box.homes.resume(jid),
    'homes.remove': (jid: string) => box.homes.remove(jid),
    'devices.add': (name: string) => box.devices.add(name),
    'devices.remove': (name: string) => box.devices.remove(name),
    'components.add': (...args: Parameters<Box['components']['add']>) => box.components.add(...args),
    'components.remove': (domain: string) => box.components.remove(domain),
    'components.send': (...args: Parameters<Box['components']['send']>) => box.components.send(...args),
    'outbox.allow': (...args: Parameters<Box['outbox']['allow']>) => box.outbox.allow(...args),
    'outbox.deny': (peer: string) => box.outbox.deny(peer),
    'outbox.export': (...args: Parameters<Box['outbox']['export']>) => box.outbox.export(...args),
    'outbox.import': (...args: Parameters<Box['outbox']['import']>) => box.outbox.import(...args),
    'outbox.confirm': (file: string) => box.outbox.confirm(file),
    setStatus: (...args: Parameters<Box['setStatus']>) => box.setStatus(...args),
    setAbout: (...args: Parameters<Box['setAbout']>) => box.setAbout(...args),
    setAvatar: (image?: Uint8Array) => box.setAvatar(image),
    'peers.avatar': (name: string) => box.peers.avatar(name),
    'peers.features': (name: string) => box.peers.features(name),
    status: () => box.status(),
  }));
  // Lists go as streams: one answer would outgrow a frame.
  const lists = new Map<string, (...args: never[]) => Promise<unknown[]>>(Object.entries({
    items: async (...args: Parameters<Box['items']>) => (await box.items(...args)).map(packDelivery),
    'topics.list': (filter?: string) => box.topics.list(filter),
    'topics.search': (query: TopicQuery) => box.topics.search(query),
    'topics.classify': (value: unknown, options?: ClassifyOptions) => box.topics.classify(unpackValue(value), options),
    'topics.affiliations': (name: string) => box.topics.affiliations(name),
    'topics.requests': (name?: string) => box.topics.requests(name),
    'subscriptions.list': () => box.subscriptions.list(),
    'subscriptions.poison': async (name: string) => (await box.subscriptions.poison(name)).map(packPoison),
    'peers.topics': (name: string, query?: TopicQuery) => box.peers.topics(name, query),
    'peers.list': () => box.peers.list(),
    'commands.list': (address?: string) => box.commands.list(address),
    'files.list': () => box.files.list(),
    'trust.list': () => box.trust.list(),
    'trust.classes': () => box.trust.classes(),
    'trust.accounts': () => box.trust.accounts(),
    'homes.list': () => box.homes.list(),
    'devices.list': () => box.devices.list(),
    'components.list': () => box.components.list(),
    'outbox.list': () => box.outbox.list(),
  }));
  const streams = new Map<string, (...args: never[]) => Source>(Object.entries({
    subscribe: (filter: string, options: SubscribeOptions) => subscriptionSource(box, filter, options),
    messages: (options: MessagesOptions) => messageSource(box, options),
    delivered: (seq: number, reader: string) => outcomeSource((signal) => box.delivered(seq, reader, { signal })),
    send: (address: string, body: string, options: SendOptions) => receiptSource(() => box.send(address, body, options)),
    'commands.offer': (name: string, options?: OfferOptions) => offerSource(box, answers, name, options),
    'peers.watch': () => watchSource((signal) => box.peers.watch({ signal })),
    'files.send': (peer: string, file: string | FileContent, options: SendFileOptions) => watchSource((signal) => box.files.send(peer, file, { ...options, signal })),
    'files.offers': () => watchSource((signal) => box.files.offers({ signal })),
    'files.accept': (id: string) => watchSource((signal) => box.files.accept(id, { signal })),
    'files.watch': () => watchSource((signal) => box.files.watch({ signal })),
    'trust.pair': (peer: string) => watchSource((signal) => box.trust.pair(peer, { signal })),
    doctor: (peer?: string) => watchSource((signal) => box.doctor(peer, { signal })),
    'homes.rehearse': (options: RehearseOptions) => watchSource((signal) => box.homes.rehearse({ ...options, signal })),
    'homes.watch': () => watchSource((signal) => box.homes.watch({ signal })),
    troubles: () => watchSource((signal) => box.troubles({ signal })),
  }));

  return {
    async call(method, args) {
      const call = calls.get(method);
      if (!call) throw unknownMethod(method);
      return plain(await call(...trimmed(args)));
    },
    open(method, args) {
      const list = lists.get(method);
      if (list) return listSource(async () => (await list(...trimmed(args))).map(plain));
      const stream = streams.get(method);
      if (!stream) throw unknownMethod(method);
      return stream(...trimmed(args));
    },
  };
}

/** `auto` is `manual` here: it is the far reader's asking that confirms, not this side's reading ahead. */
function subscriptionSource(box: Box, filter: string, options: SubscribeOptions = {}): Source {
  const { ack = 'auto' } = options;
  const subscription = box.subscribe(filter, { ...options, ack: ack === 'auto' ? 'manual' : ack });
  return {
    ready: subscription.ready,
    async next() {
      const step = await subscription.next();
      if (step.done) return step;
      const delivery = step.value;
      return {
        done: false,
        value: { value: packDelivery(delivery), ack: () => delivery.ack(), nack: (delay) => delivery.nack({ delay }) },
      };
    },
    close: () => subscription.close(),
  };
}

/** Never read ahead by the far side: asking a message stream for more may confirm the last one. */
function messageSource(box: Box, options: MessagesOptions | undefined): Source {
  const messages = box.messages(isRecord(options) ? options : {});
  return {
    ready: messages.ready,
    async next() {
      const step = await messages.next();
      if (step.done) return step;
      const message = step.value;
      return { done: false, value: { value: packMessage(message), ack: () => message.ack() } };
    },
    close: () => messages.close(),
  };
}

/** Options that were left out travel as `undefined` or null. */
function trimmed(args: Args): never[] {
  return take(args.map((arg) => arg ?? undefined));
}

function unknownMethod(method: string): LanpostError {
  return new LanpostError('unsupported', `The box knows no "${method}": it is of another version.`);
}
