import { TYPE, type DnsRecord, type Message, type Question } from './message.ts';
import { nameKey } from './name.ts';
import { MDNS_PORT, type Source } from './network.ts';

/** Questioners whose further known answers are awaited, for duplicate question suppression. */
const MAX_CHAINS = 64;
const CHAIN_TIME = 1000;

/** A question of another, while its known answers still come in further packets (TC). */
interface Chain { readonly questions: readonly Question[]; known: boolean; readonly since: number }

export interface OverheardParts {
  /** Whether an answer the questioner has is one that we have, or do not want. */
  readonly knows: (record: DnsRecord) => boolean;
  /** Another asked in a way that the reply serves us too. */
  readonly asked: (question: Question, now: number) => void;
  /** Another asked where an instance is, by its key. */
  readonly located: (key: string, now: number) => void;
  /** Another asked what a name leads to, and said what of it is known: whoever else is there will answer. */
  readonly listed: (name: string, known: readonly DnsRecord[], by: string, now: number) => void;
}

/** Others' questions: RFC 6762 §7.3 duplicate questions, §10.5 passive observation of failures. */
export class Overheard {
  readonly #parts: OverheardParts;
  readonly #chains = new Map<string, Chain>();

  constructor(parts: OverheardParts) {
    this.#parts = parts;
  }

  query(message: Message, from: Source, now: number): void {
    if (from.port !== MDNS_PORT || message.authorities.length > 0) return;
    for (const { name, type } of message.questions) if (type === TYPE.SRV) this.#parts.located(nameKey(name), now);
    const chain = this.#chains.get(from.address);
    if (chain) this.#chains.delete(from.address);
    const going = message.questions.length === 0 && chain && now - chain.since < CHAIN_TIME ? chain : undefined;
    const questions = going?.questions ?? message.questions.filter(({ unicast }) => !unicast);
    if (questions.length === 0) return;
    // With an answer among the known ones that we lack, the reply would not serve us.
    const known = (going?.known ?? true) && message.answers.every((record) => this.#parts.knows(record));
    if (message.truncated) {
      if (this.#chains.size < MAX_CHAINS) this.#chains.set(from.address, { questions, known, since: going?.since ?? now });
      return;
    }
    // Known answers in several packets are not gathered: there, nothing is to be concluded from silence.
    if (!going) for (const { name, type } of questions) if (type === TYPE.PTR) this.#parts.listed(name, message.answers, from.address, now);
    if (known) for (const question of questions) this.#parts.asked(question, now);
  }
}
