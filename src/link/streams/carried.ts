import type { Clock } from '../../clock.ts';
import { LanpostError } from '../../errors.ts';
import { Confirmations } from './confirmations.ts';
import type { Managed } from './enabling.ts';
import type { Carrier, Session } from './session.ts';
import type { Sessions } from './sessions.ts';

/** What of a stream may outlive it: which stanzas each side has, and the session they belong to, if there is one. */
export class Carried {
  readonly #sessions: Pick<Sessions, 'carried' | 'suspend' | 'end' | 'back'>;
  #confirmations: Confirmations;
  #agreed: Managed = { managed: false };
  #session: Session | undefined;
  #lostBefore = 0;

  constructor(sessions: Pick<Sessions, 'carried' | 'suspend' | 'end' | 'back'>, clock: Clock, write: (text: string) => void) {
    this.#sessions = sessions;
    this.#confirmations = new Confirmations(clock, write);
  }

  get confirmations(): Confirmations {
    return this.#confirmations;
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** The peer counts stanzas, and so answers. */
  get managed(): boolean {
    return this.#agreed.managed;
  }

  /** Stanzas of the stream that this one resumed which their senders have to send again. */
  get lostBefore(): number {
    return this.#lostBefore;
  }

  agree(agreed: Managed): void {
    this.#agreed = agreed;
  }

  /** Whether what was agreed on is still there to be carried. */
  claim(): boolean {
    const { session } = this.#agreed;
    return session === undefined || this.#sessions.carried(session);
  }

  begin(carrier: Carrier): void {
    const { session, resumed } = this.#agreed;
    if (!session) return;
    this.#session = session;
    this.#confirmations = session.confirmations;
    this.#lostBefore = session.carry(carrier, resumed?.h ?? 0);
  }

  /** The stream did not come about: what it was to carry is another's. */
  unused({ session, resumed }: Managed): void {
    if (resumed) this.#sessions.back(resumed.claim);
    else if (session) this.#sessions.end(session);
  }

  acknowledge(): void {
    if (this.managed) this.#confirmations.acknowledge();
  }

  lose(resumable: boolean): void {
    const lost = new LanpostError('disconnected', 'The stream was lost before the peer confirmed.');
    if (!this.#session) this.#confirmations.lose(lost);
    else if (resumable) this.#sessions.suspend(this.#session);
    else this.#sessions.end(this.#session, lost);
  }
}
