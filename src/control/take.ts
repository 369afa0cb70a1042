/**
 * What the other side of the socket sent, taken for what the protocol says it is. Both sides are
 * this user's and of one protocol version (checked at the greeting), and the box checks every
 * argument at its own door; so fields are not checked a second time here.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the protocol's type
export function take<T>(value: unknown): T {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- this is the one place where it is done
  return value as T;
}
