import type { Socket } from 'node:net';
import type { Clock } from '../../clock.ts';
import type { XmlLimits } from '../../xml/reader.ts';
import type { Element } from '../../xmpp/element.ts';
import type { Agreed, Channel, Side } from './negotiation.ts';
import type { Sessions } from './sessions.ts';
import type { Timing } from './timing.ts';

/** What a stream is begun with, and whom it tells; `Stream` is its own type. */
export interface LinkStreamInit<Stream> {
  readonly socket: Socket;
  readonly side: Side;
  readonly clock: Clock;
  readonly limits: XmlLimits;
  readonly identity: { readonly key: string; readonly cert: string };
  readonly agree: (channel: Channel) => Promise<Agreed>;
  readonly sessions: Pick<Sessions, 'carried' | 'suspend' | 'end' | 'back'>;
  readonly on: LinkStreamCallbacks<Stream>;
  /** What came of a peer that is not paired, and the memory it took: how long to read nothing. Without anything: how long still. */
  readonly pace?: (stream: Stream, element: Element | undefined, memory: number) => number;
  /** Set while too much waits for the disk: resolves when it does not any more. */
  readonly roomy?: () => Promise<void> | undefined;
  readonly isPaired?: (fingerprint: string) => boolean;
  /** What of it is half received takes so many bytes of memory. */
  readonly held?: (stream: Stream, bytes: number) => void;
  readonly timing?: Partial<Timing>;
  /** It is not closed for being idle: nothing else says that the peer is there. */
  readonly stays?: boolean;
}

export interface LinkStreamCallbacks<Stream> {
  ready(stream: Stream): void;
  /**
   * Resolves, perhaps with a reply, when what the stanza caused is durable: only then does `h` count it.
   * Rejects when that cannot be: the stream ends, and the peer sends it again later.
   */
  stanza(stream: Stream, stanza: Element): Promise<Element | undefined>;
  /** Once, last. `reason` is a Refusal when there never was a stream. */
  closed(stream: Stream, reason: Error | undefined): void;
}
