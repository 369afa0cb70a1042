// @ts-check
import { button, element, emptied, keyed, mark, place, write } from './dom.js';
import { readersOf } from './groups.js';
import { ask } from './live.js';
import { notice } from './notices.js';
import { present } from './present.js';
import { say } from './say.js';
import { count, counted, moment, perSecond, size, span } from './words.js';

/** @typedef {{ jid: string, state: string, since: number, reason?: string, unanswered?: number, nextAttempt?: number, via?: string, over?: string, group?: { name: string, rank: number, active: boolean }, queued: number, queuedBytes: number, oldestAge: number, oldest?: { topic: string, reader: string }, rate: { items: number, bytes: number }, drains?: number, hoursLeft?: number, poison?: number, down?: { nodes: number, waiting: number } }} Home */

const TONES = new Map([['online', ''], ['connecting', 'warn'], ['waiting', 'warn'], ['offline', 'warn'], ['paused', 'neutral'], ['refused', 'bad']]);

/** @param {Home[]} homes */
export function showHomes(homes) {
  const readers = readersOf(homes);
  const queued = readers.reduce((sum, home) => sum + home.queued, 0);
  const tile = place('tile-homes');
  write(tile, homes.length === 0 ? '–' : count(queued));
  mark(tile, 'warn', readers.some((home) => home.queued > 0 && home.state !== 'online'));
  write(place('tile-homes-more'), homes.length === 0 ? say('no home') : forecast(readers, queued));
  const list = place('homes');
  keyed(list, homes, (home) => home.jid, makeHome);
  emptied(list, homes.length === 0);
}

/** @param {Home[]} homes @param {number} queued */
function forecast(homes, queued) {
  if (queued === 0) return say('all is there');
  const left = Math.min(...homes.map((home) => home.hoursLeft ?? Infinity));
  const drains = homes.filter((home) => home.queued > 0).map((home) => (home.state === 'online' ? home.drains : undefined));
  const longest = Math.max(...drains.map((ms) => ms ?? Infinity));
  if (Number.isFinite(longest)) return say('all there in {time}', { time: span(longest) });
  return Number.isFinite(left) ? say('room for {time}', { time: span(left * 3_600_000) }) : size(homes.reduce((sum, home) => sum + home.queuedBytes, 0));
}

/** @param {Home} home @returns {[HTMLElement, (home: Home) => void]} */
function makeHome({ jid }) {
  let isPaused = false;
  const stay = button('', 'plain', async () => notice(await ask(isPaused ? 'resume' : 'pause', { home: jid })));
  const [dot, title, pill, more, facts] = [element('span', 'dot'), element('span', 'title'), element('span', 'pill'), element('p', 'more quiet'), element('dl', 'facts')];
  return [element('li', '', dot, title, element('span', 'end', pill, stay), more, facts), (home) => {
    const now = present();
    mark(dot, 'on', home.state === 'online');
    mark(dot, 'dnd', home.state === 'refused');
    mark(dot, 'away', ['connecting', 'waiting', 'offline'].includes(home.state));
    write(title, home.jid);
    write(pill, say(home.state));
    isPaused = home.state === 'paused';
    write(stay, say(isPaused ? 'Resume' : 'Pause'));
    stay.setAttribute('aria-label', say(isPaused ? 'Resume {name}' : 'Pause {name}', { name: home.jid }));
    pill.className = `pill ${TONES.get(home.state) ?? 'neutral'}`;
    write(more, [
      say('since {time}', { time: moment(home.since, now) }),
      ...home.via ? [say('by way of {peer}', { peer: home.via })] : [],
      ...home.over && !home.via ? [home.over] : [],
      ...home.reason ? [home.reason] : [],
      ...home.nextAttempt ? [say('tried again at {time}', { time: moment(home.nextAttempt, now) })] : [],
      ...home.group ? [say(home.group.active ? 'the one in use of {group}' : 'stands by of {group}', { group: home.group.name })] : [],
      ...home.poison ? [say('{n} put aside', { n: count(home.poison) })] : [],
      ...home.down ? [home.down.waiting === 0 ? counted(home.down.nodes, '{n} node comes down', '{n} nodes come down') : say('{n} of {total} nodes not caught up with', { n: count(home.down.waiting), total: count(home.down.nodes) })] : [],
    ].join(' · '));
    keyed(facts, factsOf(home), ([name]) => name, makeFact);
  }];
}

/** @param {[string, string]} fact @returns {[HTMLElement, (fact: [string, string]) => void]} */
function makeFact([name]) {
  const said = element('dd');
  return [element('div', '', element('dt', '', say(name)), said), ([, words]) => write(said, words)];
}

/** @param {Home} home @returns {[string, string][]} */
function factsOf(home) {
  const { state, queued, queuedBytes, oldestAge, oldest, rate, drains, hoursLeft } = home;
  const goes = home.unanswered !== undefined ? say('no answer for {time}', { time: span(home.unanswered) })
    : state !== 'online' || rate.items === 0 ? say('nothing now') : `${perSecond(rate.items)}, ${size(rate.bytes)}/s`;
  if (queued === 0) return [['Waiting', say('nothing')], ['Goes', goes]];
  return [
    ['Waiting', `${count(queued)} (${size(queuedBytes)})`],
    ['Oldest', `${span(oldestAge)}${oldest ? `, ${oldest.topic}` : ''}`],
    ['Goes', goes],
    ['All there in', state !== 'online' || drains === undefined ? say('not known yet') : span(drains)],
    ...hoursLeft === undefined ? [] : /** @type {[string, string][]} */ ([['Room for', say('{time} more like this', { time: span(hoursLeft * 3_600_000) })]]),
  ];
}
