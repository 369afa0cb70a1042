import { expect, test } from 'vitest';
import { eventMessage, eventText, parseEvent } from '../../../src/xep/pubsub/event.ts';
import type { Notice } from '../../../src/pubsub/notice.ts';
import { xml } from '../../../src/xmpp/element.ts';
import { parseElement } from '../../../src/xml/parse.ts';
import { serialize } from '../../../src/xml/serialize.ts';

const recordId = (seq: number): string => `aaaaaaaaaaaaaaaa-1.00000001-${seq}`;
const NOTICES: Notice[] = [
  { kind: 'publish', recordId: recordId(1), time: 5, id: 'x', payload: { contentType: 'application/json', bytes: Buffer.from('{"v":"<&>"}') }, publisher: 'link:b' },
  { kind: 'publish', recordId: recordId(2), time: 5, previous: 1, id: recordId(2), payload: { contentType: 'text/plain', bytes: Buffer.from('ü') } },
  { kind: 'retract', recordId: recordId(3), time: 6, previous: 2, id: 'x' },
  { kind: 'configure', recordId: recordId(4), time: 6, previous: 3 },
  { kind: 'gap', recordId: recordId(9), time: 7, gap: { from: 5, to: 8, count: 4, reason: 'corrupt' } },
  { kind: 'purge', recordId: recordId(10), time: 8 },
  { kind: 'delete', recordId: recordId(11), time: 9 },
];

test('every kind of notice survives the wire', () => {
  const wire = serialize(eventMessage('reader', eventText('plant/temp', NOTICES)));
  const read = parseEvent(parseElement(wire));
  expect(read).toMatchObject({ reader: 'reader', topic: 'plant/temp' });
  const text = (notices: readonly Notice[]) => notices.map(({ payload, ...rest }) => ({
    ...rest, ...(payload ? { payload: [payload.contentType, Buffer.from(payload.bytes).toString()] } : {}),
  }));
  expect(text(read?.notices ?? [])).toEqual(text(NOTICES));
});

test('a gap may concern every topic', () => {
  const gap: Notice = { kind: 'gap', recordId: recordId(9), time: 7, gap: { from: 5, to: 8, reason: 'corrupt' } };
  expect(parseEvent(parseElement(serialize(eventMessage('reader', eventText('', [gap])))))).toEqual({ reader: 'reader', topic: '', notices: [gap] });
});

test('a gap of several topics names them, and no more of them than a gap of this box would', () => {
  const topics = [{ topic: 'a', from: 5, to: 7, count: 2 }, { topic: 'b<', from: 6, to: 6 }];
  const gap: Notice = { kind: 'gap', recordId: recordId(9), time: 7, gap: { from: 5, to: 9, count: 5, reason: 'overflow', topics, others: { from: 8, to: 9, count: 2 } } };
  const wire = (notice: Notice): ReturnType<typeof parseEvent> => parseEvent(parseElement(serialize(eventMessage('reader', eventText('', [notice])))));
  expect(wire(gap)?.notices).toEqual([gap]);
  const many = Array.from({ length: 500 }, (_, i) => ({ topic: `${i}`, from: i, to: i, count: 1 }));
  const told = wire({ ...gap, gap: { from: 0, to: 499, count: 500, reason: 'overflow', topics: many } })?.notices[0]?.gap;
  expect([told?.topics?.length, told?.others]).toEqual([32, { from: 32, to: 499, count: 468 }]);
});

test('a message that is no notification of a box is none', () => {
  expect(parseEvent(xml('message', {}, xml('body', {}, 'hi')))).toBeUndefined();
});

const broken = (change: (wire: string) => string) => () => parseEvent(parseElement(change(serialize(eventMessage('r', eventText('t', NOTICES.slice(0, 2)))))));
test.each([
  ['fewer record ids than entries', (wire: string) => wire.replace(/<record [^>]*\/>/, '')],
  ['two topics', (wire: string) => wire.replace('</event>', "<purge node='other'/></event>")],
  ['an unknown entry', (wire: string) => wire.replace('<items', "<surprise node='t'/><items")],
  ['an item without an id', (wire: string) => wire.replace("id='x'", '')],
  ['two payloads', (wire: string) => wire.replace('</item>', '<a/></item>')],
  ['no reader', (wire: string) => wire.replace("reader='r'", '')],
  ['no time', (wire: string) => wire.replaceAll(/at='5'/g, "at='x'")],
])('%s is refused, saying why', (_what, change) => {
  expect(broken(change)).toThrow(/\w+ /);
});

test.each(['constructor', 'toString', '__proto__', 'hasOwnProperty'])('<%s/> is no event, though every object has such a property', (name) => {
  const wire = `<message xmlns='jabber:client'><event xmlns='http://jabber.org/protocol/pubsub#event'><${name} node='t'/></event>`
    + `<records xmlns='urn:lanpost:0' reader='r'><record id='${recordId(1)}' at='1'/></records></message>`;
  expect(() => parseEvent(parseElement(wire))).toThrow('is no pubsub event');
});
