// @ts-check
import { element, emptied, keyed, mark, place, write } from './dom.js';
import { present } from './present.js';
import { say } from './say.js';
import { count, counted, moment } from './words.js';

/** @typedef {{ time: number, reader: string, topic: string, besides?: number, count?: number, from?: number, to?: number, reason: string }} Loss */

const WHY = new Map([
  ['overflow', 'more waited than its bound'], ['expired', 'it waited too long'], ['corrupt', 'found damaged on disk'],
  ['unfit', 'too large, or not to be said there'], ['poison', 'put aside: still to be had'], ['dropped', 'given up by the owner'],
]);

/** @param {{ total: number, rows: Loss[] }} losses */
export function showLosses({ total, rows }) {
  const tile = place('tile-losses');
  write(tile, count(total));
  mark(tile, 'bad', total > 0);
  const [newest] = rows;
  write(place('tile-losses-more'), newest ? say('the last {time}', { time: moment(newest.time, present()) }) : say('nothing was lost'));
  write(place('losses-note'), rows.length > 0 && total > rows.length ? say('the newest {n}', { n: count(rows.length) }) : '');
  const body = place('loss-rows');
  keyed(body, rows, ({ reader, topic, from }) => `${from} ${reader} ${topic}`, makeLoss);
  emptied(body, rows.length === 0);
}

/** @returns {[HTMLElement, (loss: Loss) => void]} */
function makeLoss() {
  const cells = [element('td', 'quiet'), element('td', 'topic'), element('td', 'mono'), element('td', 'number'), element('td')];
  return [element('tr', '', ...cells), (loss) => {
    const words = [moment(loss.time, present()), loss.reader === 'every reader' ? say(loss.reader) : loss.reader, loss.besides === undefined ? loss.topic : say('{topic} besides {n} topics', { topic: loss.topic, n: count(loss.besides) }), loss.count === undefined ? say('not known') : counted(loss.count, '{n} record', '{n} records'), say(WHY.get(loss.reason) ?? loss.reason)];
    cells.forEach((cell, at) => write(cell, words[at] ?? ''));
  }];
}
