// XEP-0050 from the side of whoever runs a command somewhere else: at a box in one step with the value, elsewhere by filling in forms.
import type { CommandInfo, Value } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { fromPayload } from '../payload/payload.ts';
import { elementToPayload } from '../payload/xml.ts';
import { attr, children, type Element, namespaceOf, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { filledForm, readAsked, readResult } from './command-form.ts';
import { NS_COMMANDS } from './commands.ts';
import { NS_DISCO_INFO, NS_DISCO_ITEMS } from './disco.ts';
import { COMMAND_VALUES, containerIn, valueElements } from './offered-commands.ts';
import { fromRequestError } from './request-error.ts';

/** Forms that one command may ask for, one after the other. */
const STEPS = 8;
/** Commands that are read of a list. */
const LISTED = 1000;

/** Sends an IQ there and resolves with the result; rejects with a StanzaError or a LanpostError. */
export type Ask = (iq: Element) => Promise<Element>;

/** §2.2 */
export async function listCommands(ask: Ask): Promise<CommandInfo[]> {
  try {
    const answer = await ask(xml('iq', { type: 'get' }, xml('query', { xmlns: NS_DISCO_ITEMS, node: NS_COMMANDS })));
    const query = answer.getChild('query', NS_DISCO_ITEMS);
    return (query ? children(query) : []).slice(0, LISTED).flatMap((item) => {
      const [node, title] = [attr(item, 'node'), attr(item, 'name')];
      return node === undefined ? [] : [{ name: node, ...(title === undefined || title === node ? {} : { title }) }];
    });
  } catch (error) {
    throw fromRequestError(error);
  }
}

/** `undefined` for a value: nothing is given. */
export async function runCommand(ask: Ask, name: string, value: Value | undefined): Promise<Value | undefined> {
  try {
    const given = value !== undefined && await takesValues(ask, name) ? valueElements(value) : [];
    let command = await step(ask, { node: name, action: 'execute' }, given);
    for (let steps = 0; attr(command, 'status') === 'executing'; steps += 1) {
      const session = { node: name, ...(attr(command, 'sessionid') === undefined ? {} : { sessionid: attr(command, 'sessionid') }) };
      try {
        command = await step(ask, { ...session, action: nextAction(command) }, [answerTo(command, value, steps)]);
      } catch (error) {
        // §2.4.4: it would wait for the next step.
        if (error instanceof LanpostError && error.code !== 'disconnected') await step(ask, { ...session, action: 'cancel' }, []).catch(() => undefined);
        throw error;
      }
    }
    if (attr(command, 'status') === 'canceled') throw new LanpostError('failed', `the command ${name} was cancelled`);
    return resultOf(command);
  } catch (error) {
    throw fromRequestError(error);
  }
}

/** Whether values are taken as they are is what another box says of its commands. Whoever does not say is asked for a form. */
async function takesValues(ask: Ask, node: string): Promise<boolean> {
  try {
    const answer = await ask(xml('iq', { type: 'get' }, xml('query', { xmlns: NS_DISCO_INFO, node })));
    return answer.getChild('query', NS_DISCO_INFO)?.getChildren('feature').some((feature) => attr(feature, 'var') === COMMAND_VALUES) === true;
  } catch (error) {
    if (error instanceof StanzaError) return false;
    throw error;
  }
}

async function step(ask: Ask, attrs: Readonly<Record<string, string | undefined>>, inner: readonly Element[]): Promise<Element> {
  const answer = await ask(xml('iq', { type: 'set' }, xml('command', { xmlns: NS_COMMANDS, ...attrs }, ...inner)));
  const command = answer.getChild('command', NS_COMMANDS);
  if (!command) throw new LanpostError('unsupported', 'the answer is none to a command');
  return command;
}

/** §3.4: `complete` where it is offered, or nothing is. */
function nextAction(command: Element): string {
  const actions = command.getChild('actions');
  return !actions || actions.getChild('complete') ? 'complete' : 'next';
}

function answerTo(command: Element, value: Value | undefined, steps: number): Element {
  if (steps >= STEPS) throw new LanpostError('unsupported', `the command asks for more than ${STEPS} forms`);
  const asked = readAsked(command);
  if (!asked) throw new LanpostError('unsupported', 'the command asks for what is no form');
  return filledForm(asked, value ?? {});
}

function resultOf(command: Element): Value | undefined {
  const notes = command.getChildren('note');
  const wrong = notes.find((note) => attr(note, 'type') === 'error');
  if (wrong) throw new LanpostError('failed', wrong.getText() || 'the command failed');
  const inner = containerIn(command);
  if (inner && namespaceOf(inner) !== undefined) return fromPayload(elementToPayload(inner));
  const form = readResult(command);
  if (form !== undefined) return form;
  return notes.length === 0 ? undefined : notes.map((note) => note.getText()).join('\n');
}
