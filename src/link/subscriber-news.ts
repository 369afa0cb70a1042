import type { Trouble } from '../api.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log/log.ts';
import { keyAddress, OWNER } from '../pubsub/actor.ts';
import type { Broker } from '../pubsub/broker.ts';
import { Seldom } from '../seldom.ts';
import type { Names } from '../xep/pubsub/affiliations.ts';
import { type Subscriber, subscriberNotification } from '../xep/pubsub/notification.ts';
import type { PeerStreams } from './streams-port.ts';

export interface SubscriberNewsParts {
  readonly broker: Broker;
  readonly log: Pick<Log, 'epoch'>;
  readonly streams: PeerStreams;
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly names: Names;
  /** What the key goes by, while it is there. */
  readonly nameOf: (fingerprint: string) => string | undefined;
}

/** On their way to one owner: a subscriber may come and go as fast as it can. */
const UNDER_WAY = 64;

/** XEP-0060 `pubsub#notify_sub`: the owners who are there hear who subscribes to their topic, and who leaves. Who is away asks (§8.8.1). */
export class SubscriberNews {
  readonly #parts: SubscriberNewsParts;
  readonly #seldom: Seldom;
  readonly #underWay = new Map<string, number>();
  #count = 0;

  constructor(parts: SubscriberNewsParts) {
    this.#parts = parts;
    this.#seldom = new Seldom(parts.clock, parts.trouble);
  }

  tell({ fingerprint, ...change }: Omit<Subscriber, 'jid'> & { readonly fingerprint: string }): void {
    const { broker, names } = this.#parts;
    if (broker.said(change.node)?.notifySub !== true) return;
    const jid = names.nameOf(fingerprint) ?? fingerprint;
    for (const [address, affiliation] of broker.affiliations(OWNER, change.node)) {
      const owner = address.startsWith('key:') ? address.slice('key:'.length) : undefined;
      // Whoever subscribes to its own topic knows it.
      if (affiliation === 'owner' && owner !== undefined && owner !== fingerprint) this.#send(owner, { ...change, jid });
    }
  }

  #send(owner: string, subscriber: Subscriber): void {
    const name = this.#parts.nameOf(owner);
    if (name === undefined) return;
    const underWay = this.#underWay.get(owner) ?? 0;
    if (underWay >= UNDER_WAY) {
      this.#report(name, `${UNDER_WAY} are under way, what comes now is left out`);
      return;
    }
    this.#underWay.set(owner, underWay + 1);
    this.#count += 1;
    const message = subscriberNotification(subscriber, `s${this.#parts.log.epoch}-${this.#count}`);
    const still = (): boolean => this.#parts.broker.rights.affiliation(subscriber.node, keyAddress(owner)) === 'owner';
    this.#sent(name, message, owner, still)
      .catch((error: unknown) => this.#report(name, error instanceof Error ? error.message : String(error)))
      .finally(() => this.#done(owner));
  }

  async #sent(name: string, message: ReturnType<typeof subscriberNotification>, owner: string, still: () => boolean): Promise<void> {
    const { delivered, taken } = await this.#parts.streams.send(name, message, owner, still);
    await (delivered ?? taken);
  }

  #done(owner: string): void {
    const left = (this.#underWay.get(owner) ?? 1) - 1;
    if (left > 0) this.#underWay.set(owner, left);
    else this.#underWay.delete(owner);
  }

  #report(name: string, why: string): void {
    this.#seldom.tell({ kind: 'link.subscribers', message: `telling ${name} who subscribes: ${why}` });
  }
}
