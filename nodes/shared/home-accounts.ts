import { readFile } from 'node:fs/promises';
import type { Box, HomeOptions } from '../../src/index.ts';
import { inWords } from './in-words.ts';

/** One home account as the dialog saves it; its password lies in Node-RED's credential store, under `password` and the slot's number. */
export interface SavedHome {
  readonly slot: number;
  readonly jid: string;
  /** `HOST` or `HOST:PORT`: there, and nothing is looked up. */
  readonly host?: string;
  /** Filters of topics that go up, with commas between. */
  readonly topics?: string;
  /** A file with the PEM of the server's own authority, or that PEM. */
  readonly ca?: string;
  /** SHA-256 of the server's public key, base64; several with commas between. */
  readonly pin?: string;
}

/** Accounts of one config node: Node-RED wants each credential named beforehand. */
export const HOME_SLOTS = 8;

export async function homeOptions({ slot, jid, host = '', topics = '', ca = '', pin = '' }: SavedHome, credentials: Readonly<Record<string, unknown>>): Promise<HomeOptions> {
  const saved = credentials[`password${slot}`];
  // Where it is `${NAME}` and nothing else, Node-RED has put in what that is; anything else in it is the password's own.
  const password = typeof saved === 'number' ? String(saved) : saved;
  if (typeof password !== 'string' || password === '') throw new Error('its password is missing');
  const [, name = host, port] = /^(.+?)(?::(\d{1,5}))?$/.exec(host) ?? [];
  const [filters, pins] = [partsOf(topics), partsOf(pin)];
  return {
    jid, password, ...(name ? { host: name } : {}), ...(port === undefined ? {} : { port: Number(port) }), ...(filters.length > 0 ? { topics: filters } : {}),
    ...(ca === '' ? {} : { ca: ca.startsWith('-----BEGIN') ? ca : await readFile(ca, 'utf8') }), ...(pins.length > 0 ? { pin: pins } : {}),
  };
}

function partsOf(listed: string): string[] {
  return listed.split(',').map((one) => one.trim()).filter(Boolean);
}

function isSaved(home: unknown): home is SavedHome {
  return typeof home === 'object' && home !== null && 'slot' in home && typeof home.slot === 'number' && 'jid' in home && typeof home.jid === 'string'
    && ['host', 'topics', 'ca', 'pin'].every((name) => ['string', 'undefined'].includes(typeof Reflect.get(home, name)));
}

export interface HomesSaid {
  /** Gets them, as the box calls them. */
  readonly said: Set<string>;
  readonly failed: (words: string) => void;
  /** Somebody else says them from now on. */
  readonly signal: AbortSignal;
}

/** What rows call their accounts, before the box has been told. */
export function jidsOf(homes: unknown): Set<string> {
  return new Set((Array.isArray(homes) ? homes as unknown[] : []).filter(isSaved).map(({ jid }) => jid.toLowerCase()));
}

/** Says accounts to a box, one after the other: those it has as they are it leaves alone. One that cannot be is told, and the others are there all the same. */
export async function applyHomes(box: Box, homes: unknown, credentials: Readonly<Record<string, unknown>>, { said, failed, signal }: HomesSaid): Promise<void> {
  // A flow may have been written by hand.
  for (const home of Array.isArray(homes) ? homes as unknown[] : []) {
    try {
      if (!isSaved(home)) throw new TypeError('it is not a home account with a slot and a jid');
      const options = await homeOptions(home, credentials);
      if (signal.aborted) return;
      said.add((await box.homes.add(options)).jid);
    } catch (error) {
      if (signal.aborted) return;
      failed(`home ${isSaved(home) ? home.jid : JSON.stringify(home)}: ${inWords(error)}`);
    }
  }
}
