import type { DnsRecord } from './message.ts';
import type { Source } from './network.ts';

/** An instance with all that is needed to reach it, as one link knows it. */
export interface Resolved {
  /** Full name, escaped. */
  readonly name: string;
  readonly key: string;
  /** Its own part of the name, unescaped. */
  readonly label: string;
  /** Keys of the browsed names that lead to it, e.g. `_presence._tcp.local`. */
  readonly types: readonly string[];
  readonly host: string;
  readonly port: number;
  /** The data of its TXT record, a character for each byte. */
  readonly text: string;
  readonly addresses: readonly string[];
}

/** What the engine of one link wants done, in order. */
export type Output =
  | { readonly type: 'send'; readonly bytes: Uint8Array; readonly to?: Source }
  /** A name is ours: probed without objection. */
  | { readonly type: 'held'; readonly name: string }
  /** Others hold these names. */
  | { readonly type: 'conflict'; readonly names: readonly string[] }
  /** Another responder of this very host answers for the host name. */
  | { readonly type: 'answered here'; readonly name: string }
  | { readonly type: 'found'; readonly service: Resolved }
  | { readonly type: 'lost'; readonly name: string }
  /** A type of services is offered by somebody, or by nobody any more (RFC 6763 §9). */
  | { readonly type: 'service type'; readonly name: string; readonly there: boolean }
  /** It said goodbye here, so it is probably gone elsewhere too. */
  | { readonly type: 'goodbye'; readonly name: string }
  /** A record that was asked for. */
  | { readonly type: 'answer'; readonly record: DnsRecord }
  /** Its owner says there is none. */
  | { readonly type: 'no answer'; readonly name: string; readonly rrtype: number }
  /** A limit was reached and something was not remembered. */
  | { readonly type: 'full'; readonly what: string };
