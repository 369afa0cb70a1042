// The durable cursors of a home, by name: one for each filter. When the rules change, one that may no longer go on as it
// is has a successor, with the next number; the first has none.
export function cursorName(jid: string, filter: string, number: number = 0): string {
  return `home:${jid}${number === 0 ? '' : `#${number}`} ${filter}`;
}

/** Whether a cursor of that name is the home's. */
export function isCursorOf(jid: string, name: string): boolean {
  return name.startsWith(`home:${jid}`) && /^(?:#\d+)? /.test(name.slice(5 + jid.length));
}

/** Who reads for it: the account itself, or the group it is in, which no account is called like. */
export function readerOf({ jid, group }: { readonly jid: string; readonly group?: string | undefined }): string {
  return group === undefined ? jid : `*${group}`;
}
