// oxlint-disable vitest/warn-todo -- what is not done stays visible
import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { fromJson, fromXrd } from '../../../src/home/host-meta.ts';
import { XmlFault } from '../../../src/xmpp/element.ts';

test.todo('§4 DNS TXT records: obsolete since version 1.4.0, not asked for');

const WS = { rel: 'urn:xmpp:alt-connections:websocket', href: 'wss://web.example/ws' };
const BOSH = { rel: 'urn:xmpp:alt-connections:xbosh', href: 'https://web.example/bosh' };
const xrd = (links: string): string => `<?xml version='1.0' encoding='utf-8'?><XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>${links}</XRD>`;

describe('§3.1 the services in host-meta', () => {
  it('in JSON, WebSocket first', () => {
    expect(fromJson(JSON.stringify({ links: [BOSH, WS, WS] }))).toEqual([{ kind: 'websocket', url: WS.href }, { kind: 'bosh', url: BOSH.href }]);
  });
  it('in XML', () => {
    expect(fromXrd(xrd(`<Link rel='${BOSH.rel}' href='${BOSH.href}'/><Link rel='lrdd' href='https://x'/><Link rel='${WS.rel}' href='${WS.href}'/>`))).toEqual([{ kind: 'websocket', url: WS.href }, { kind: 'bosh', url: BOSH.href }]);
  });
  it.each(['ws://web.example/ws', 'https://web.example/ws', 'wss://me:pw@web.example/', 'wss:', '', `wss://x/${'y'.repeat(3000)}`, 7, null, {}])('§5 an address that is not encrypted, or none: %j', (href) => {
    expect(fromJson(JSON.stringify({ links: [{ rel: WS.rel, href }] }))).toEqual([]);
  });
  it('no more than four, and nothing from elsewhere in the paper', () => {
    expect(fromJson(JSON.stringify({ links: Array.from({ length: 100 }, (_, i) => ({ rel: WS.rel, href: `wss://h${i}/` })) }))).toHaveLength(4);
    expect(fromXrd(xrd(`<x><Link rel='${WS.rel}' href='${WS.href}'/></x>`))).toEqual([]);
    expect(fromXrd(`<XRD><Link rel='${WS.rel}' href='${WS.href}'/></XRD>`)).toEqual([]);
    expect(fromJson(JSON.stringify({ links: [{ rel: '__proto__', href: WS.href }] }))).toEqual([]);
  });
});

/** Whether it gives encrypted addresses, or fails as it may. */
function outcome(parse: () => readonly { readonly url: string }[], fault: new (...args: never[]) => Error): boolean {
  try {
    return parse().every(({ url }) => /^(wss|https):/.test(url));
  } catch (error) {
    return error instanceof fault;
  }
}

describe('whatever the web server says', () => {
  it('of JSON', () => {
    fc.assert(fc.property(fc.oneof(fc.json(), fc.anything().map((value) => JSON.stringify({ links: [value, WS] }) ?? '')), (text) => {
      expect(outcome(() => fromJson(text), SyntaxError)).toBe(true);
    }));
  });
  it('of XML', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.string().map((text) => xrd(text)), fc.array(fc.constantFrom('<', '>', '</', 'Link', ' rel=', "'", 'XRD', '&amp;', '<!--', ']]>', '/>')).map((parts) => xrd(parts.join('')))), (text) => {
      expect(outcome(() => fromXrd(text), XmlFault)).toBe(true);
    }));
  });
});
