// @ts-check
import { button, element, keyed, place, write } from './dom.js';
import { ask } from './live.js';
import { notice } from './notices.js';
import { present } from './present.js';
import { say } from './say.js';
import { span } from './words.js';

/** @typedef {{ id: string, peer: string, fingerprint?: string, state: 'starting' | 'waiting' | 'words' | 'answered' | 'paired' | 'failed', until?: number, words?: string[], reason?: string, cause?: string, detail?: string }} Pairing */

/** Why one failed, as the box tells it. */
const CAUSES = new Map([
  ['expired', 'The two minutes are over. Start it on both boxes, and answer on both.'],
  ['tries', 'The peer tried too often. Start again on both boxes when you trust the network.'],
  ['refused', 'One of you said that the words differ: nothing was paired. If they really differed, somebody is in between.'],
  ['closed', 'The box was stopped.'],
  ['failed', 'It failed.'],
]);

/** @param {Pairing[]} pairings @param {string} self */
export function showPairings(pairings, self) {
  /** @type {HTMLElement | undefined} */
  let next;
  keyed(place('pairing'), pairings, ({ id, state, words }) => `${id} ${state} ${words?.join(' ')}`, (one) => {
    const left = element('span');
    next = makePairing(one, self, left);
    return [next, ({ until }) => write(left, until ? span(until - present()) : '')];
  });
  // The button that began it is far below, on a telephone some screens; and two minutes are short.
  next?.scrollIntoView({ block: 'nearest' });
}

/** @param {Pairing} pairing @param {string} self @param {HTMLElement} left */
function makePairing({ id, peer, fingerprint, state, words = [], reason = '', cause, detail }, self, left) {
  const card = element('div', `pair is-${state}`, element('h2', '', title(state, peer)));
  const stop = button(say(state === 'paired' || state === 'failed' ? 'Close' : 'Cancel'), 'plain', async () => notice(await ask('stop', { id })));
  switch (state) {
    case 'starting':
      card.append(element('p', 'quiet', say('Calling it…')), element('div', 'buttons', stop));
      break;
    case 'waiting':
      card.append(element('p', '', say('Now start pairing with {self} on {peer} too, on its status page or with', { self, peer }), ' ', element('code', '', `lanpost pair ${quoted(self)}`), '. ', say('Left:'), ' ', left, '.'), element('div', 'buttons', stop));
      break;
    case 'words':
      card.append(
        element('div', 'words', ...words.map((word) => element('span', '', word))),
        element('p', '', say('Does {peer} show the same {n} words? Look at its own screen, or ask whoever stands before it.', { peer, n: words.length })),
        element('div', 'buttons',
          button(say('Yes, the same'), '', async () => notice(await ask('answer', { id, words, same: true }))),
          button(say('No, they differ'), 'danger', async () => notice(await ask('answer', { id, words, same: false })))));
      break;
    case 'answered':
      card.append(element('p', '', say('Waiting for the answer on {peer}.', { peer })), element('div', 'buttons', stop));
      break;
    case 'paired':
      card.append(element('p', '', say('Nobody is in between. It gets no rights by that:'), ' ', element('code', '', 'lanpost trust allow'), ' ', say('gives them.')), element('div', 'buttons', stop));
      break;
    default:
      card.append(element('p', '', cause === undefined ? reason : `${say(CAUSES.get(cause) ?? cause)}${cause === 'failed' && detail ? ` ${detail}` : ''}`), element('div', 'buttons', stop));
  }
  if (fingerprint) card.append(element('p', 'quiet mono', say('key {key}', { key: fingerprint.slice(0, 32) })));
  return card;
}

/** @param {Pairing['state']} state @param {string} peer */
function title(state, peer) {
  if (state === 'paired') return say('Paired with {peer}', { peer });
  return say(state === 'failed' ? 'Not paired with {peer}' : 'Pairing with {peer}', { peer });
}

/** As a shell takes it. @param {string} text */
function quoted(text) {
  return /^[\p{L}\p{N}@%+=:,./_-]+$/u.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
