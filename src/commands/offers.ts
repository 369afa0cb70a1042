// The actions that this box offers, and their running: bounded in number and in time. Knows no XML.
import type { CommandCall, CommandField, CommandHandler, CommandInfo, CommandOffer, OfferOptions, TrustLevel, Trouble, Value } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { checkedObject } from '../given.ts';
import { validTopic } from '../log/filter.ts';
import { fromPayload, toPayload } from '../payload/payload.ts';
import { isSayable } from '../sayable.ts';
import { checkedTime } from './time.ts';

export interface CommandLimits {
  /** Commands offered at once. */
  readonly offered: number;
  /** Running at once: of all that ask, and of one of them. */
  readonly running: number;
  readonly runningForOne: number;
}

export const COMMAND_LIMITS: CommandLimits = { offered: 256, running: 64, runningForOne: 8 };
/** Fields of one form, characters of a text in it, choices in a list. */
const [FIELDS, TEXT, CHOICES] = [64, 256, 256];

/** Who runs a command; without an address it is this box itself. */
export interface Runner {
  readonly from?: string;
  readonly trust: TrustLevel;
  /** Whom it counts for, where an address can be had by anybody, or changed. Default: who has the address. */
  readonly counts?: string;
}

export interface Offered extends CommandInfo {
  readonly fields: readonly CommandField[];
}

interface Entry extends Offered {
  readonly handler: CommandHandler;
  readonly timeout: number;
  readonly ended: AbortController;
}

export interface CommandOffersParts {
  readonly clock: Clock;
  readonly trouble: (trouble: Trouble) => void;
  readonly limits?: Partial<CommandLimits>;
}

export class CommandOffers {
  readonly #parts: CommandOffersParts;
  readonly #limits: CommandLimits;
  readonly #entries = new Map<string, Entry>();
  /** How many each has running, by whom they count for. */
  readonly #running = new Map<string, number>();
  #count = 0;
  #closed = false;

  constructor(parts: CommandOffersParts) {
    this.#parts = parts;
    this.#limits = { ...COMMAND_LIMITS, ...parts.limits };
  }

