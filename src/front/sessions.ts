import { createHash, randomBytes } from 'node:crypto';

/** Sessions at once; the one that was used longest ago ends for a new one. */
export const MOST_SESSIONS = 64;
/** Milliseconds: after the last request, and altogether. */
export const SESSION_IDLE: number = 24 * 3_600_000;
export const SESSION_LONGEST: number = 30 * 24 * 3_600_000;

interface Session { readonly version: string; readonly begun: number; used: number }

/** Who gave the password. They end with a new password, with the box, and by time. */
export class Sessions {
  /** By the hash of its id, the one used longest ago first. */
  readonly #sessions: Map<string, Session> = new Map();
  readonly #version: () => string | undefined;
  readonly #now: () => number;

  constructor(o: { version: () => string | undefined; now: () => number }) {
    this.#version = o.version;
    this.#now = o.now;
  }

  /** Whether there is a password to give. */
  get open(): boolean {
    return this.#version() !== undefined;
  }

  begin(version: string): string {
    const id = randomBytes(32).toString('base64url');
    const now = this.#now();
    this.#sessions.set(hashOf(id), { version, begun: now, used: now });
    for (const [oldest] of this.#sessions) {
      if (this.#sessions.size <= MOST_SESSIONS) break;
      this.#sessions.delete(oldest);
    }
    return id;
  }

  /** Whether it goes on; asking for it is using it. */
  has(id: string): boolean {
    if (!this.lasts(id)) return false;
    const key = hashOf(id);
    const session = this.#sessions.get(key);
    if (!session) return false;
    session.used = this.#now();
    this.#sessions.delete(key);
    this.#sessions.set(key, session);
    return true;
  }

  /** Whether it goes on, without using it. */
  lasts(id: string): boolean {
    const key = hashOf(id);
    const session = this.#sessions.get(key);
    if (!session) return false;
    const now = this.#now();
    if (session.version === this.#version() && now - session.used <= SESSION_IDLE && now - session.begun <= SESSION_LONGEST) return true;
    this.#sessions.delete(key);
    return false;
  }

  end(id: string): void {
    this.#sessions.delete(hashOf(id));
  }
}

function hashOf(id: string): string {
  return createHash('sha256').update(id).digest('base64');
}
