import { connect as secure } from 'node:tls';
import { selfSigned } from '../../src/trust/certificate.ts';
import { seen, type SimulatedLan, type TestBox } from './fixtures.ts';
import { plainPeer, PlainStream } from './plain-peer.ts';

export const header10 = (from: string, to: string): string =>
  `<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='${from}' to='${to}' version='1.0'>`;

export interface CallerSetup {
  readonly host?: number;
  readonly name?: string;
  /** PEM; `undefined` for a key of its own that nobody has seen, `null` for none. */
  readonly key?: string | null;
  readonly txt?: Record<string, string>;
}

/** Somebody with a name of his own at an address of his own, up to the features under TLS; the test speaks for him. */
export async function secureCaller(lan: SimulatedLan, box: Pick<TestBox, 'link'>, setup: CallerSetup = {}): Promise<PlainStream> {
  const { host = 2, name = `mallory@h${host}` } = setup;
  const peer = await plainPeer(lan, host, name, setup.txt);
  await seen(box, name);
  const self = box.link.name;
  const stream = await peer.dial('10.77.0.1', box.link.status().port ?? 0);
  stream.write(header10(name, self));
  await stream.reads('</stream:features>');
  stream.write("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  await stream.reads('<proceed');
  const key = setup.key === undefined ? (await lan.identity()).key : setup.key;
  const tls = secure({ socket: stream.release(), rejectUnauthorized: false, ...(key === null ? {} : { key, cert: await selfSigned(key) }) });
  const secured = new PlainStream(tls, lan.bell);
  lan.onClose(() => { secured.destroy(); return Promise.resolve(); });
  secured.write(header10(name, self));
  secured.features = await secured.reads('</stream:features>');
  return secured;
}
