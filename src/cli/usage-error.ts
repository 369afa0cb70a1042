/** The command line itself is wrong: told in one line, exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Of a file that was named. */
export function unreadable(path: string, cause: unknown): UsageError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it may not be read' : code === 'EISDIR' ? 'it is a directory' : cause instanceof Error ? cause.message : String(cause);
  return new UsageError(`${path} cannot be read: ${why}`, { cause });
}
