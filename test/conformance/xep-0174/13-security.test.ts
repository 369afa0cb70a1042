import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { messages } from '../../../src/cli/commands/messages.ts';
import { Arguments } from '../../../src/cli/arguments.ts';
import type { Box } from '../../../src/index.ts';
import { screen } from '../../cli/shown.ts';
import { seen, SimulatedLan, type TestBox } from '../../link/fixtures.ts';
import { plainPeer, type PlainPeer, purpleHeader } from '../../link/plain-peer.ts';
import { serviceBox } from '../../link/service-box.ts';

describe('XEP-0174 §13 security', () => {
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

  it('§13.1 TLS is offered to whoever speaks XMPP 1.0', async () => {
    const stream = await juliet.dial('10.77.0.1', a.link.status().port ?? 0);
    stream.write("<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='juliet@h2' version='1.0'>");
    expect(await stream.reads('</stream:features>')).toContain("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'");
  });

  it('§13.1 the user is warned that a chat is in the clear, and of a key that nobody vouched for', async () => {
    const [b, c] = [await serviceBox(lan, 3, 'verona'), await serviceBox(lan, 4, 'mantua')];
    await Promise.all([seen(b, juliet.name), seen(b, c.link.name), seen(c, b.link.name)]);
    const leave = new AbortController();
    // What the command needs of a box.
    const box = { messages: (options) => b.mail.messages(options) } as Pick<Box, 'messages'> as Box;
    const show = (terminal: boolean): { until: (words: string) => Promise<string>; over: Promise<number | void> } => {
      const { out, until } = screen({ terminal });
      return { until, over: messages.run({ args: new Arguments(messages, []), out, dir: '.lanpost', signal: leave.signal, note: async () => undefined, attach: () => Promise.resolve(box) }) };
    };
    const [terminal, pipe] = [show(true), show(false)];
    const stream = await juliet.dial('10.77.0.3', b.link.status().port ?? 0);
    stream.write(purpleHeader('juliet@h2', 'verona@h3'));
    for (const words of ['first', 'second']) stream.write(`<message type='chat' from='juliet@h2' to='verona@h3'><body>${words}</body></message>`);
    await Promise.all([terminal.until('second'), pipe.until('second')]);
    await (await c.mail.send('link:verona@h3', 'by key')).delivered;
    const [shown, piped] = await Promise.all([terminal.until('by key'), pipe.until('by key')]);
    leave.abort();
    await Promise.all([terminal.over, pipe.over]);
    expect(shown.split('\n').map((line) => line.replace(/^\d\S+ \S+ {2}/, ''))).toEqual([
      'link:juliet@h2  first [in the clear]',
      '  in the clear: whoever is on this network can read what goes to and from link:juliet@h2, or pretend to be it',
      'link:juliet@h2  second [in the clear]',
      'link:mantua@h4  by key [not paired]', '',
    ]);
    expect(piped.trimEnd().split('\n').map((line) => line.split('\t').slice(1))).toEqual([
      ['link:juliet@h2', 'first', 'in the clear'], ['link:juliet@h2', 'second', 'in the clear'], ['link:mantua@h4', 'by key', 'not paired'],
    ]);
  });

  it('§13.2 what is addressed to an XMPP network, or to a third party, is not carried there: it is for this box, from who sent it', async () => {
    const b = await serviceBox(lan, 3, 'verona');
    await seen(b, juliet.name);
    const stream = await juliet.dial('10.77.0.3', b.link.status().port ?? 0);
    stream.write(purpleHeader('juliet@h2', 'verona@h3'));
    const inbox = b.mail.messages({ name: 'all' });
    stream.write("<message from='pope@vatican.va' to='nurse@capulet.lit'><body>relay me</body></message>");
    const { value } = await inbox.next();
    expect(value).toMatchObject({ from: 'link:juliet@h2', to: 'link:verona@h3', body: 'relay me' });
    expect([...b.log.topics()].map(({ name }) => name).filter((name) => name.startsWith('$mail/'))).toEqual([]);
    await inbox.close();
  });

  it('§13.3 what is said of a person is never taken for an address: a jid in TXT moves no mail', async () => {
    const b = await serviceBox(lan, 3, 'verona');
    await plainPeer(lan, 4, 'tybalt@h4', { jid: 'juliet@capulet.lit' });
    await seen(b, 'tybalt@h4');
    expect(b.link.peers.describe('tybalt@h4')).toMatchObject({ jid: ['juliet@capulet.lit'] });
    await expect(b.mail.send('xmpp:juliet@capulet.lit', 'secret')).rejects.toMatchObject({ code: 'unreachable' });
  });
});
