// @ts-check
// What the page says, in the language of whoever looks: by the English words, which stand where they are said.

/** @type {Record<string, string>} */
let words = {};

/**
 * Asks the box, which goes by what the browser prefers; then what is written on the page already.
 * @returns {Promise<string>} That language as it is written where the browser is, such as `de-AT`.
 */
export async function learn() {
  const answer = await fetch('words.json').catch(() => undefined); // English, then
  if (!answer?.ok) return placed('en');
  const { language, words: learnt } = await answer.json();
  words = learnt;
  document.documentElement.lang = language;
  for (const text of textsIn(document.body)) text.data = text.data.replace(/\S[^]*\S|\S/, (said) => say(said));
  for (const name of ['placeholder', 'aria-label']) {
    for (const one of document.querySelectorAll(`[${name}]`)) one.setAttribute(name, say(one.getAttribute(name) ?? ''));
  }
  return placed(language);
}

/** With the country, if the browser names one; what else it may append, such as `@posix`, not everything understands. @param {string} language */
function placed(language) {
  return navigator.languages.find((tag) => new RegExp(`^${language}(-[a-z]{2})?$`, 'i').test(tag)) ?? language;
}

/** @param {Node} node @returns {Generator<Text>} */
function* textsIn(node) {
  for (const child of node.childNodes) {
    if (child instanceof Text) yield child;
    else if (child.nodeName !== 'CODE' && child.nodeName !== 'NOSCRIPT') yield* textsIn(child);
  }
}

/**
 * `{name}` in it is what is given under that name.
 * @param {string} text @param {Record<string, string | number>} [given]
 */
export function say(text, given = {}) {
  const known = Object.hasOwn(words, text) ? words[text] ?? text : text;
  return known.replaceAll(/\{(\w+)\}/g, (_, name) => String(given[name] ?? ''));
}
