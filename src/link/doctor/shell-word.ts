/**
 * A word as a shell takes it. Names come from strangers, and what is advised is copied into a terminal: a name must not
 * become a command there.
 */
export function shellWord(text: string): string {
  return /^[\p{L}\p{N}@%+=:,./_-]+$/u.test(text) && !text.startsWith('-') ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
