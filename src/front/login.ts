import type { IncomingMessage, ServerResponse } from 'node:http';
import { Attempts } from './attempts.ts';
import { loginPage } from './login-page.ts';
import { MOST_PASSWORD, type Password } from './password.ts';
import { SESSION_LONGEST, type Sessions } from './sessions.ts';

/** Bytes of the form. */
const MOST_FORM = 4 * MOST_PASSWORD + 4096;
/** Passwords that wait to be looked at; one is, at a time: each takes 32 MiB. */
const MOST_WAITING = 8;

/** Whether somebody has the password, and the session that follows. */
export class Login {
  readonly #password: Password;
  readonly #sessions: Sessions;
  readonly #attempts: Attempts;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(o: { password: Password; sessions: Sessions; now: () => number }) {
    this.#password = o.password;
    this.#sessions = o.sessions;
    this.#attempts = new Attempts(o.now);
  }

  ask(response: ServerResponse, next: string): void {
    loginPage(response, 401, { next: ownPath(next) });
  }

  /** The form that came back. */
  async answer(request: IncomingMessage, response: ServerResponse, cookie: (id: string, seconds: number) => string): Promise<void> {
    const form = await formOf(request);
    if (!form) return loginPage(response, 413, { next: '/', fault: 'That was too long.' });
    const next = ownPath(form.get('next') ?? '/');
    const address = request.socket.remoteAddress ?? '';
    const wait = this.#attempts.begin(address);
    if (wait > 0) return tooOften(response, next, wait);
    if (this.#waiting >= MOST_WAITING) return tooOften(response, next, 1000);
    this.#waiting++;
    const checked = this.#last.then(() => this.#password.check(form.get('password') ?? ''));
    this.#last = checked.then(() => undefined, () => undefined);
    const version = await checked.finally(() => { this.#waiting--; });
    if (version === undefined) return loginPage(response, 403, { next, fault: 'That is not the password.' });
    this.#attempts.passed(address);
    response.writeHead(303, { location: next, 'set-cookie': cookie(this.#sessions.begin(version), SESSION_LONGEST / 1000), 'cache-control': 'no-store' });
    response.end();
  }
}

function tooOften(response: ServerResponse, next: string, wait: number): void {
  const seconds = Math.ceil(wait / 1000);
  response.setHeader('retry-after', seconds);
  loginPage(response, 429, { next, fault: `There were too many wrong passwords. Try again in ${seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} minutes`}.` });
}

/** A path of this place and no other: `//name` would lead to another host. */
function ownPath(path: string): string {
  return `/${path.replaceAll(/[\p{Cc}\\]/gu, '').replace(/^[/\s]+/, '')}`;
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MOST_FORM) return undefined;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}