  offer(name: string, handler: CommandHandler, options: OfferOptions = {}): CommandOffer {
    if (this.#closed) throw new LanpostError('closed');
    const entry = checkedEntry(name, handler, options);
    const { signal } = options;
    signal?.throwIfAborted();
    if (this.#entries.has(name)) throw new LanpostError('conflict', `the command ${name} is offered already`);
    if (this.#entries.size >= this.#limits.offered) throw new LanpostError('busy', `${this.#limits.offered} commands are offered already; take one back`);
    this.#entries.set(name, entry);
    const ended = new Promise<void>((resolve) => { entry.ended.signal.addEventListener('abort', () => resolve(), { once: true }); });
    const take = (): void => {
      signal?.removeEventListener('abort', take);
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
      entry.ended.abort(new LanpostError('closed', `the command ${name} is offered no more`));
    };
    signal?.addEventListener('abort', take, { once: true });
    const close = async (): Promise<void> => take();
    return { name, ended, close, [Symbol.asyncDispose]: close };
  }

  list(): CommandInfo[] {
    return [...this.#entries.values()].map(({ name, title }) => ({ name, ...(title === undefined ? {} : { title }) }));
  }

  get(name: string): Offered | undefined {
    return this.#entries.get(name);
  }

  /** Resolves with what the command gives; rejects with a LanpostError that may be told to whoever runs it. */
  async run(name: string, value: Value, { from, trust, counts }: Runner): Promise<Value | undefined> {
    const entry = this.#entries.get(name);
    if (!entry) throw new LanpostError('not-found', `no command ${name} is offered`);
    const who = counts ?? runnerKey(from);
    const running = this.#running.get(who) ?? 0;
    if (this.#count >= this.#limits.running || (from !== undefined && running >= this.#limits.runningForOne)) throw new LanpostError('busy', 'too many commands are running; try again shortly');
    this.#count += 1;
    this.#running.set(who, running + 1);
    try {
      return await this.#within(entry, { command: name, value, trust, ...(from === undefined ? {} : { from }) });
    } finally {
      this.#count -= 1;
      const left = (this.#running.get(who) ?? 1) - 1;
      if (left === 0) this.#running.delete(who);
      else this.#running.set(who, left);
    }
  }

  /** What runs is told so; nothing is offered any more. */
  close(): void {
    this.#closed = true;
    for (const { ended } of this.#entries.values()) ended.abort(new LanpostError('closed'));
    this.#entries.clear();
  }

  /** A handler that goes on after its time is its owner's business: nobody waits for it. */
  #within(entry: Entry, call: Omit<CommandCall, 'signal'>): Promise<Value | undefined> {
    const over = new AbortController();
    return new Promise((resolve, reject) => {
      const end = (error: LanpostError): void => {
        over.abort(error);
        reject(error);
      };
      const timer = this.#parts.clock.after(entry.timeout, () => end(new LanpostError('timeout', `the command ${entry.name} did not end within ${entry.timeout / 1000} s`)));
      const gone = (): void => end(new LanpostError('closed', `the command ${entry.name} is offered no more`));
      entry.ended.signal.addEventListener('abort', gone, { once: true });
      this.#handle(entry, { ...call, signal: over.signal }).then(resolve, reject).finally(() => {
        timer.stop();
        entry.ended.signal.removeEventListener('abort', gone);
      });
    });
  }

  async #handle({ name, handler }: Entry, call: CommandCall): Promise<Value | undefined> {
    try {
      const answer = await handler(call);
      // What cannot be an answer is found here, with the command's name to it; and what is given is nobody else's to change.
      return answer === undefined ? undefined : fromPayload(toPayload(answer));
    } catch (error) {
      if (error instanceof LanpostError) throw error;
      // Its words may be about what is nobody's business.
      this.#parts.trouble({ kind: 'commands.failed', message: `the command ${name} failed: ${error instanceof Error ? error.message : String(error)}` });
      throw new LanpostError('failed', `the command ${name} failed`, { cause: error });
    }
  }
}

/** All clients of one account are one of those that run. */
function runnerKey(from: string = ''): string {
  return from.startsWith('xmpp:') ? from.split('/')[0] ?? from : from;
}

/** Names are as those of topics, so that grants match them alike. */
export function checkedCommandName(name: unknown): string {
  if (typeof name !== 'string') throw new TypeError('a command\'s name must be a string');
  if (!validTopic(name) || !isSayable(name) || name.startsWith('$')) throw new LanpostError('invalid-value', `${JSON.stringify(name.slice(0, 80))} is no command's name: it is formed as a topic's is, and does not begin with $`);
  return name;
}

function checkedEntry(name: string, handler: CommandHandler, options: OfferOptions): Entry {
  checkedCommandName(name);
  if (typeof handler !== 'function') throw new TypeError('a command\'s handler must be a function');
  checkedObject('the options of an offer', options);
  const { title, fields = [], timeout } = options;
  if (title !== undefined) checkedText('a title', title);
  if (!Array.isArray(fields)) throw new TypeError('fields must be a list');
  if (fields.length > FIELDS) throw new LanpostError('too-large', `a command asks for ${FIELDS} fields at most`);
  for (const field of fields) checkField(field);
  if (new Set(fields.map((field) => field.name)).size < fields.length) throw new LanpostError('invalid-value', 'two fields have the same name');
  return { name, handler, fields: [...fields], timeout: checkedTime(timeout), ended: new AbortController(), ...(title === undefined ? {} : { title }) };
}

function checkField(field: CommandField): void {
  checkedObject('a field', field);
  const { name, label, kind = 'text', options } = field;
  checkedText('a field\'s name', name);
  if (label !== undefined) checkedText('a field\'s label', label);
  if (!['text', 'number', 'boolean', 'list'].includes(kind)) throw new TypeError('a field\'s kind is text, number, boolean or list');
  if ((kind === 'list') !== (options !== undefined)) throw new LanpostError('invalid-value', `the field ${name} has options if it is a list, and only then`);
  if (options === undefined) return;
  if (!Array.isArray(options) || options.length > CHOICES) throw new LanpostError('too-large', `a field has at most ${CHOICES} options`);
  for (const option of options) checkedText('an option', option);
}

function checkedText(what: string, text: unknown): void {
  if (typeof text !== 'string') throw new TypeError(`${what} must be a string`);
  if (text === '' || text.length > TEXT || !isSayable(text)) throw new LanpostError('invalid-value', `${what} has 1 to ${TEXT} characters, and no control characters`);
}
