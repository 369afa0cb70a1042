// Ways to a home that are not this machine's own. Whoever knows one offers it; the session on it is this box's own, with
// TLS from end to end, so who passes its bytes on reads nothing and needs no rights there.
import type { Duplex } from 'node:stream';
import type { TcpTarget } from './target.ts';

/** Somebody who may pass bytes on to a server. */
export interface Detour {
  /** Its name, for people. */
  readonly via: string;
  /** `to`: `HOST:PORT`, or `xmpp:DOMAIN`, where it is for DNS to say which host speaks so. Resolves with what is as good as a TCP connection; rejects when there is no way. */
  dial(to: string, signal: AbortSignal, kind: TcpTarget['kind']): Promise<Duplex>;
}
