const UNSAYABLE = /[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u;

/** Whether it can be a name that every road carries: no control characters, and none that XML has not (XML 1.0 §2.2). */
export function isSayable(text: string): boolean {
  return !UNSAYABLE.test(text);
}
