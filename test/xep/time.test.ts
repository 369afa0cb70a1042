import { describe, expect, test } from 'vitest';
import { createTestClock } from '../../src/clock.ts';
import { buildTimeRequest, createTime, NS_TIME, readTime } from '../../src/xep/time.ts';
import { Dispatcher } from '../../src/xmpp/dispatch.ts';
import { type Element, xml } from '../../src/xmpp/element.ts';

const answer = (utc: string): Element => xml('iq', { type: 'result' }, xml('time', { xmlns: NS_TIME }, xml('tzo', {}, '+00:00'), xml('utc', {}, utc)));

describe('XEP-0202', () => {
  test('§3 answers with UTC and an offset, in the form of XEP-0082; §5 where it stands is not said', async () => {
    const dispatcher = new Dispatcher();
    const extension = createTime(createTestClock(Date.UTC(2026, 5, 1, 12, 30, 15, 250)));
    extension.attach(dispatcher);
    const request = buildTimeRequest();
    request.attrs['id'] = '1';
    const reply = await dispatcher.dispatch(request, {});
    const time = reply?.getChild('time', NS_TIME);
    expect(time?.getChildText('utc')).toBe('2026-06-01T12:30:15.250Z');
    expect(time?.getChildText('tzo')).toBe('+00:00');
    expect(extension.features).toEqual(['urn:xmpp:time']);
    expect(reply && readTime(reply)).toBe(Date.UTC(2026, 5, 1, 12, 30, 15, 250));
  });

  test.each([['2006-12-19T17:58:35Z', Date.UTC(2006, 11, 19, 17, 58, 35)], ['2006-12-19T17:58:35.5Z', Date.UTC(2006, 11, 19, 17, 58, 35, 500)]])('reads %s', (utc, time) => {
    expect(readTime(answer(utc))).toBe(time);
  });

  test.each(['', 'now', '2006-12-19', '2006-13-41T17:58:35Z', '2006-12-19T17:58:35', `${'9'.repeat(1000)}Z`])('what is no time is none: %s', (utc) => {
    expect(readTime(answer(utc))).toBeUndefined();
  });

  test('an answer without a time has none', () => {
    expect(readTime(xml('iq', { type: 'result' }))).toBeUndefined();
  });
});
