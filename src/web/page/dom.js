// @ts-check
// The only place where elements are made. Text is always text: nothing here, or anywhere on this page, takes HTML.

/** Names, messages and values come from strangers: what would turn the writing around, or hide, is spelt out. */
const HARMFUL = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** @param {string} text */
export function printable(text) {
  return text.replace(HARMFUL, (character) => (character === '\n' ? '\\n' : character === '\t' ? '\\t' : `\\u{${character.codePointAt(0)?.toString(16)}}`));
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {string} [className]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, className = '', ...children) {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  for (const child of children) made.append(typeof child === 'string' ? printable(child) : child);
  return made;
}

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no #${id}`);
  return found;
}

/** @param {string} id */
export function place(id) {
  return byId(id, HTMLElement);
}

/**
 * A button that does something which takes its time.
 * @param {string} words @param {string} tone @param {() => Promise<unknown>} act
 */
export function button(words, tone, act) {
  const made = element('button', tone, words);
  made.type = 'button';
  made.addEventListener('click', () => { void pressed(made, act); });
  return made;
}

/** @param {HTMLButtonElement} made @param {() => Promise<unknown>} act */
async function pressed(made, act) {
  made.disabled = true;
  await act();
  made.disabled = false;
}

/**
 * Changes the text only when it is another: a selection stays, and nothing is drawn anew.
 * @param {Element} where @param {string} text
 */
export function write(where, text) {
  const shown = printable(text);
  if (where.textContent !== shown) where.textContent = shown;
}

/** @param {Element} where @param {string} name @param {boolean} on */
export function mark(where, name, on) {
  where.classList.toggle(name, on);
}

/**
 * One child for each thing, found again by its key: what stays is not drawn anew and keeps the focus.
 * @template T
 * @param {HTMLElement} where
 * @param {readonly T[]} things
 * @param {(thing: T) => string} keyOf
 * @param {(thing: T) => [child: HTMLElement, update: (thing: T) => void]} make
 */
export function keyed(where, things, keyOf, make) {
  const before = known.get(where) ?? new Map();
  /** @type {Map<string, [child: HTMLElement, update: (thing: T) => void]>} */
  const now = new Map();
  for (const thing of things) {
    const key = keyOf(thing);
    const one = before.get(key) ?? make(thing);
    before.delete(key);
    now.set(key, one);
    one[1](thing);
  }
  for (const [gone] of before.values()) gone.remove();
  let next = where.firstElementChild;
  for (const [child] of now.values()) {
    if (child === next) next = next.nextElementSibling;
    else where.insertBefore(child, next);
  }
  known.set(where, now);
}

/** @type {WeakMap<HTMLElement, Map<string, [child: HTMLElement, update: (thing: any) => void]>>} */
const known = new WeakMap();

/** Shows the words for nothing instead of a list without rows. @param {HTMLElement} where @param {boolean} empty */
export function emptied(where, empty) {
  const list = where.closest('table') ?? where;
  const words = list.parentElement?.querySelector('.empty');
  list.toggleAttribute('hidden', empty);
  words?.toggleAttribute('hidden', !empty);
}
