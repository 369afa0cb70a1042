// The durable cursors of a home, by name: one for each filter.
export function cursorName(jid: string, filter: string): string {
  return `home:${jid} ${filter}`;
}
