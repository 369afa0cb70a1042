// @ts-check
import { button, element, emptied, keyed, place, write } from './dom.js';
import { ask, sure } from './live.js';
import { notice } from './notices.js';
import { present } from './present.js';
import { count, counted, moment, size, span } from './words.js';

/** @typedef {{ name: string, filter: string, durable: boolean, reader: string, source?: { peer: string, awaySince?: number }, pending: number, bytes: number, oldestAge?: number, readers: number, unconfirmed: number, poison: number, abandonedSince?: number, expiresAt?: number }} Reader */

const WHOSE = new Map([['local', 'of this box'], ['home', 'of a home']]);

/** @param {{ total: number, rows: Reader[] }} readers */
export function showReaders({ total, rows }) {
  const body = place('reader-rows');
  if (total > rows.length) write(place('readers-note'), `The ${count(rows.length)} that keep most, of ${count(total)}.`);
  keyed(body, rows, (one) => `${one.durable} ${one.reader} ${one.name} ${one.filter}`, makeReader);
  emptied(body, rows.length === 0);
}

/** @param {Reader} reader @returns {[HTMLElement, (reader: Reader) => void]} */
function makeReader(reader) {
  let newest = reader;
  const drop = button('Drop', 'plain', async () => {
    const { name, pending, bytes } = newest;
    const text = `${counted(pending, 'record')} (${size(bytes)}) wait for it and are given up. Whoever reads under this name again begins anew.`;
    if (await sure({ title: `Drop ${name}?`, text, yes: 'Drop it' })) notice(await ask('drop', { name }));
  });
  drop.hidden = !reader.durable || reader.reader === 'home'; // that one goes with its home
  drop.setAttribute('aria-label', `Drop ${reader.name}`);
  const [title, whose, filter, waiting, keeps, state] = [element('div', 'topic'), element('div', 'quiet'), element('td', 'mono'), element('td', 'number'), element('td', 'number'), element('td', 'quiet')];
  waiting.dataset.label = 'Waiting';
  keeps.dataset.label = 'Keeps';
  return [element('tr', '', element('td', '', title, whose), filter, waiting, keeps, state, element('td', 'number', drop)), (one) => {
    newest = one;
    write(title, one.durable ? one.name : 'live');
    write(whose, [WHOSE.get(one.reader) ?? one.reader, ...one.source ? [`reads from ${one.source.peer}`] : []].join(' · '));
    write(filter, one.filter);
    write(waiting, count(one.pending));
    write(keeps, one.bytes === 0 ? '–' : size(one.bytes));
    write(state, stateOf(one));
  }];
}

/** @param {Reader} reader */
function stateOf({ readers, abandonedSince, source, oldestAge, unconfirmed, poison, expiresAt }) {
  const now = present();
  const reading = readers === 1 ? 'reading' : `${count(readers)} reading`;
  const nobody = abandonedSince ? `nobody reads since ${moment(abandonedSince, now)}` : 'nobody reads';
  return [
    readers > 0 ? reading : nobody,
    ...source?.awaySince ? [`away since ${moment(source.awaySince, now)}`] : [],
    ...oldestAge ? [`oldest ${span(oldestAge)}`] : [],
    ...unconfirmed > 0 ? [`${count(unconfirmed)} unconfirmed`] : [],
    ...poison > 0 ? [`${count(poison)} put aside`] : [],
    ...expiresAt ? [`dropped at ${moment(expiresAt, now)} unless read`] : [],
  ].join(' · ');
}
