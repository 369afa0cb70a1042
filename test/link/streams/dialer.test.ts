import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BOX_TEXT } from '../../../src/link/claims.ts';
import { selfSigned } from '../../../src/trust/certificate.ts';
import { buildMessage } from '../../../src/xmpp/stanza.ts';
import { acquainted, SimulatedLan, type TestBox } from '../fixtures.ts';
import { PlainStream } from '../plain-peer.ts';
import { header10 } from '../secure-caller.ts';

const STARTTLS = "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>";

let lan: SimulatedLan;
let a: TestBox;
let b: TestBox;
let port: number;

/** A paired box that is said to be at these hosts, too, before its own. */
function alsoAt(...hosts: number[]): void {
  lan.announce({
    instance: 'b@h7', host: 'h7.local', port, text: BOX_TEXT,
    addresses: [...hosts, 7].map((host) => ({ address: lan.address(host), family: 4, interface: 'eth0' })),
  });
}

async function acquaint(): Promise<void> {
  [a, b] = await Promise.all([lan.box(1, 'a'), lan.box(7, 'b')]);
  await acquainted(a, b);
  a.trust.seen(b.identity.spki, 'b@h7');
  await a.trust.pair(b.identity.fingerprint);
  port = lan.portOf('b@h7') ?? 0;
}

beforeEach(() => { lan = new SimulatedLan(); });
afterEach(() => lan.close());

describe('somebody who answers where a paired box is said to be, too', () => {
  /** At the port of b. */
  async function stranger(speak: (socket: Socket) => Promise<void>): Promise<void> {
    await acquaint();
    const door = await lan.tcp(3).listen(lan.address(3), port, (socket) => { speak(socket).catch(() => undefined); }); // what he does with the end of it is his affair
    lan.onClose(() => door.close());
  }

  test('with another key keeps nobody from its own address, and that is told', async () => {
    const { key } = await lan.identity();
    const cert = await selfSigned(key);
    await stranger(async (socket) => {
      const plain = new PlainStream(socket, lan.bell);
      await plain.reads('>');
      plain.write(header10('b@h7', 'a@h1') + STARTTLS);
      await plain.reads('<starttls');
      plain.write("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
      const tls = new PlainStream(new TLSSocket(plain.release(), { isServer: true, key, cert, requestCert: true, rejectUnauthorized: false }), lan.bell);
      await tls.reads('<stream:stream');
      tls.write(`${header10('b@h7', 'a@h1')}<stream:features><sm xmlns='urn:xmpp:sm:3'/></stream:features>`);
      await tls.closes();
      tls.destroy();
    });
    alsoAt(3);
    expect(await a.link.prove('b@h7')).toEqual({ name: 'b@h7', fingerprint: b.identity.fingerprint });
    expect(lan.dials).toEqual(['1>10.77.0.3', '1>10.77.0.7']);
    expect(a.troubles).toContainEqual(expect.objectContaining({ kind: 'link.impostor', code: 'impostor' }));
  });

  test('without encryption keeps nobody from its own address, and that is told', async () => {
    await stranger(async (socket) => {
      const plain = new PlainStream(socket, lan.bell);
      await plain.reads('>');
      plain.write(`${header10('b@h7', 'a@h1')}<stream:features/>`);
      await plain.closes();
      plain.destroy();
    });
    alsoAt(3);
    expect(await a.link.prove('b@h7')).toEqual({ name: 'b@h7', fingerprint: b.identity.fingerprint });
    expect(lan.dials).toEqual(['1>10.77.0.3', '1>10.77.0.7']);
    expect(a.troubles.map(({ kind }) => kind)).toContain('link.downgrade');
  });
});

test('a box that has called meanwhile is answered, and no further address of it tried', async () => {
  const tried: string[] = [];
  let giveUp = (): void => undefined;
  const tcp = lan.tcp.bind(lan);
  lan.tcp = (host) => {
    const real = tcp(host);
    return host !== 1 ? real : {
      ...real,
      connect: async (address) => {
        tried.push(address);
        lan.bell.ring();
        await new Promise<void>((resolve) => { giveUp = resolve; });
        throw new Error(`${address} does not answer`);
      },
    };
  };
  await acquaint();
  alsoAt(3, 4, 5);
  const sent = a.link.send('b@h7', buildMessage({ type: 'chat', id: '1', body: 'from a' }));
  await lan.until(() => tried.length === 1);
  await (await b.link.send('a@h1', buildMessage({ type: 'chat', id: '2', body: 'from b' }))).delivered;
  giveUp();
  await lan.until(() => tried.length > 1 || b.messages.length > 0);
  expect(tried).toEqual(['10.77.0.3']);
  await (await sent).delivered;
  expect(b.messages).toMatchObject([{ body: 'from a' }]);
});
