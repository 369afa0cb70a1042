/** Where a box runs unless it is said otherwise. */
export const USUAL_DIR = '.lanpost';

/** A command for the box in that directory, to be copied into a terminal. */
export function commandIn(dir: string, command: string): string {
  return dir === USUAL_DIR ? command : `${command} --dir ${quoted(dir)}`;
}

/** What a box says does not know by which directory it was reached: the commands it refers to are made to lead there again. */
export function hintsIn(dir: string, text: string): string {
  if (dir === USUAL_DIR) return text;
  return text.replace(/(see `)(lanpost [^`]+)`/g, (whole, see: string, command: string) => (/--(?:dir|help)\b/.test(command) ? whole : `${see}${commandIn(dir, command)}\``));
}

/** What a box advises names commands of this box and of others alike; only of these it is said where they lead. */
export function whereToRun(dir: string, advice: readonly string[]): string | undefined {
  const names = advice.some((text) => /`lanpost (?![^`]*--dir\b)/.test(text));
  return names && dir !== USUAL_DIR ? `What is to be run for this box takes \`--dir ${quoted(dir)}\` as well.` : undefined;
}

/** As a shell takes it. */
function quoted(text: string): string {
  return /^[\p{L}\p{N}@%+=:,./_-]+$/u.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
