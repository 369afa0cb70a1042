// @ts-check
import { element, emptied, keyed, mark, place, printable, write } from './dom.js';
import { present } from './present.js';
import { say } from './say.js';
import { count, counted, moment, perSecond, size, span } from './words.js';

/** @typedef {{ name: string, title?: string, items: number, bytes: number, storage: string, lane: string, rate: number, last?: { time: number, timeTrusted: boolean, value: string, contentType: string, publisher?: string } }} Topic */

/** Rates of the last looks, for the small curve. @type {Map<string, number[]>} */
let curves = new Map();
const POINTS = 40;
const SVG = 'http://www.w3.org/2000/svg';

/** @param {{ total: number, found: number, rate: number, rows: Topic[] }} topics */
export function showTopics({ total, found, rate, rows }) {
  write(place('tile-topics'), count(total));
  write(place('tile-topics-more'), rate === 0 ? say('nothing comes in') : say('{rate} altogether', { rate: perSecond(rate) }));
  write(place('topics-note'), found > rows.length ? say('the {n} newest of {total}', { n: count(rows.length), total: count(found) }) : found < total ? counted(found, '{n} is like that', '{n} are like that') : '');
  curves = new Map(rows.map(({ name, rate: current }) => [name, [...curves.get(name) ?? [], current].slice(-POINTS)]));
  const body = place('topic-rows');
  keyed(body, rows, (topic) => topic.name, makeTopic);
  write(place('no-topics'), say(total === 0 ? 'No topic yet: the first item that is published makes one.' : 'No topic is like that.'));
  emptied(body, rows.length === 0);
}

/** @returns {[HTMLElement, (topic: Topic) => void]} */
function makeTopic() {
  const line = document.createElementNS(SVG, 'polyline');
  const spark = document.createElementNS(SVG, 'svg');
  spark.setAttribute('class', 'spark');
  spark.setAttribute('viewBox', '0 0 100 20');
  spark.setAttribute('preserveAspectRatio', 'none');
  spark.setAttribute('aria-hidden', 'true');
  spark.append(line);
  const [label, more, value, when, pace] = [element('div', 'topic'), element('div', 'quiet'), element('div', 'value'), element('td', 'number quiet'), element('span')];
  const cell = element('td', '', value);
  const rates = element('div', 'rate', spark, pace);
  const row = element('tr', '', element('td', '', label, more), cell, when, element('td', 'number', rates));
  /** @type {number | undefined} */
  let shown;
  return [row, ({ name, title, items, bytes, storage, lane, rate, last }) => {
    write(label, name);
    write(more, [...title ? [title] : [], counted(items, '{n} item', '{n} items'), ...storage === 'memory' ? [say('in memory')] : [size(bytes)], ...lane === 'latest' ? [say('newest of each key')] : []].join(' · '));
    write(value, last ? last.value : '');
    value.title = last ? printable(`${last.contentType}${last.publisher ? `, ${say('from {peer}', { peer: last.publisher })}` : ''}`) : '';
    if (shown !== undefined && last && last.time !== shown) {
      cell.classList.remove('fresh');
      requestAnimationFrame(() => cell.classList.add('fresh'));
    }
    shown = last?.time ?? 0;
    const now = present();
    write(when, last ? age(last, now) : say('never'));
    when.title = last ? moment(last.time, now) : '';
    write(pace, perSecond(rate));
    mark(rates, 'none', !draw(line, curves.get(name) ?? []));
  }];
}

/** @param {{ time: number, timeTrusted: boolean }} last @param {number} now */
function age({ time, timeTrusted }, now) {
  if (!timeTrusted) return say('clock not set');
  return now - time < 2000 ? say('now') : say('{age} ago', { age: span(now - time) });
}

/** Whether there is a curve. @param {SVGPolylineElement} line @param {number[]} rates */
function draw(line, rates) {
  const top = Math.max(...rates, 0.001);
  const still = rates.every((rate) => rate === 0);
  line.setAttribute('points', still ? '' : rates.map((rate, at) => `${(100 * (at + POINTS - rates.length) / (POINTS - 1)).toFixed(1)},${(19 - 18 * rate / top).toFixed(1)}`).join(' '));
  return !still;
}
