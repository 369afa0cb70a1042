// @ts-check
import { button, element, emptied, keyed, mark, place, write } from './dom.js';
import { ask } from './live.js';
import { notice } from './notices.js';
import { say } from './say.js';
import { count } from './words.js';

const STATUS = { available: 'available', away: 'away', dnd: 'do not disturb' };

/** @typedef {{ name: string, status: 'available' | 'away' | 'dnd', statusText?: string, nick?: string, trust: 'none' | 'seen' | 'paired', box: boolean, connected: boolean, fingerprint?: string, host: string, via?: string, addresses: string[], readsAsJid?: boolean }} Peer */

/** @param {{ total: number, rows: Peer[] }} peers */
export function showPeers({ total, rows }) {
  const connected = rows.filter((peer) => peer.connected).length;
  write(place('tile-peers'), count(total));
  write(place('tile-peers-more'), total === 0 ? say('nobody is seen') : say('{n} connected', { n: count(connected) }));
  write(place('peers-note'), total > rows.length ? say('{n} of {total}', { n: count(rows.length), total: count(total) }) : '');
  const list = place('peers');
  keyed(list, rows, (peer) => peer.name, makePeer);
  emptied(list, rows.length === 0);
}

/** @param {Peer} peer @returns {[HTMLElement, (peer: Peer) => void]} */
function makePeer({ name: called }) {
  const pair = button(say('Pair'), 'plain', async () => notice(await ask('pair', { peer: called })));
  pair.setAttribute('aria-label', say('Pair with {peer}', { peer: called }));
  const [dot, title, pill, more] = [element('span', 'dot'), element('span', 'title'), element('span', 'pill'), element('span', 'more quiet')];
  const row = element('li', '', dot, title, element('span', 'end', pill, pair), more);
  return [row, ({ name, status, statusText, nick, trust, box, connected, host, via, addresses, fingerprint, readsAsJid }) => {
    mark(dot, 'on', connected && status === 'available');
    mark(dot, 'away', connected && status === 'away');
    mark(dot, 'dnd', connected && status === 'dnd');
    write(title, readsAsJid ? `link:${name}` : name);
    const [words, tone] = known(trust, box);
    write(pill, say(words));
    pill.className = `pill ${tone}`;
    pair.hidden = trust === 'paired' || !box;
    write(more, [
      say(connected ? 'connected' : 'seen'),
      `${say(STATUS[status])}${statusText ? ` (${statusText})` : ''}`,
      ...nick && !name.startsWith(`${nick}@`) ? [`“${nick}”`] : [],
      say(box ? 'a box' : 'a chat client'),
      ...via ? [say(via === 'caller' ? 'called from beyond the link' : 'beyond the link')] : [],
      addresses[0] ?? host,
      ...fingerprint ? [say('key {key}', { key: fingerprint.slice(0, 16) })] : [],
    ].join(' · '));
  }];
}

/** @param {Peer['trust']} trust @param {boolean} box @returns {[words: string, tone: string]} */
function known(trust, box) {
  if (trust === 'paired') return ['paired', ''];
  if (trust === 'seen') return ['not paired', 'neutral'];
  return box ? ['key not seen yet', 'neutral'] : ['in the clear', 'warn'];
}
