/** What a peer on the link is called, of an address or of that name. */
export function linkName(address: string): string {
  return address.startsWith('link:') ? address.slice('link:'.length) : address;
}
