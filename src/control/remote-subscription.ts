import type { Delivery, Message, MessageStream, Subscription } from '../api.ts';
import type { RemoteStream } from './remote-stream.ts';

/** With `auto`, asking for the next delivery confirms the one before; leaving confirms nothing. */
export function remoteSubscription(stream: RemoteStream<Delivery>, ack: 'auto' | 'manual'): Subscription {
  let previous: Delivery | undefined;
  const subscription: Subscription = {
    ready: stream.ready,
    async next() {
      if (ack === 'auto') previous?.ack();
      previous = undefined;
      const step = await stream.next();
      if (!step.done) previous = step.value;
      return step;
    },
    async return() {
      await stream.close();
      return { done: true, value: undefined };
    },
    close: () => stream.close(),
    [Symbol.asyncIterator]: () => subscription,
    [Symbol.asyncDispose]: () => stream.close(),
  };
  return subscription;
}

export function remoteMessages(stream: RemoteStream<Message>): MessageStream {
  const messages: MessageStream = {
    ready: stream.ready,
    next: () => stream.next(),
    async return() {
      await stream.close();
      return { done: true, value: undefined };
    },
    close: () => stream.close(),
    [Symbol.asyncIterator]: () => messages,
    [Symbol.asyncDispose]: () => stream.close(),
  };
  return messages;
}

export function remoteEvents<T>(stream: RemoteStream<T>): AsyncIterableIterator<T> {
  const events: AsyncIterableIterator<T> = {
    next: () => stream.next(),
    async return() {
      await stream.close();
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => events,
  };
  return events;
}
