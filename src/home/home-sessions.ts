// The session with a home that there is, over its connections; and whether it can be taken up again (XEP-0198 §5).
import type { Clock, Timer } from '../clock.ts';
import type { Element } from '../xmpp/element.ts';
import { HomeSession, type SessionOptions } from './session.ts';
import { ResumeUnanswered, StreamBroken, StreamEnded } from './loss.ts';
import type { Negotiated } from './negotiate.ts';

export interface HomeSessionsParts extends Pick<SessionOptions, 'roomy' | 'events' | 'trouble' | 'timing'> {
  /** The account, when the server does not say what it is called there. */
  readonly jid: string;
  readonly clock: Clock;
  /** As a session's; with the session it came by. */
  readonly receive: ((stanza: Element, session: HomeSession) => Promise<Element | undefined>) | undefined;
}

/** How long a lost session can be taken up again when the server does not say, seconds. */
const RESUME = 300;
/** What came on the old connection must be done before the count of it can be told, ms. */
const QUIET = 10_000;

export class HomeSessions {
  readonly #parts: HomeSessionsParts;
  #current: HomeSession | undefined;
  #resume: { readonly id: string; readonly max: number } | undefined;
  /** Whether the server does what it says when it offers to resume. */
  #resumes = true;
  #lostAt = 0;
  /** Runs until it cannot be taken up any more: whoever waits for it waits in vain then, and it may be long before that is tried. */
  #lapse: Timer | undefined;
  #life = 0;

  constructor(parts: HomeSessionsParts) {
    this.#parts = parts;
  }

  /** The session, when a connection carries it. */
  get attached(): HomeSession | undefined {
    return this.#current?.attached === true ? this.#current : undefined;
  }

  /** Which one it is: what was acknowledged on another may be lost. */
  get life(): number {
    return this.#life;
  }

  /** What to say to have it taken up. */
  async resumable(): Promise<{ readonly id: string; readonly h: number } | undefined> {
    if (!this.#current || !this.#resume) return undefined;
    const { id } = this.#resume;
    this.#lapse?.stop();
    if (this.#left >= 0 && await this.#current.quiet(QUIET)) return { id, h: this.#current.h };
    // Whoever waits for it waits in vain.
    this.giveUp();
    return undefined;
  }

  /** How long it can be taken up yet, ms. */
  get #left(): number {
    return this.#lostAt + (this.#resume?.max ?? 0) * 1000 - this.#parts.clock.mono();
  }

  #lapseLater(): void {
    this.#lapse?.stop();
    if (this.#current) this.#lapse = this.#parts.clock.after(Math.max(0, this.#left), () => this.giveUp());
  }

  /** There is a connection, which carries the session that was there or a fresh one. What came right behind the last answer is counted. */
  take({ socket, arrivals, bound, resumed, refused, sm }: Negotiated): { readonly session: HomeSession; readonly fresh: boolean } {
    this.#lapse?.stop();
    if (resumed !== undefined && this.#current) {
      this.#current.attach(socket, resumed);
      arrivals.handOver(this.#current.receive);
      return { session: this.#current, fresh: false };
    }
    if (refused !== undefined) this.#current?.confirm(refused);
    this.giveUp();
    const { receive, jid, ...rest } = this.#parts;
    const session: HomeSession = new HomeSession({ ...rest, jid: bound ?? jid, managed: sm !== undefined, receive: receive && ((stanza) => receive(stanza, session)) });
    this.#current = session;
    this.#life += 1;
    this.#resume = sm?.id === undefined || !this.#resumes ? undefined : { id: sm.id, max: sm.max ?? RESUME };
    session.attach(socket);
    arrivals.handOver(session.receive);
    return { session, fresh: true };
  }

  /** There was to be a connection. What answered nonsense when the session was to be taken up is not asked a second time. */
  failed(error: unknown): void {
    if (error instanceof StreamBroken) this.giveUp();
    if (error instanceof ResumeUnanswered) this.#resumes = false;
    this.#lapseLater();
  }

  /** The connection has gone. */
  detach(): void {
    this.#lostAt = this.#parts.clock.mono();
    this.#current?.detach();
    this.#lapseLater();
  }

  /** A stream that ended with an error, theirs or ours, ended its session. */
  ended(reason: Error): void {
    if (reason instanceof StreamEnded || reason instanceof StreamBroken || this.#current?.broken === true) this.giveUp();
  }

  giveUp(): void {
    this.#lapse?.stop();
    this.#current?.end();
    this.#current = undefined;
    this.#resume = undefined;
  }
}
