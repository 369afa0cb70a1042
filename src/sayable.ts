const UNSAYABLE = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u;

const UNWRITABLE = /[\0-\x08\x0B\x0C\x0E-\x1F\uFFFE\uFFFF]/; // oxlint-disable-line no-control-regex -- these are the ones to find

/** Whether it can be text that every road carries: line breaks and tabs, and nothing else that XML has not. */
export function isWritable(text: string): boolean {
  return text.isWellFormed() && !UNWRITABLE.test(text);
}

/** Whether it can be a name that every road carries: no control characters, and none that XML has not (XML 1.0 §2.2). */
export function isSayable(text: string): boolean {
  return !UNSAYABLE.test(text);
}
