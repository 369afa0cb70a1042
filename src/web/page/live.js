// @ts-check
// The stream of news, and what the page asks of the box.
import { byId, place, write } from './dom.js';
import { say as inWords } from './say.js';

/**
 * Follows the box while somebody looks: a page in the background has no stream, for a browser has few of them for each box.
 * @param {Record<string, (section: any) => void>} sections
 */
export function follow(sections) {
  /** @type {EventSource | undefined} */
  let source;
  let search = '';
  const live = place('live');
  /** @param {boolean} on @param {string} words */
  const say = (on, words) => {
    live.classList.toggle('on', on);
    document.body.classList.toggle('stale', !on);
    write(live, words);
  };
  const stop = () => {
    source?.close();
    source = undefined;
  };
  const start = () => {
    stop();
    const begun = new EventSource(`events?topics=${encodeURIComponent(search)}`);
    source = begun;
    begun.addEventListener('open', () => say(true, inWords('live')));
    begun.addEventListener('error', () => {
      say(false, inWords('no connection to the box'));
      // It tries again by itself, unless it was refused: then so do we, and the box may ask who we are.
      if (begun.readyState === EventSource.CLOSED && source === begun) setTimeout(() => { if (source === begun) void knock(start); }, 3000);
    });
    for (const [name, show] of Object.entries(sections)) begun.addEventListener(name, (event) => show(JSON.parse(event.data)));
  };
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') start();
    else stop();
  });
  if (document.visibilityState === 'visible') start();
  return {
    /** @param {string} words */
    find(words) {
      search = words;
      if (source) start();
    },
  };
}

/** Who has no session any more is asked for the password again. @param {() => void} go */
async function knock(go) {
  const answer = await fetch('./', { headers: { accept: 'text/html' } }).catch(() => undefined);
  if (answer?.status === 401) location.reload();
  else go();
}

/**
 * Has the box do something; what it says when it does not, else nothing.
 * @param {string} what @param {object} given @returns {Promise<string | undefined>}
 */
export async function ask(what, given) {
  try {
    const answer = await fetch(what, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(given) });
    if (answer.ok) return undefined;
    const said = await answer.json().catch(() => ({}));
    return typeof said.message === 'string' ? said.message : inWords('The box answered {status}.', { status: answer.status });
  } catch {
    return inWords('The box does not answer.'); // it was stopped, or the network is gone
  }
}

/**
 * Asks the person who looks, in the words of what is at stake.
 * @param {{ title: string, text: string, yes: string }} question @returns {Promise<boolean>}
 */
export function sure({ title, text, yes }) {
  const dialog = byId('ask', HTMLDialogElement);
  write(place('ask-title'), title);
  write(place('ask-text'), text);
  write(place('ask-yes'), yes);
  dialog.returnValue = 'no';
  dialog.showModal();
  place('ask-no').focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
