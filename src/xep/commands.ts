// XEP-0050: Ad-Hoc Commands, version 1.3.0: what there is, and running it. No session is kept: each step says all that it needs.
import { type Dispatcher, type IqRequest, LATER } from '../xmpp/dispatch.ts';
import { attr, type Element, serialize, xml } from '../xmpp/element.ts';
import type { Extension } from '../xmpp/extension.ts';
import { errorReply, iqResult, withoutPayload } from '../xmpp/stanza.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { NS_DATA, readForm, type Submission } from './data-form.ts';
import type { DiscoNodes } from './disco.ts';

export const NS_COMMANDS = 'http://jabber.org/protocol/commands';
/** Characters of a session's name, which is whoever's it is. */
const SESSION = 128;
/** Bytes of one list of commands: those that find no room in it can be run all the same. */
const LIST = 65_536;

export interface CommandStep {
  /** Absent: it is done. */
  readonly form?: Element;
  /** What it gives, when it is done. */
  readonly results?: readonly Element[];
}

export interface AdHocCommand<C> {
  readonly node: string;
  readonly name: string;
  /** What disco#info says of it, beside what every command is. */
  readonly features?: readonly string[];
  /** Whether it is shown to whoever asks. */
  readonly offered: (context: C) => boolean;
  /** `form`: what was filled in; absent in the first step. `command`: all that was sent. */
  readonly run: (context: C, form: Submission | undefined, command: Element) => Promise<CommandStep>;
}

/** Commands that come and go. */
export interface CommandSource<C> {
  all(): readonly AdHocCommand<C>[];
  /** Throws when whoever asks may not even know whether it is there. */
  find(node: string, context: C): AdHocCommand<C> | undefined;
}

export interface CommandsParts<C> {
  readonly commands?: readonly AdHocCommand<C>[];
  readonly offers?: CommandSource<C>;
  /** Sends the answer of an offered command when it is there: it may take its time, and what came after it does not wait for that. `still`: asked when it goes out; false: it does not, and this rejects. */
  readonly later?: (context: C, reply: Element, still?: () => boolean) => Promise<unknown>;
  readonly ownName: (context: C) => string;
}

export class Commands<C> implements Extension<C> {
  readonly features: readonly string[] = [NS_COMMANDS];
  readonly #parts: CommandsParts<C>;

  constructor(parts: CommandsParts<C>) {
    this.#parts = parts;
  }

  attach(dispatcher: Dispatcher<C>): void {
    dispatcher.iq('set', NS_COMMANDS, 'command', (request) => this.#run(request));
  }

  /** §2.2: the commands by their nodes, before all that others answer for. A node that is a topic, too, is both. */
  beside(others: DiscoNodes<C>): DiscoNodes<C> {
    const { ownName } = this.#parts;
    return {
      info: async (node, context) => {
        if (node === NS_COMMANDS) return { identities: [{ category: 'automation', type: 'command-list' }], features: [] };
        const command = this.#all().find((one) => one.node === node);
        if (!command) return others.info(node, context);
        const beside = this.#parts.commands?.includes(command) ? undefined : await others.info(node, context);
        if (!command.offered(context)) return beside;
        return {
          identities: [...beside?.identities ?? [], { category: 'automation', type: 'command-node', name: command.name }],
          features: [...new Set([...beside?.features ?? [], NS_COMMANDS, NS_DATA, ...command.features ?? []])],
          ...(beside?.forms ? { forms: beside.forms } : {}),
        };
      },
      items: async (node, context, page) => {
        if (node !== NS_COMMANDS) return others.items(node, context, page);
        let room = LIST;
        const offered = this.#all().filter((one) => one.offered(context)).map(({ node: own, name }) => ({ jid: ownName(context), node: own, name }));
        return { items: offered.filter((item) => (room -= Buffer.byteLength(serialize(xml('item', { ...item })))) > 0) };
      },
    };
  }

  #all(): readonly AdHocCommand<C>[] {
    return [...this.#parts.commands ?? [], ...this.#parts.offers?.all() ?? []];
  }

  #of(node: string, context: C): AdHocCommand<C> | undefined {
    return this.#parts.commands?.find((one) => one.node === node) ?? this.#parts.offers?.find(node, context);
  }

  async #run(request: IqRequest<C>): Promise<Element | typeof LATER> {
    const { payload, context } = request;
    const node = attr(payload, 'node');
    if (node === undefined) throw new StanzaError('bad-request', { text: 'which command is not said' });
    const command = this.#of(node, context);
    if (!command) throw new StanzaError('item-not-found');
    const { later, commands } = this.#parts;
    const running = this.#answer(request, command);
    if (!later || commands?.includes(command)) return running;
    const asked = withoutPayload(request.iq);
    const failed = (error: unknown): Element => errorReply(asked, error instanceof StanzaError ? error : new StanzaError('internal-server-error'));
    const still = (): boolean => command.offered(context);
    void running.then((answer) => iqResult(asked, answer), failed).then((reply) => later(context, reply, still)).catch(async () => {
      // It had to wait for room, and the right was gone before there was any. RFC 6120 §8.2.3: whoever asks MUST be answered.
      if (!still()) await later(context, failed(forbidden()));
    }).catch(() => undefined); // one that has gone has lost what it asked; what it asks then is another request
    return LATER;
  }

  /** It may take its time. Whoever may not run it any more by then is told neither what it gave nor why it failed. */
  async #answer(request: IqRequest<C>, command: AdHocCommand<C>): Promise<Element> {
    const [outcome] = await Promise.allSettled([this.#step(request, command)]);
    if (!command.offered(request.context)) throw forbidden();
    if (outcome.status === 'rejected') throw outcome.reason;
    return outcome.value;
  }

  async #step({ payload, context }: IqRequest<C>, command: AdHocCommand<C>): Promise<Element> {
    const { node } = command;
    const [action = 'execute', sessionid = `${command.name}-0`.slice(0, SESSION)] = [attr(payload, 'action'), attr(payload, 'sessionid')];
    if (sessionid.length > SESSION) throw malformed('bad-sessionid');
    const answer = (status: string, ...inner: readonly Element[]): Element => xml('command', { xmlns: NS_COMMANDS, node, sessionid, status }, ...inner);
    if (action === 'cancel') return answer('canceled');
    if (!['execute', 'next', 'complete'].includes(action)) throw malformed(action === 'prev' ? 'bad-action' : 'malformed-action');
    const form = readForm(payload);
    if (form?.cancelled) return answer('canceled');
    const step = await command.run(context, form, payload);
    // §3.4: what can be done next is to fill it in, which is the last step.
    return step.form ? answer('executing', xml('actions', { execute: 'complete' }, xml('complete')), step.form) : answer('completed', ...step.results ?? []);
  }
}

/** §4.4: of the type that it has there, and not in RFC 6120. */
export function forbidden(): StanzaError {
  return new StanzaError('forbidden', { type: 'cancel' });
}

/** §4.4 */
export function malformed(name: string): StanzaError {
  return new StanzaError('bad-request', { application: xml(name, { xmlns: NS_COMMANDS }) });
}
