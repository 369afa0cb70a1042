// @ts-check
// The status page of a box. It is told everything by the box that serves it, and asks nobody else.
import { byId, mark, place, write } from './dom.js';
import { showHomes } from './homes.js';
import { ask, follow } from './live.js';
import { showLosses } from './losses.js';
import { showNotices } from './notices.js';
import { showPairings } from './pairing.js';
import { showPeers } from './peers.js';
import { showReaders } from './readers.js';
import { showTopics } from './topics.js';
import { setPresent } from './present.js';
import { learn, say } from './say.js';
import { count, counted, size, writeAsIn } from './words.js';

let self = '';
/** The newest of each section, drawn again as time goes by. @type {Record<string, any>} */
const newest = {};

/** @type {Record<string, (section: any) => void>} */
const sections = {
  box: showBox,
  peers: showPeers,
  topics: showTopics,
  homes: showHomes,
  subscriptions: showReaders,
  losses: showLosses,
  pairings: (pairings) => showPairings(pairings, self),
  visitor: ({ session, editor }) => {
    place('editor').hidden = !editor;
    place('sign-out').hidden = !session;
  },
};

/** @param {any} box */
function showBox(box) {
  setPresent(box.at);
  self = box.name;
  document.title = `${box.name} · lanpost`;
  write(place('name'), box.name);
  const { link, log } = box;
  write(place('where'), link.state === 'up' ? say('on {interfaces}, port {port}', { interfaces: link.interfaces.join(', '), port: link.port }) : `${say(`link ${link.state}`)}${link.reason ? `: ${link.reason}` : ''}`);
  write(place('tile-disk'), size(log.freeBytes));
  write(place('tile-disk-more'), say('free · {size} held', { size: size(log.bytes) }));
  mark(place('tile-disk'), 'bad', log.state !== 'open');
  write(place('about'), say('lanpost {version} · box {box} · key {fingerprint} · {dir}', box));
  showNotices([
    ...log.state === 'open' ? [] : [{ key: 'log', bad: true, text: say('Nothing is accepted now: the log is {state}. What was accepted is safe.', { state: `${say(log.state)}${log.reason ? ` (${log.reason})` : ''}` }) }],
    ...link.state === 'failed' ? [{ key: 'link', bad: true, text: say('The link failed: {reason}. lanpost doctor says more.', { reason: link.reason ?? '–' }) }] : [],
    ...box.requests > 0 ? [{ key: 'requests', text: counted(box.requests, 'A peer waits to be let read a topic: lanpost access requests tells who.', '{n} peers wait to be let read a topic: lanpost access requests tells who.') }] : [],
    ...Object.keys(box.troubles).length > 0 ? [{ key: 'troubles', text: say('Trouble since the start: {troubles}.', { troubles: Object.entries(box.troubles).map(([kind, times]) => `${kind} ×${count(times)}`).join(', ') }) }] : [],
  ]);
}

/** @type {ReturnType<typeof follow> | undefined} */
let stream;
void begin();

async function begin() {
  writeAsIn(await learn());
  stream = follow(Object.fromEntries(Object.entries(sections).map(([name, show]) => [name, (/** @type {any} */ section) => {
    newest[name] = section;
    show(section);
  }])));
}

// Ages go on while nothing else changes.
setInterval(() => {
  for (const name of ['topics', 'pairings']) if (newest[name] !== undefined && document.visibilityState === 'visible') sections[name]?.(newest[name]);
}, 1000);

const search = byId('search', HTMLInputElement);
/** @type {ReturnType<typeof setTimeout> | undefined} */
let typing;
search.addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => stream?.find(search.value.trim()), 250);
});
place('sign-out').addEventListener('click', () => { void signOut(); });

async function signOut() {
  await ask('/lanpost/logout', {});
  location.reload();
}
