// @ts-check
import { element, keyed, place, write } from './dom.js';

/** @typedef {{ key: string, text: string, bad?: boolean }} Notice */

/** Why the box did not do what was asked; shown for a while. @type {Notice | undefined} */
let refusal;
/** @type {Notice[]} */
let standing = [];
/** @type {ReturnType<typeof setTimeout> | undefined} */
let gone;

/** @param {string | undefined} text */
export function notice(text) {
  clearTimeout(gone);
  refusal = text === undefined ? undefined : { key: 'refusal', text, bad: true };
  if (refusal) gone = setTimeout(() => notice(undefined), 12_000);
  draw();
}

/** What is wrong with the box, as long as it is. @param {Notice[]} notices */
export function showNotices(notices) {
  standing = notices;
  draw();
}

function draw() {
  keyed(place('notices'), [...refusal ? [refusal] : [], ...standing], ({ key }) => key, ({ bad }) => {
    const line = element('p', bad ? 'notice bad' : 'notice');
    return [line, ({ text }) => write(line, text)];
  });
}
