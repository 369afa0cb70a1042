// The durable cursors of a home, by name: one for each filter. When the rules change, one that may no longer go on as it
// is has a successor, with the next number; the first has none.

/** Of the names of all of them. */
export const PREFIX = 'home:';

export function cursorName(jid: string, filter: string, number: number = 0): string {
  return `${PREFIX}${jid}${number === 0 ? '' : `#${number}`} ${filter}`;
}

/** Whether a cursor of that name is the home's. */
export function isCursorOf(jid: string, name: string): boolean {
  return name.startsWith(PREFIX + jid) && /^(?:#\d+)? /.test(name.slice(PREFIX.length + jid.length));
}

/** Whose the packs are: each home of a group has been sent its own, as it has been sent some alone that another has in one. */
export function packerOf({ jid, group }: { readonly jid: string; readonly group?: string | undefined }): string {
  return group === undefined ? jid : `*${group} ${jid}`;
}

/** Who reads for it: the account itself, or the group it is in, which no account is called like. */
export function readerOf({ jid, group }: { readonly jid: string; readonly group?: string | undefined }): string {
  return group === undefined ? jid : `*${group}`;
}
