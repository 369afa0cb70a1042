import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { creation, parseBody, request } from '../../src/home/bosh-body.ts';
import { attr, namespaceOf, parseElement, XmlFault } from '../../src/xmpp/element.ts';

const LIMITS = { stanzaBytes: 10_000, depth: 16 };
const NS = 'http://jabber.org/protocol/httpbind';

/** Whether it is read, or fails as it may. */
function isSound(text: string): boolean {
  try {
    return Array.isArray(parseBody(text, LIMITS).elements);
  } catch (error) {
    return error instanceof XmlFault;
  }
}

describe('a body of BOSH', () => {
  it('XEP-0124 §7.1, XEP-0206 §3: asks for a session', () => {
    const body = parseElement(creation(7, 'home.test'));
    expect([namespaceOf(body), attr(body, 'rid'), attr(body, 'to'), attr(body, 'hold'), attr(body, 'xmpp:version')]).toEqual([NS, '7', 'home.test', '1', '1.0']);
  });
  it('XEP-0206 §5, XEP-0124 §13: restarts, ends, and holds what is to be said', () => {
    expect(request(8, 's', { restart: 'home.test' })).toContain("xmpp:restart='true'");
    const body = parseElement(request(9, 's&', { terminate: true, stanzas: ["<iq xmlns='jabber:client' type='get'/>"] }));
    expect([attr(body, 'sid'), attr(body, 'type'), body.getChild('iq')?.attrs['type']]).toEqual(['s&', 'terminate', 'get']);
  });
  it('is read', () => {
    const answer = parseBody(`<body xmlns='${NS}' sid='x' requests='2' xmlns:stream='http://etherx.jabber.org/streams'><stream:features/><iq xmlns='jabber:client'/></body>`, LIMITS);
    expect([answer.sid, answer.requests, answer.terminated, answer.elements.map((element) => element.getName())]).toEqual(['x', 2, undefined, ['features', 'iq']]);
    expect(parseBody(`<body xmlns='${NS}' type='terminate' condition='item-not-found'/>`, LIMITS).terminated).toBe('item-not-found');
    for (const requests of ['0', '-1', 'x', '1e99']) expect(parseBody(`<body xmlns='${NS}' requests='${requests}'/>`, LIMITS).requests).toBeUndefined();
  });
  it.each(['', 'hello', '<html/>', `<body/>`, `<body xmlns='${NS}'>`, `<body xmlns='${NS}'/><body xmlns='${NS}'/>`, `<body xmlns='${NS}'>${'x'.repeat(20_000)}</body>`, `<body xmlns='${NS}'>${'<a>'.repeat(20)}${'</a>'.repeat(20)}</body>`])('%#: no body of BOSH, or too large a one', (text) => {
    expect(() => parseBody(text, LIMITS)).toThrow(XmlFault);
  });
  it('whatever comes: a body or a fault', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.array(fc.constantFrom(`<body xmlns='${NS}'`, ' sid=', "'", '>', '<iq', '/>', '</body>', '<![CDATA[', ']]>', '&', 'type=', 'terminate')).map((parts) => parts.join(''))), (text) => {
      expect(isSound(text)).toBe(true);
    }));
  });
});
