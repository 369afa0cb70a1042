import type { IncomingMessage } from 'node:http';
import { LanpostError, type Box, type PairingDesk } from '../index.ts';

/** What a page may have the box do, by the last part of its path. */
export const ACTIONS: Readonly<Record<string, (given: Given, parts: ActionParts) => Promise<void> | void>> = {
  pair: (given, { desk }) => desk.start(given.text('peer')),
  answer: (given, { desk }) => desk.answer(given.text('id'), given.texts('words'), given.flag('same')),
  stop: (given, { desk }) => desk.stop(given.text('id')),
  drop: (given, { box }) => box.subscriptions.drop(given.text('name')),
  pause: async (given, { box }) => { await box.homes.pause(given.text('home')); },
  resume: async (given, { box }) => { await box.homes.resume(given.text('home')); },
};

export interface ActionParts { readonly box: Pick<Box, 'subscriptions' | 'homes'>; readonly desk: PairingDesk }

/** Why a page is refused, with the HTTP status. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** What a page sent, member by member as it has to be. */
export class Given {
  readonly #members: ReadonlyMap<string, unknown>;

  constructor(body: unknown) {
    if (typeof body !== 'object' || body === null) throw new Refused(400, 'an object is expected');
    this.#members = new Map(Object.entries(body));
  }

  text(name: string): string {
    const value = this.#members.get(name);
    if (typeof value !== 'string') throw new Refused(400, `"${name}" has to be a text`);
    return value;
  }

  texts(name: string): string[] {
    const value: unknown = this.#members.get(name);
    if (!Array.isArray(value) || !value.every((one): one is string => typeof one === 'string')) throw new Refused(400, `"${name}" has to be a list of texts`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#members.get(name);
    if (typeof value !== 'boolean') throw new Refused(400, `"${name}" has to be true or false`);
    return value;
  }
}

/**
 * The body of a request that changes something. That its Origin is ours was seen at the door; here it has to be there
 * at all, and the content type is one that no form of another site can send.
 */
export async function readBody(request: IncomingMessage, most: number): Promise<Given> {
  if (request.headers.origin === undefined) throw new Refused(403, 'only a page of this box may ask for that');
  if (!/^application\/json\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) throw new Refused(415, 'application/json is expected');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) throw new Refused(413, 'that is too long');
    chunks.push(chunk);
  }
  try {
    return new Given(JSON.parse(Buffer.concat(chunks).toString('utf8')));
  } catch (error) {
    if (error instanceof Refused) throw error;
    throw new Refused(400, 'that is not JSON');
  }
}

/** HTTP status for what the box said. */
export function statusOf(error: unknown): number {
  if (error instanceof Refused) return error.status;
  if (error instanceof TypeError) return 400;
  if (!(error instanceof LanpostError)) return 500;
  switch (error.code) {
    case 'not-found': return 404;
    case 'busy': case 'closed': return 503;
    default: return 409;
  }
}
