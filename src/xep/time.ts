// XEP-0202: Entity Time, version 2.0
import type { Clock } from '../clock.ts';
import type { Dispatcher } from '../xmpp/dispatch.ts';
import { children, type Element, namespaceOf, xml } from '../xmpp/element.ts';
import type { Extension } from '../xmpp/extension.ts';

export const NS_TIME = 'urn:xmpp:time';
/** XEP-0082 §2: years are not only of four digits, but a clock that says so is not believed anyhow. */
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/;

/** Says what this machine's clock reads; where it stands (§5, the time zone) is nobody's business. */
export function createTime<C>(clock: Pick<Clock, 'wall'>): Extension<C> {
  return {
    features: [NS_TIME],
    attach(dispatcher: Dispatcher<C>): void {
      dispatcher.iq('get', NS_TIME, 'time', () => Promise.resolve(
        xml('time', { xmlns: NS_TIME }, xml('tzo', {}, '+00:00'), xml('utc', {}, new Date(clock.wall()).toISOString())),
      ));
    },
  };
}

export function buildTimeRequest(): Element {
  return xml('iq', { type: 'get' }, xml('time', { xmlns: NS_TIME }));
}

/** What the answer's clock reads, in ms since 1970; undefined when it does not say. */
export function readTime(answer: Element): number | undefined {
  const text = children(answer).find((child) => namespaceOf(child) === NS_TIME)?.getChildText('utc')?.trim() ?? '';
  const time = DATE_TIME.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}
