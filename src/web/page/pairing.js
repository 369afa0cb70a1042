// @ts-check
import { button, element, keyed, place, write } from './dom.js';
import { ask } from './live.js';
import { notice } from './notices.js';
import { present } from './present.js';
import { span } from './words.js';

/** @typedef {{ id: string, peer: string, fingerprint?: string, state: 'starting' | 'waiting' | 'words' | 'answered' | 'paired' | 'failed', until?: number, words?: string[], reason?: string }} Pairing */

/** @param {Pairing[]} pairings @param {string} self */
export function showPairings(pairings, self) {
  keyed(place('pairing'), pairings, ({ id, state, words }) => `${id} ${state} ${words?.join(' ')}`, (one) => {
    const left = element('span');
    return [makePairing(one, self, left), ({ until }) => write(left, until ? span(until - present()) : '')];
  });
}

/** @param {Pairing} pairing @param {string} self @param {HTMLElement} left */
function makePairing({ id, peer, fingerprint, state, words = [], reason = '' }, self, left) {
  const card = element('div', `pair is-${state}`, element('h2', '', title(state, peer)));
  const stop = button(state === 'paired' || state === 'failed' ? 'Close' : 'Cancel', 'plain', async () => notice(await ask('stop', { id })));
  switch (state) {
    case 'starting':
      card.append(element('p', 'quiet', 'Calling it…'), element('div', 'buttons', stop));
      break;
    case 'waiting':
      card.append(element('p', '', `Now start pairing with ${self} on ${peer} too, on its status page or with `, element('code', '', `lanpost pair ${quoted(self)}`), '. Left: ', left, '.'), element('div', 'buttons', stop));
      break;
    case 'words':
      card.append(
        element('div', 'words', ...words.map((word) => element('span', '', word))),
        element('p', '', `Does ${peer} show the same ${words.length} words? Look at its own screen, or ask whoever stands before it.`),
        element('div', 'buttons',
          button('Yes, the same', '', async () => notice(await ask('answer', { id, words, same: true }))),
          button('No, they differ', 'danger', async () => notice(await ask('answer', { id, words, same: false })))));
      break;
    case 'answered':
      card.append(element('p', '', `Waiting for the answer on ${peer}.`), element('div', 'buttons', stop));
      break;
    case 'paired':
      card.append(element('p', '', 'Nobody is in between. It gets no rights by that: ', element('code', '', 'lanpost trust allow'), ' gives them.'), element('div', 'buttons', stop));
      break;
    default:
      card.append(element('p', '', reason), element('div', 'buttons', stop));
  }
  if (fingerprint) card.append(element('p', 'quiet mono', `key ${fingerprint.slice(0, 32)}`));
  return card;
}

/** @param {Pairing['state']} state @param {string} peer */
function title(state, peer) {
  if (state === 'paired') return `Paired with ${peer}`;
  return state === 'failed' ? `Not paired with ${peer}` : `Pairing with ${peer}`;
}

/** As a shell takes it. @param {string} text */
function quoted(text) {
  return /^[\p{L}\p{N}@%+=:,./_-]+$/u.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
