/** A field in seconds, as people think, in milliseconds; undefined when it is empty. */
export function secondsOf(text: string | number | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  const seconds = Number(text);
  if (!(seconds > 0)) throw new TypeError(`a number of seconds is wanted, and not "${text}"`);
  return Math.round(seconds * 1000);
}
