// Is the link alive? Asks after something was said, and now and then when nothing is; no byte for a while
// after asking, and it is dead.
import type { Clock, Timer } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import type { Wire } from '../xmpp/wire.ts';

export interface SessionTiming {
  /** Ask for an acknowledgement this long after the last stanza, ms. */
  readonly ask: number;
  /** With nothing to say, ask this often whether the link lives, ms. */
  readonly idle: number;
  /** No byte for this long after asking, and the link is dead, ms. */
  readonly silence: number;
  /** No acknowledgement for this long after the server has taken the session up again, and it hears nothing on it, ms. */
  readonly proof: number;
}

export const SESSION_TIMING: SessionTiming = { ask: 2_000, idle: 60_000, silence: 30_000, proof: 10_000 };

export interface LivenessParts {
  readonly clock: Clock;
  readonly timing: SessionTiming;
  /** Writes what must be answered. */
  readonly ask: (socket: Wire) => void;
  /** Whether what comes is read: else the silence is ours. */
  readonly reads: () => boolean;
  /** Of the longest stanza that is on its way: until that has gone out, a slow road brings no answer. */
  readonly length: () => number;
}

/** What the slowest road takes, bytes a second. */
const SLOWEST = 1_000;

export class Liveness {
  readonly #parts: LivenessParts;
  #socket: Wire | undefined;
  #askTimer: Timer | undefined;
  #idleTimer: Timer | undefined;
  #silenceTimer: Timer | undefined;
  /** When it was, of the answer that is waited for. */
  #asked = 0;

  constructor(parts: LivenessParts) {
    this.#parts = parts;
  }

  watch(socket: Wire): void {
    this.#socket = socket;
    this.#restIdle();
  }

  stop(): void {
    this.#socket = undefined;
    for (const timer of [this.#askTimer, this.#idleTimer, this.#silenceTimer]) timer?.stop();
    this.#askTimer = undefined;
    this.#silenceTimer = undefined;
  }

  /** For so long it has been waited for a sign of life. */
  get unanswered(): number | undefined {
    // A part of a long stanza is a sign, too.
    return this.#silenceTimer && this.#parts.reads() ? this.#parts.clock.mono() - Math.max(this.#asked, this.#socket?.lastReceived ?? 0) : undefined;
  }

  /** Something came, or is read again. */
  heard(): void {
    this.#silenceTimer?.stop();
    this.#silenceTimer = undefined;
  }

  askSoon(): void {
    this.#askTimer ??= this.#parts.clock.after(this.#parts.timing.ask, () => this.ask());
  }

  ask(): void {
    this.#askTimer?.stop();
    this.#askTimer = undefined;
    const socket = this.#socket;
    if (!socket) return;
    const { clock, timing, ask } = this.#parts;
    ask(socket);
    const asked = clock.mono();
    if (!this.#silenceTimer) this.#asked = asked;
    this.#silenceTimer ??= this.#silent(socket, asked, timing.silence);
    this.#restIdle();
  }

  #silent(socket: Wire, asked: number, ms: number): Timer {
    const { clock, timing, reads, length } = this.#parts;
    return clock.after(ms, () => {
      this.#silenceTimer = undefined;
      if (socket.lastReceived >= asked || !reads()) return;
      const waited = clock.mono() - asked;
      const left = timing.silence + (length() / SLOWEST) * 1000 - waited;
      if (left >= 1) this.#silenceTimer = this.#silent(socket, asked, left);
      else socket.destroy(new LanpostError('disconnected', `The server was silent for ${Math.round(waited / 1000)} s.`));
    });
  }

  #restIdle(): void {
    this.#idleTimer?.stop();
    this.#idleTimer = this.#parts.clock.after(this.#parts.timing.idle, () => this.ask());
  }
}
