import type { JsonLines } from '../support/json-lines.ts';

/** Tells a load generator what to do, one JSON object a line; resolves with what it measured. */
export function order<Answer>(client: { readonly stdin: NodeJS.WritableStream }, said: JsonLines<Answer>, what: object): Promise<Answer> {
  const after = said.lines.length;
  client.stdin.write(`${JSON.stringify(what)}\n`);
  return said.wait(() => true, { after, timeout: 120_000 });
}
