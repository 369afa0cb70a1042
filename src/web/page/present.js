// @ts-check
// The box's clock, as far as it is known: ages are told by it, not by that of whoever looks.
let ahead = 0;

/** Milliseconds since 1970 by the box's clock. */
export function present() {
  return Date.now() + ahead;
}

/** @param {number} time What it is at the box. */
export function setPresent(time) {
  ahead = time - Date.now();
}
