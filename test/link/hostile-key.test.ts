import { setImmediate as nextTurn } from 'node:timers/promises';
import { array, assert, asyncProperty, boolean, constantFrom } from 'fast-check';
import { expect, test } from 'vitest';
import { acquainted, SimulatedLan } from './fixtures.ts';
import { secureCaller } from './secure-caller.ts';
import { serviceBox } from './service-box.ts';

const SM = "xmlns='urn:xmpp:sm:3'";
const SASL = "xmlns='urn:ietf:params:xml:ns:xmpp-sasl'";
const si = (inner: string): string => `<iq type='set' id='f'><si xmlns='http://jabber.org/protocol/si' id='s' profile='http://jabber.org/protocol/si/profile/file-transfer'>${inner}</si></iq>`;
const ibb = (inner: string): string => `<iq type='set' id='i'>${inner.replace('/>', " xmlns='http://jabber.org/protocol/ibb'/>")}</iq>`;
const FORM = "<feature xmlns='http://jabber.org/protocol/feature-neg'><x xmlns='jabber:x:data' type='form'><field var='stream-method' type='list-single'><option><value>http://jabber.org/protocol/ibb</value></option></field></x></feature>";

/** What somebody with a key, whom nobody vouched for, says under TLS. */
const said = constantFrom(
  `<enable ${SM}/>`, `<enable ${SM} resume='true'/>`, `<enable ${SM} resume='true' max='-1' id='x'/>`, `<resume ${SM}/>`, `<resume ${SM} previd='PREVID' h='0'/>`,
  `<resume ${SM} previd='PREVID' h='4294967295'/>`, `<resume ${SM} previd='PREVID' h='x'/>`, `<resume ${SM} previd='__proto__' h='0'/>`, `<resumed ${SM} h='0'/>`,
  `<a ${SM}/>`, `<a ${SM} h='0'/>`, `<a ${SM} h='7'/>`, `<a ${SM} h='99999999999'/>`, `<r ${SM}/>`, `<failed ${SM}/>`, `<enabled ${SM} id='x' resume='true'/>`,
  `<auth ${SASL} mechanism='EXTERNAL'/>`, `<auth ${SASL} mechanism='EXTERNAL'>=</auth>`, `<auth ${SASL} mechanism='EXTERNAL'>!!</auth>`, `<auth ${SASL}/>`, `<response ${SASL}/>`, `<abort ${SASL}/>`,
  '<message><body>x</body></message>', "<message type='error' id='1'><error type='cancel'/></message>", "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
  "<iq type='set' id='p'><pair xmlns='urn:lanpost:pairing:0'/></iq>", "<iq type='set' id='q'><pubsub xmlns='http://jabber.org/protocol/pubsub'><subscribe node='#' jid='x'/></pubsub></iq>",
  "<message><event xmlns='http://jabber.org/protocol/pubsub#event'><items node='a//b'/></event></message>",
  si(''), si("<file xmlns='http://jabber.org/protocol/si/profile/file-transfer' name='../../x' size='-1'/>"), si(`<file xmlns='http://jabber.org/protocol/si/profile/file-transfer' name='x' size='1'/>${FORM}`),
  ibb("<open sid='s' block-size='0'/>"), ibb("<open sid='s' block-size='4096'/>"), ibb("<data sid='s' seq='0'/>"), ibb("<data sid='s' seq='70000'/>"), ibb("<close sid='s'/>"), ibb("<close/>"),
  "<iq type='set' id='b'><query xmlns='http://jabber.org/protocol/bytestreams' sid='s'><streamhost jid='x' host='127.0.0.1' port='22'/></query></iq>",
  "<iq type='result' id='1'/>", '<presence/>', '</stream:stream>', "<stream:error><x/></stream:error>", '<a><b>', '\u0000',
);

test('whatever somebody with a key says, the box lives, answers the next, and closes in time', async () => {
  const lan = new SimulatedLan();
  const a = await serviceBox(lan, 1, 'a');
  const rejected: unknown[] = [];
  const note = (reason: unknown): void => void rejected.push(reason);
  process.on('unhandledRejection', note);
  const keys = (await Promise.all(Array.from({ length: 4 }, () => lan.identity()))).map(({ key }) => key);
  let previd = '';
  let host = 10;
  try {
    await assert(asyncProperty(array(said, { maxLength: 12 }), constantFrom(0, 1, 2, 3), boolean(), boolean(), constantFrom('end', 'reset', 'stay'), async (lines, who, enables, together, then) => {
      // A caller's address may call so often only; the same names come back, as resumption is by name and key.
      host = host < 25 ? host + 1 : 10;
      const stream = await secureCaller(lan, a, { host, name: `me${who}@h`, key: keys[who] ?? null });
      if (enables) {
        stream.write(`<enable ${SM} resume='true'/>`);
        previd = /id=["']([^"']+)/.exec(await stream.reads(/<enabled[^>]*>/))?.[1] ?? '';
      }
      const words = lines.map((line) => line.replaceAll('PREVID', previd));
      for (const line of together ? [words.join('')] : words) {
        stream.write(line);
        await nextTurn();
      }
      if (then === 'end') stream.end();
      else if (then === 'reset') stream.destroy();
    }), { numRuns: 120 });
    const b = await serviceBox(lan, 2, 'b');
    await acquainted(a, b);
    await b.link.prove(a.link.name);
    expect(rejected).toEqual([]);
  } finally {
    process.off('unhandledRejection', note);
    await lan.close();
  }
});
