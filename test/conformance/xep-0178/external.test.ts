import { TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { selfSigned } from '../../../src/trust/certificate.ts';
import { xml } from '../../../src/xmpp/element.ts';
import { seen, SimulatedLan, type TestBox } from '../../link/fixtures.ts';
import { plainPeer, PlainStream } from '../../link/plain-peer.ts';
import { header10, secureCaller } from '../../link/secure-caller.ts';

// XEP-0178 is written for servers; what it says of c2s holds between two peers, with the instance name for the JID.
describe('XEP-0178, RFC 6120 §6: SASL EXTERNAL on the link', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'a');
  });
  afterEach(() => lan.close());

  const auth = (text: string, mechanism = 'EXTERNAL'): string => `<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='${mechanism}'>${text}</auth>`;
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const restarted = async (stream: PlainStream): Promise<string> => {
    await stream.reads(/<success[^>]*>/);
    stream.write(header10('mallory@h2', 'a@h1'));
    return stream.reads('</stream:features>');
  };

  it('§6.3.1 it is offered under TLS to whoever has shown a key, beside stream management, which boxes take instead', async () => {
    const peer = await plainPeer(lan, 2, 'mallory@h2');
    await seen(a, peer.name);
    const clear = await peer.dial('10.77.0.1', a.link.status().port ?? 0);
    clear.write(header10('mallory@h2', 'a@h1'));
    expect(await clear.reads('</stream:features>')).not.toContain('mechanism');
    const keyless = await secureCaller(lan, a, { host: 3, key: null });
    expect(keyless.features).not.toContain('mechanism');
    const keyed = await secureCaller(lan, a, { host: 4 });
    expect(keyed.features).toMatch(/<mechanism>EXTERNAL<.*urn:xmpp:sm:3/);
  });

  it.each([['none ("=")', '='], ['its own name', base64('mallory@h2')]])('§2 the authorization identity is %s: success, and the stream begins anew', async (_, identity) => {
    const stream = await secureCaller(lan, a);
    stream.write(auth(identity));
    const features = await restarted(stream);
    expect(features).not.toContain('mechanism');
    expect(features).toContain('urn:xmpp:sm:3');
    stream.write("<message><body>hello</body></message>");
    await lan.until(() => a.messages.length === 1);
    expect(a.messages[0]?.context).toMatchObject({ name: 'mallory@h2', trust: 'seen', tls: true });
  });

  it('§6.4.2 without an initial response there is a challenge', async () => {
    const stream = await secureCaller(lan, a);
    stream.write(auth(''));
    await stream.reads(/<challenge[^>]*>/);
    stream.write("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    expect(await restarted(stream)).toContain('urn:xmpp:sm:3');
  });

  it.each([
    ['a name that is not its own is no authorization identity', auth(base64('b@h9')), 'invalid-authzid'],
    ['what is not base64 is told', auth('@@@'), 'incorrect-encoding'],
    ['another mechanism is none of those offered', auth('', 'PLAIN'), 'invalid-mechanism'],
  ])('§2 %s', async (_, asked, condition) => {
    const stream = await secureCaller(lan, a);
    stream.write(asked);
    expect(await stream.reads('</failure>')).toContain(`<${condition}`);
    // It may try again, not for ever.
    stream.write(asked);
    await stream.reads('</failure>');
    stream.write(asked);
    expect(await stream.closes()).toContain('policy-violation');
  });

  it('§6 a peer that wants it before anything else gets it', async () => {
    const key = (await lan.identity()).key;
    const cert = await selfSigned(key);
    const peer = await plainPeer(lan, 2, 'strict@h2', { lanpost: '1' });
    await seen(a, peer.name);
    const sending = a.link.send(peer.name, xml('message', {}, xml('body', {}, 'hello')));
    const clear = await peer.incoming();
    await clear.reads(/<stream:stream[^>]*>/);
    clear.write(`${header10('strict@h2', 'a@h1')}<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>`);
    await clear.reads('<starttls');
    await clear.reads('>');
    clear.write("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    const stream = new PlainStream(new TLSSocket(clear.release(), { isServer: true, key, cert, requestCert: true, rejectUnauthorized: false }), lan.bell);
    await stream.reads(/<stream:stream[^>]*>/);
    stream.write(`${header10('strict@h2', 'a@h1')}<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms></stream:features>`);
    expect(await stream.reads('</auth>')).toMatch(/mechanism=["']EXTERNAL["']>=</);
    stream.write("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
    await stream.reads(/<stream:stream[^>]*>/);
    stream.write(`${header10('strict@h2', 'a@h1')}<stream:features/>`);
    await sending;
    await stream.reads('hello');
    stream.destroy();
  });
});
