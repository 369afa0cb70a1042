// Calls to peers and to homes: what the system's own words leave to those who know them.

/** What the system says of a call that did not come about, by its code. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the call is refused: nothing listens there, or a firewall refuses',
  ECONNRESET: 'the other side broke off',
  EPIPE: 'the other side broke off',
  ETIMEDOUT: 'no answer',
  EHOSTUNREACH: 'no machine answers there',
  EHOSTDOWN: 'no machine answers there',
  ENETUNREACH: 'this machine knows no way there',
  EADDRNOTAVAIL: 'this machine has no address from which to call there',
  EACCES: 'this machine itself does not let the call out',
  EPERM: 'this machine itself does not let the call out',
  ENOTFOUND: 'nobody knows an address of that name',
  ENODATA: 'nobody knows an address of that name',
  EAI_AGAIN: 'no name server answers',
};

/** Why a call failed, as a person reads it. */
export function callFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const words = 'code' in error && typeof error.code === 'string' ? WORDS[error.code] : undefined;
  return words ?? error.message;
}
