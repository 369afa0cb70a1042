// What carries one XMPP stream of a client, whatever is beneath: TCP, WebSocket or HTTP requests.
import type { Element } from './element.ts';

/** What happens on it; `close` comes exactly once and last. */
export interface WireCallbacks {
  header(): void;
  stanza(element: Element): void;
  /** The other side sent what is no XMPP; it is closing. */
  error(fault: { readonly condition: string; readonly text: string }): void;
  close(reason?: Error): void;
}

export interface Wire {
  readonly closed: boolean;
  /** Monotonic time of the last sign of life. */
  readonly lastReceived: number;
  /** Begins a stream, with the header as TCP would have it. */
  open(header: Element): void;
  /** A new stream follows, as after SASL. */
  restart(): void;
  write(element: Element): boolean;
  /** What comes is not read until `resume`. */
  pause(): void;
  resume(): void;
  /** Ends the stream with an error of ours. */
  fail(condition: string, text?: string, application?: Element): Promise<void>;
  /** Ends it in order. */
  close(): Promise<void>;
  /** No goodbye. */
  destroy(reason?: Error): void;
}
