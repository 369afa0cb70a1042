// @ts-check
import { button, element, emptied, keyed, place, write } from './dom.js';
import { ask, sure } from './live.js';
import { notice } from './notices.js';
import { present } from './present.js';
import { say } from './say.js';
import { count, counted, moment, size, span } from './words.js';

/** @typedef {{ name: string, filter: string, durable: boolean, reader: string, source?: { peer: string, awaySince?: number }, pending: number, bytes: number, oldestAge?: number, readers: number, unconfirmed: number, poison: number, abandonedSince?: number, expiresAt?: number }} Reader */

const WHOSE = new Map([['local', 'of this box'], ['home', 'of a home']]);

/** @param {{ total: number, rows: Reader[] }} readers */
export function showReaders({ total, rows }) {
  const body = place('reader-rows');
  if (total > rows.length) write(place('readers-note'), say('The {n} that keep most, of {total}.', { n: count(rows.length), total: count(total) }));
  keyed(body, rows, (one) => `${one.durable} ${one.reader} ${one.name} ${one.filter}`, makeReader);
  emptied(body, rows.length === 0);
}

/** @param {Reader} reader @returns {[HTMLElement, (reader: Reader) => void]} */
function makeReader(reader) {
  let newest = reader;
  const drop = button(say('Drop'), 'plain', async () => {
    const { name, pending, bytes } = newest;
    const text = say('{records} ({size}) wait for it and are given up. Whoever reads under this name again begins anew.', { records: counted(pending, '{n} record', '{n} records'), size: size(bytes) });
    if (await sure({ title: say('Drop {name}?', { name }), text, yes: say('Drop it') })) notice(await ask('drop', { name }));
  });
  drop.hidden = !reader.durable || reader.reader === 'home'; // that one goes with its home
  drop.setAttribute('aria-label', say('Drop {name}', { name: reader.name }));
  const [title, whose, filter, waiting, keeps, state] = [element('div', 'topic'), element('div', 'quiet'), element('td', 'mono'), element('td', 'number'), element('td', 'number'), element('td', 'quiet')];
  waiting.dataset.label = say('Waiting');
  keeps.dataset.label = say('Keeps');
  return [element('tr', '', element('td', '', title, whose), filter, waiting, keeps, state, element('td', 'number', drop)), (one) => {
    newest = one;
    write(title, one.durable ? one.name : say('live'));
    write(whose, [say(WHOSE.get(one.reader) ?? one.reader), ...one.source ? [say('reads from {peer}', { peer: one.source.peer })] : []].join(' · '));
    write(filter, one.filter);
    write(waiting, count(one.pending));
    write(keeps, one.bytes === 0 ? '–' : size(one.bytes));
    write(state, stateOf(one));
  }];
}

/** @param {Reader} reader */
function stateOf({ readers, abandonedSince, source, oldestAge, unconfirmed, poison, expiresAt }) {
  const now = present();
  const reading = counted(readers, 'reading', '{n} reading');
  const nobody = abandonedSince ? say('nobody reads since {time}', { time: moment(abandonedSince, now) }) : say('nobody reads');
  return [
    readers > 0 ? reading : nobody,
    ...source?.awaySince ? [say('away since {time}', { time: moment(source.awaySince, now) })] : [],
    ...oldestAge ? [say('oldest {age}', { age: span(oldestAge) })] : [],
    ...unconfirmed > 0 ? [say('{n} unconfirmed', { n: count(unconfirmed) })] : [],
    ...poison > 0 ? [say('{n} put aside', { n: count(poison) })] : [],
    ...expiresAt ? [say('dropped at {time} unless read', { time: moment(expiresAt, now) })] : [],
  ].join(' · ');
}
