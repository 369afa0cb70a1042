import { describe, expect, it } from 'vitest';
import { parseElement, serialize, xml } from '../../src/xmpp/element.ts';
import { Dispatcher } from '../../src/xmpp/dispatch.ts';
import { bare, full, isBareJid, parseJid } from '../../src/xmpp/jid.ts';
import { ERROR_TEXT, NS_STANZAS, StanzaError, stanzaErrorOf } from '../../src/xmpp/stanza-error.ts';
import { streamError, streamFaultOf } from '../../src/xmpp/stream-error.ts';

describe('stanza errors', () => {
  it('the condition is found by namespace, wherever the application put its own', () => {
    const iq = parseElement(`<iq type='error'><error type='modify'><invalid-payload xmlns='http://jabber.org/protocol/pubsub#errors'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>no</text><bad-request xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`);
    const error = stanzaErrorOf(iq);
    expect([error.condition, error.type, error.text, error.application?.getName()]).toEqual(['bad-request', 'modify', 'no', 'invalid-payload']);
  });
  it('to XML and back', () => {
    const error = new StanzaError('conflict', { text: 'x', application: xml('precondition-not-met', { xmlns: 'urn:a' }) });
    const back = stanzaErrorOf(parseElement(serialize(xml('iq', { type: 'error' }, error.toElement()))));
    expect([back.condition, back.type, back.text, back.application?.name]).toEqual(['conflict', 'cancel', 'x', 'precondition-not-met']);
  });
  it('says words that XML cannot hold, and more than an error holds, so that the stream goes on', () => {
    const text = `dry\u0000\uffff\ud800 ${'x'.repeat(300_000)}`;
    const said = serialize(xml('iq', { type: 'error' }, new StanzaError('conflict', { text }).toElement()));
    const back = stanzaErrorOf(parseElement(said));
    expect(back.text).toHaveLength(ERROR_TEXT);
    expect(back.text?.slice(0, 8)).toBe('dry\ufffd\ufffd\ufffd x');
    // A character cut in two is none, either.
    expect(stanzaErrorOf(parseElement(serialize(xml('iq', { type: 'error' }, new StanzaError('conflict', { text: `${'x'.repeat(ERROR_TEXT - 1)}\u{1f600}` }).toElement())))).text).toMatch(/x\ufffd$/);
  });
  it('an error without any error is undefined-condition', () => {
    expect(stanzaErrorOf(xml('iq', { type: 'error' })).condition).toBe('undefined-condition');
  });
  it('stream errors too', () => {
    expect(streamFaultOf(parseElement(serialize(streamError('policy-violation', 'big'))))).toEqual({ condition: 'policy-violation', text: 'big' });
  });
});

describe('dispatch', () => {
  const ask = (payload: string, attributes = "id='1' type='get' from='a@b/c' to='me'") => parseElement(`<iq xmlns='jabber:client' ${attributes}>${payload}</iq>`);
  const dispatcher = new Dispatcher<string>();
  const seen: string[] = [];
  dispatcher.iq('get', 'urn:x', 'q', (request) => Promise.resolve(xml('q', { xmlns: 'urn:x' }, request.context)));
  dispatcher.iq('set', 'urn:x', 'q', () => Promise.reject(new StanzaError('forbidden')));
  dispatcher.message('jabber:client', 'body', (_stanza, body) => { seen.push(body.getText()); return Promise.resolve(); });

  it('answers from the handler, with the addresses turned round', async () => {
    const reply = await dispatcher.dispatch(ask("<q xmlns='urn:x'/>"), 'hello');
    expect(reply && serialize(reply)).toBe(`<iq type='result' id='1' to='a@b/c' from='me'><q xmlns='urn:x'>hello</q></iq>`);
  });
  it.each([
    ["<q xmlns='urn:y'/>", undefined, 'service-unavailable'], ["<q xmlns='urn:x'/>", "id='1' type='set'", 'forbidden'], ['', undefined, 'bad-request'],
    ["<q xmlns='urn:x'/><q xmlns='urn:x'/>", undefined, 'bad-request'], ["<q xmlns='urn:x'/>", "type='get'", 'bad-request'],
  ])('%s %s → %s', async (payload, attributes, condition) => {
    const reply = await dispatcher.dispatch(ask(payload, attributes), '');
    expect(reply && stanzaErrorOf(reply).condition).toBe(condition);
  });
  it('results and errors are nobody\'s request', async () => {
    expect(await dispatcher.dispatch(ask('', "type='result' id='1'"), '')).toBeUndefined();
  });
  it('messages go by their first known child', async () => {
    await dispatcher.dispatch(parseElement("<message xmlns='jabber:client'><html xmlns='urn:h'/><body>hi</body></message>"), '');
    expect(seen).toEqual(['hi']);
  });
});

it('the text of an error is cut to what can be shown', () => {
  const reply = parseElement(`<iq xmlns='jabber:client' type='error'><error type='cancel'><text xmlns='${NS_STANZAS}'>${'x'.repeat(100_000)}</text></error></iq>`);
  expect(stanzaErrorOf(reply).text).toHaveLength(ERROR_TEXT);
});

describe('addresses', () => {
  it.each([['A@B.c/D@e/f', 'a@b.c', 'a@b.c/D@e/f'], ['b.c', 'b.c', 'b.c'], ['b.c/r', 'b.c', 'b.c/r'], ['a@b.c.', 'a@b.c', 'a@b.c'], ['a@[::1]', 'a@[::1]', 'a@[::1]']])('%s', (text, bareJid, fullJid) => {
    expect([bare(text), full(text)]).toEqual([bareJid, fullJid]);
  });
  it.each(['', '@b', 'a@', 'a b@c', 'a@b@c', 'a@b/', 'a@b/\u0001', 'a\uffff@b', 'a@b\ufffe', 'a@b/\ufdd0', 'a@b/\u{1ffff}', `${'a'.repeat(1024)}@b`, 'a&b@c'])('%s is none', (text) => {
    expect(parseJid(text)).toBeUndefined();
  });
  it('an account has a local part and no resource', () => {
    expect(['a@b', 'a@b/c', 'b', 'wjt@bael (2)'].map(isBareJid)).toEqual([true, false, false, false]);
  });
});
