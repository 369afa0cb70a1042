// The actions that the owner offers, as XEP-0050 has commands. To boxes values go as they are; other clients fill in a form, and are shown one.
import type { Value } from '../api.ts';
import { checkedCommandName, type CommandOffers, type Offered, type Runner } from '../commands/offers.ts';
import { LanpostError } from '../errors.ts';
import { fromPayload, toPayload } from '../payload/payload.ts';
import { elementToPayload, payloadToElement } from '../payload/xml.ts';
import { children, type Element, isLegal, namespaceOf, serialize, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { askingForm, filledValue, resultForm } from './command-form.ts';
import { type AdHocCommand, type CommandSource, type CommandStep, forbidden, NS_COMMANDS } from './commands.ts';
import { NS_DATA, type Submission } from './data-form.ts';
import { toRequestError } from './request-error.ts';

/** Takes and gives one value, in the element that stands for it within `<command/>`. */
export const COMMAND_VALUES = 'urn:lanpost:0#command-values';

export interface OfferedCommandsParts<C> {
  readonly offers: CommandOffers;
  readonly runnerOf: (context: C) => Runner;
  readonly may: (context: C, name: string) => boolean;
  /** Bytes of an answer, as XML. */
  readonly answerBytes: number;
}

export function offeredCommands<C>({ offers, runnerOf, may, answerBytes }: OfferedCommandsParts<C>): CommandSource<C> {
  const asCommand = (offered: Offered): AdHocCommand<C> => ({
    node: offered.name,
    name: offered.title ?? offered.name,
    features: [COMMAND_VALUES],
    offered: (context) => may(context, offered.name),
    run: (context, form, command) => run(offered, runnerOf(context), form, command),
  });

  async function run(offered: Offered, runner: Runner, form: Submission | undefined, command: Element): Promise<CommandStep> {
    const { name, title = name, fields } = offered;
    const inner = containerIn(command);
    if (!form && !inner && fields.length > 0) return { form: askingForm(title, fields) };
    try {
      const answer = await offers.run(name, form ? filledValue(fields, form) : inner ? fromPayload(elementToPayload(inner)) : null, runner);
      const results = inner ? valueElements(answer) : shownElements(answer);
      if (results.reduce((sum, one) => sum + Buffer.byteLength(serialize(one)), 0) > answerBytes) throw new LanpostError('too-large', `what the command ${name} gives is too large to be sent`);
      return { results };
    } catch (error) {
      // XEP-0050 §4.4
      throw error instanceof LanpostError ? toRequestError(error, { 'invalid-value': { application: xml('bad-payload', { xmlns: NS_COMMANDS }) } }) : error;
    }
  }

  return {
    all: () => offers.list().flatMap(({ name }) => {
      const offered = offers.get(name);
      return offered ? [asCommand(offered)] : [];
    }),
    find(node, context) {
      if (!isName(node)) return undefined;
      // Whether it is there is nobody's business who may not run it.
      if (!may(context, node)) throw forbidden();
      const offered = offers.get(node);
      if (!offered) throw new StanzaError('item-not-found');
      return asCommand(offered);
    },
  };
}

function isName(node: string): boolean {
  try {
    checkedCommandName(node);
    return true;
  } catch (error) {
    if (error instanceof LanpostError) return false;
    throw error;
  }
}

/** What stands for a value, within a command. */
export function containerIn(command: Element): Element | undefined {
  return children(command).find((child) => namespaceOf(child) !== NS_COMMANDS && namespaceOf(child) !== NS_DATA);
}

export function valueElements(value: Value | undefined): readonly Element[] {
  return value === undefined ? [] : [payloadToElement(toPayload(value))];
}

/** As people are shown it: words as a note, an object as a form; and for programs as it is. */
function shownElements(value: Value | undefined): readonly Element[] {
  if (value === undefined || value === null) return [];
  const form = resultForm(value);
  const words = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
  const note = words !== undefined && isLegal(words) ? [xml('note', { type: 'info' }, words)] : [];
  return [...(form ? [form] : []), ...note, ...valueElements(value)];
}
