// Not here: §13.1 SASL, which is in ../xep-0178.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestClock } from '../../../src/clock.ts';
import { txtValue } from '../../support/txt-data.ts';
import { capsVersion, readInfo } from '../../../src/xep/caps.ts';
import { parseElement } from '../../../src/xmpp/element.ts';
import { buildMessage } from '../../../src/xmpp/stanza.ts';
import { acquainted, seen, SimulatedLan, type TestBox } from '../../link/fixtures.ts';
import { plainPeer, type PlainPeer, type PlainStream, purpleHeader } from '../../link/plain-peer.ts';

const HEADER = /<stream:stream[^>]*>/;

describe('XEP-0174', () => {
  let lan: SimulatedLan;
  let a: TestBox;
  let juliet: PlainPeer;
  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await lan.box(1, 'romeo');
    juliet = await plainPeer(lan, 2, 'juliet@h2');
    await seen(a, juliet.name);
  });
  afterEach(() => lan.close());
  const call = async (header: string): Promise<PlainStream> => {
    const stream = await juliet.dial('10.77.0.1', a.link.status().port ?? 0);
    stream.write(header);
    return stream;
  };
  const modern = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='juliet@h2' to='romeo@h1' version='1.0'>";

  it('§5 a change of presence is told by TXT; nothing of it goes over a stream', async () => {
    const stream = await call(purpleHeader('juliet@h2', 'romeo@h1'));
    await stream.reads(HEADER);
    const seenOf = new Promise<string | undefined>((resolve) => {
      lan.mdns(2).browse('_presence._tcp', ({ service }) => {
        if (service.instance === a.name && txtValue(service, 'status') === 'dnd') resolve(txtValue(service, 'msg')?.toString());
      });
    });
    await a.own.setStatus('dnd', 'at lunch');
    expect(await seenOf).toBe('at lunch');
    // What comes next on the stream is the answer to this.
    stream.write("<iq type='get' id='1' from='juliet@h2' to='romeo@h1'><ping xmlns='urn:xmpp:ping'/></iq>");
    expect(await stream.reads(/<iq[^>]*>/)).toMatch(/^\s*<iq[^>]*>$/);
  });

  it('§6 the initiator says from and to, and sends no stanza before the recipient\'s header', async () => {
    const sending = a.link.send(juliet.name, buildMessage({ body: 'x' }));
    const stream = await juliet.incoming();
    const header = await stream.reads(HEADER);
    expect(header).toContain("from='romeo@h1'");
    expect(header).toContain("to='juliet@h2'");
    expect(header).toContain("version='1.0'");
    expect(stream.text).toBe('');
    stream.write(purpleHeader('juliet@h2', 'romeo@h1'));
    await stream.reads('</message>');
    await sending;
  });

  it('§6 the recipient answers with a header of its own', async () => {
    const stream = await call(purpleHeader('juliet@h2', 'romeo@h1'));
    const header = await stream.reads(HEADER);
    expect(header).toContain("from='romeo@h1'");
    expect(header).toContain("to='juliet@h2'");
  });

  it('§6 features follow only when the initiator said version 1.0', async () => {
    const old = await call(purpleHeader('juliet@h2', 'romeo@h1'));
    expect(await old.reads(HEADER)).not.toMatch(/<stream:stream[^>]* version=/);
    old.write("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
    expect(await old.reads(/<iq[^>]*>/)).not.toContain('features');
    const stream = await call(modern);
    expect(await stream.reads(HEADER)).toMatch(/<stream:stream[^>]* version='1\.0'/);
    expect(await stream.reads('</stream:features>')).toContain("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
  });

  it('§6 whoever knows features but wants none of them may go on in the clear', async () => {
    const stream = await call(modern);
    await stream.reads('</stream:features>');
    stream.write("<message from='juliet@h2' to='romeo@h1'><body>Art thou not Romeo?</body></message>");
    await lan.until(() => a.messages.length === 1);
    expect(a.messages[0]?.body).toBe('Art thou not Romeo?');
  });

  it('§7 to and from are the instance names', async () => {
    const sending = a.link.send(juliet.name, buildMessage({ body: 'x' }));
    const stream = await juliet.incoming();
    stream.write(purpleHeader('juliet@h2', 'romeo@h1'));
    const message = await stream.reads('</message>');
    expect(message).toMatch(/<message [^>]*from='romeo@h1'/);
    expect(message).toMatch(/<message [^>]*to='juliet@h2'/);
    await sending;
  });

  it('§8 a stream that the other party closes is closed in the other direction too', async () => {
    const stream = await call(purpleHeader('juliet@h2', 'romeo@h1'));
    await stream.reads(HEADER);
    stream.write('</stream:stream>');
    expect(await stream.reads('</stream:stream>')).toBe('</stream:stream>');
    await stream.closes();
  });

  it('§8 the party that closed first closes the connection once the other has closed its stream too', async () => {
    a = await lan.box(3, 'timeless', { clock: createTestClock() }); // no deadline ends it
    await seen(a, juliet.name);
    const stream = await juliet.dial('10.77.0.3', a.link.status().port ?? 0);
    stream.write(purpleHeader('juliet@h2', a.name));
    await stream.reads(HEADER);
    await lan.until(() => a.link.peers.describe(juliet.name)?.connected === true);
    const closing = a.link.close();
    await stream.reads('</stream:stream>');
    expect(lan.sockets.size).toBe(2);
    stream.write('</stream:stream>');
    await closing;
    expect(lan.sockets.size).toBe(1);
  });

  it('§8 what comes between our closing tag and the other\'s is still taken', async () => {
    const stream = await call(purpleHeader('juliet@h2', 'romeo@h1'));
    await stream.reads(HEADER);
    await lan.until(() => a.link.peers.describe(juliet.name)?.connected === true);
    const closing = a.link.close();
    await stream.reads('</stream:stream>');
    stream.write('<message><body>one more thing</body></message></stream:stream>');
    await lan.until(() => a.messages.length === 1);
    await closing;
    expect(a.messages[0]?.body).toBe('one more thing');
  });

  it('§9 a box that goes is gone for the others at once', async () => {
    const b = await lan.box(3, 'nurse');
    await acquainted(a, b);
    await b.close();
    expect(a.link.peers.get(b.name)).toBeUndefined();
  });

  it('§10 the features hold what disco#info would, with its node, equal to the caps in TXT', async () => {
    const b = await lan.box(3, 'nurse');
    await acquainted(a, b);
    const caps = b.link.peers.get(a.name)?.claims.caps;
    const stream = await call(modern);
    const features = parseElement((await stream.reads('</stream:features>')).replace(/^[^]*<stream:features/, "<stream:features xmlns:stream='http://etherx.jabber.org/streams'"));
    const query = features.getChild('query', 'http://jabber.org/protocol/disco#info');
    expect(query?.attrs['node']).toBe(`${caps?.node}#${caps?.ver}`);
    const info = query && readInfo(query);
    expect(info && capsVersion(info, caps?.hash)).toBe(caps?.ver);
    expect(query?.getChildren('feature').length).toBeGreaterThan(0);
    expect(query?.getChild('identity')?.attrs['category']).toBe('client');
  });

  it('§10 a peer that wanted no more than disco may end the stream', async () => {
    const stream = await call(modern);
    await stream.reads('</stream:features>');
    stream.write('</stream:stream>');
    await stream.reads('</stream:stream>');
    await stream.closes();
    expect(a.troubles).toEqual([]);
  });

  it('§13.1 that a peer is neither encrypted nor authenticated is said of it, and of what it sends', async () => {
    const stream = await call(purpleHeader('juliet@h2', 'romeo@h1'));
    stream.write('<message><body>x</body></message>');
    await lan.until(() => a.messages.length === 1);
    expect(a.messages[0]?.context).toMatchObject({ tls: false, trust: 'none' });
    expect(a.link.peers.describe('juliet@h2')).toMatchObject({ trust: 'none' });
  });

  it('§11.1 where a peer is now is asked for when a stream is about to be opened', async () => {
    lan.announce({ instance: 'nurse@h3', host: 'h3.local', port: 1, text: '', addresses: [{ address: '10.77.0.9', family: 4, interface: 'eth0' }] });
    const nurse = await lan.tcp(3).listen('10.77.0.3', 0, socket => socket.write(purpleHeader('nurse@h3', 'romeo@h1')));
    lan.onClose(() => nurse.close());
    lan.untold.set('nurse@h3', { instance: 'nurse@h3', host: 'h3.local', port: nurse.port, text: '', addresses: [{ address: '10.77.0.3', family: 4, interface: 'eth0' }] });
    await a.link.send('nurse@h3', buildMessage({ body: 'x' }));
    expect(lan.dials.at(-1)).toBe('1>10.77.0.3');
  });
});
