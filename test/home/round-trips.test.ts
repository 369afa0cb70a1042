// How often a login waits for the server: what passes on the road is counted, from the connection to the session.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createSystemClock } from '../../src/clock.ts';
import { negotiate, type Negotiated, type NegotiateOptions } from '../../src/home/negotiate.ts';
import { parseJid } from '../../src/xmpp/jid.ts';
import { Bell } from '../support/bell.ts';
import { startFakeHome } from './fake-home.ts';

/** Ms that a byte takes, each way: more than the two ends need to say all that they can say without hearing more. */
const LATENCY = 20;

interface LongRoad extends AsyncDisposable {
  readonly port: number;
  /** Since it was last asked: round trips, that of the connection included. */
  trips(): number;
}

async function startLongRoad(to: number): Promise<LongRoad> {
  const sockets = new Set<Socket>();
  let trips = 0;
  let heard = true;
  const server = createServer((near) => {
    trips++;
    heard = true;
    const far = connect(to, '127.0.0.1');
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined));
    near.on('data', (bytes) => {
      // What is said before anything more was heard goes with what was said before it.
      if (heard) trips++;
      heard = false;
      setTimeout(() => far.write(bytes), LATENCY);
    });
    far.on('data', (bytes) => setTimeout(() => {
      heard = true;
      near.write(bytes);
    }, LATENCY));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    trips() {
      const counted = trips;
      trips = 0;
      return counted;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('round trips', () => {
  it.each<['tls' | 'starttls', { first: number; known: number; resumed: number; knownAndResumed: number }]>([
    ['tls', { first: 8, known: 5, resumed: 7, knownAndResumed: 5 }],
    ['starttls', { first: 10, known: 6, resumed: 9, knownAndResumed: 6 }],
  ])('of a login over %s: %j', async (transport, expected) => {
    const home = await startFakeHome(new Bell());
    await using road = await startLongRoad(transport === 'tls' ? home.tlsPort : home.account.port);
    const { jid, ca, password } = home.account;
    const address = parseJid(jid);
    if (!address) throw new Error(jid);
    const login = async (more: Partial<NegotiateOptions> = {}): Promise<{ negotiated: Negotiated; trips: number }> => {
      const negotiated = await negotiate({
        jid: address, password, resource: 'r', transport, host: '127.0.0.1', port: road.port, ca, clock: createSystemClock(), deadline: 20_000, stanzaBytes: 1 << 20,
        onClose: () => undefined, signal: new AbortController().signal, ...more,
      });
      const trips = road.trips();
      negotiated.socket.destroy();
      return { negotiated, trips };
    };
    try {
      const first = await login();
      const { known, sm } = first.negotiated;
      const resume = { id: sm?.id ?? '', h: 0 };
      const resumed = await login({ resume });
      const knownAndResumed = await login({ known, resume });
      expect([resumed.negotiated.resumed, knownAndResumed.negotiated.resumed]).toEqual([0, 0]);
      const again = await login({ known });
      expect(again.negotiated.sm?.id).toBeDefined();
      expect({ first: first.trips, known: again.trips, resumed: resumed.trips, knownAndResumed: knownAndResumed.trips }).toEqual(expected);
    } finally {
      await home.close();
    }
  });
});
