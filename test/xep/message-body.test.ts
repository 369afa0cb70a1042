import { describe, expect, test } from 'vitest';
import { isEvent, NS_EVENT, NS_XHTML, readMessage, withHtml } from '../../src/xep/message-body.ts';
import { parseElement, serialize, xml } from '../../src/xmpp/element.ts';

const parse = (inner: string) => parseElement(`<message xmlns='jabber:client'>${inner}</message>`);
const FROM_LIBPURPLE = "<body>first &amp; second</body><html xmlns='http://www.w3.org/1999/xhtml'><body/></html><x xmlns='jabber:x:event'><composing/></x>";

describe('a message', () => {
  test('is its body, also when there is HTML beside it', () => {
    expect(readMessage(parse(FROM_LIBPURPLE))).toEqual({ body: 'first & second' });
    expect(isEvent(parse(FROM_LIBPURPLE))).toBe(false);
  });

  test('has subject and thread when they are there', () => {
    expect(readMessage(parse('<subject>s</subject><body>b</body><thread>t</thread>'))).toEqual({ body: 'b', subject: 's', thread: 't' });
  });

  test('without a body is the text of its HTML', () => {
    expect(readMessage(parse(`<html xmlns='${NS_XHTML}'><body>a <b>bold</b><br/>b</body></html>`))).toEqual({ body: 'a bold\nb' });
  });

  test('that says nothing is no message', () => {
    expect(readMessage(parse("<composing xmlns='http://jabber.org/protocol/chatstates'/>"))).toBeUndefined();
    expect(readMessage(parse('<body/>'))).toBeUndefined();
    expect(readMessage(parse("<body xmlns='urn:other'>x</body>"))).toBeUndefined();
  });

  test('of a box may be empty', () => {
    expect(readMessage(parse("<body/><record xmlns='urn:lanpost:0' id='r' chain='c' at='1'/>"))).toEqual({ body: '' });
    expect(readMessage(parse("<body/><record xmlns='urn:other'/>"))).toBeUndefined();
  });

  test('with an event id and no body is about another one', () => {
    expect(isEvent(parse(`<x xmlns='${NS_EVENT}'><composing/><id>7</id></x>`))).toBe(true);
    expect(isEvent(parse(`<body>hello</body><x xmlns='${NS_EVENT}'><id>7</id></x>`))).toBe(false);
  });
});

describe('for libpurple', () => {
  test('text with markup in it also goes as escaped HTML', () => {
    const message = xml('message', {}, xml('body', {}, 'a < b & <i>c</i>'));
    expect(serialize(withHtml(message))).toBe('<message><body>a &lt; b &amp; &lt;i&gt;c&lt;/i&gt;</body>'
      + `<html xmlns='${NS_XHTML}'><body><font>a &lt; b &amp; &lt;i&gt;c&lt;/i&gt;</font></body></html></message>`);
    expect(message.getChild('html')).toBeUndefined();
  });

  test('plain text goes as it is', () => {
    const message = xml('message', {}, xml('body', {}, 'Grüße 😀'));
    expect(withHtml(message)).toBe(message);
  });
});
