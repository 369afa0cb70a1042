/** An error as people read it: the stable code, when there is one, and the message. */
export function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = codeOf(error);
  return code === undefined ? error.message : `${code}: ${error.message}`;
}

/** The code of a `LanpostError`; told by its name, because loading the class would load the library. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && error.name === 'LanpostError' && 'code' in error ? String(error.code) : undefined;
}
