const MAX_BYTES = 512;
const MAX_LEVELS = 32;
// Control characters, and lone surrogates, which have no UTF-8 form.
const FORBIDDEN = /[\p{Cc}\p{Cs}]/u;

function validLevels(text: string): readonly string[] | undefined {
  if (text === '' || text.length > MAX_BYTES || FORBIDDEN.test(text)) return undefined;
  if (Buffer.byteLength(text) > MAX_BYTES) return undefined;
  const levels = text.split('/');
  return levels.length > MAX_LEVELS || levels.includes('') ? undefined : levels;
}

/** A topic name: `/`-separated levels, none empty, no wildcard. */
export function validTopic(name: string): boolean {
  const levels = validLevels(name);
  return levels !== undefined && !/[+#]/.test(name);
}

/** A topic name in which `+` may stand for one level and a final `#` for any number of them. */
export function validFilter(filter: string): boolean {
  const levels = validLevels(filter);
  if (!levels) return false;
  return levels.every((level, i) => {
    if (level === '+') return true;
    if (level === '#') return i === levels.length - 1;
    return !/[+#]/.test(level);
  });
}

export function hasWildcard(filter: string): boolean {
  return /[+#]/.test(filter);
}

/** `a/#` matches `a` too, as in MQTT; a leading wildcard does not match `$…`, which is reserved. */
export function matches(filter: string, topic: string): boolean {
  return matcher(filter)(topic);
}

/** The same, prepared for many topics. */
export function matcher(filter: string): (topic: string) => boolean {
  if (!hasWildcard(filter)) return (topic) => topic === filter;
  const wanted = filter.split('/');
  const any = wanted.at(-1) === '#';
  const fixed = any ? wanted.slice(0, -1) : wanted;
  const leading = wanted[0] === '+' || wanted[0] === '#';
  return (topic) => {
    if (leading && topic.startsWith('$')) return false;
    const levels = topic.split('/');
    if (any ? levels.length < fixed.length : levels.length !== fixed.length) return false;
    return fixed.every((level, i) => level === '+' || level === levels[i]);
  };
}
