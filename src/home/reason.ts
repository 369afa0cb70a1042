// What went wrong, for people to read. Much of it is the server's own words, as long as the server likes.
const MOST = 300;

export function reasonOf(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).replace(/\p{Cc}+/gu, ' ');
  return text.length <= MOST ? text : `${text.slice(0, MOST)}\u2026`;
}
