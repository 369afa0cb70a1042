// One way to the server, gone as far as a wire on which a stream can begin.
import type { Clock } from '../clock.ts';
import { verifiedTls } from '../xmpp/tls.ts';
import type { Wire, WireCallbacks } from '../xmpp/wire.ts';
import { XmppSocket } from '../xmpp/xmpp-socket.ts';
import { BODY_BYTES } from './bosh-body.ts';
import { BoshWire } from './bosh-wire.ts';
import { dial, encrypt, type Dialing } from './dial.ts';
import { createPool, dialUrl, exchange, type Trust } from './https.ts';
import { isTcp, type Target } from './target.ts';
import { openWebSocket, WebSocketWire } from './websocket-wire.ts';

export interface ConnectOptions {
  readonly domain: string;
  readonly trust: Trust;
  readonly dialing: Dialing;
  readonly clock: Clock;
  readonly stanzaBytes: number;
  readonly on: WireCallbacks;
}

/** Elements within one another in what a server sends. */
const DEPTH = 64;
/** XEP-0368 §4. */
const ALPN = 'xmpp-client';

export async function connectTo(target: Target, { domain, trust, dialing, clock, stanzaBytes, on }: ConnectOptions): Promise<Wire> {
  const limits = { stanzaBytes, depth: DEPTH };
  if (isTcp(target)) {
    const raw = await dial(target, dialing);
    const socket = target.kind === 'tls' ? await encrypt(raw, verifiedTls({ domain, ...trust, alpn: ALPN }), dialing) : raw;
    const wire = new XmppSocket({ socket, clock, limits, on });
    // A proxy's last word was read from it, and nothing after that.
    wire.resume();
    return wire;
  }
  const url = new URL(target.url);
  if (target.kind === 'websocket') {
    const socket = await openWebSocket(target.url, await dialUrl(url, trust, dialing), stanzaBytes, dialing.signal);
    return new WebSocketWire({ socket, clock, limits, on });
  }
  const over = createPool(url, trust, dialing);
  const done = new AbortController();
  const signal = AbortSignal.any([dialing.signal, done.signal]);
  const headers = { 'content-type': 'text/xml; charset=utf-8' };
  return new BoshWire({
    clock, limits, on,
    post: (body, gone) => exchange({ url, over, method: 'POST', headers, body, maxBytes: stanzaBytes + BODY_BYTES, signal, gone }),
    done: () => {
      done.abort();
      over.destroy();
    },
  });
}
