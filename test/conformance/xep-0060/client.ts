import { NS_PUBSUB_ERRORS } from '../../../src/xep/pubsub/errors.ts';
import { StanzaError } from '../../../src/xmpp/stanza-error.ts';
import { attr, children, type Element, namespaceOf, parseElement, xml } from '../../../src/xmpp/element.ts';
import { acquainted, type BoxSetup, SimulatedLan, type TestBox } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';

export const PUBSUB = 'http://jabber.org/protocol/pubsub';
export const SUBSCRIBE_OPTIONS = `${PUBSUB}#subscribe_options`;

/** Somebody with a key who speaks XEP-0060 with a box over a stream, in XML that the test writes. */
export interface PubsubClient {
  readonly name: string;
  readonly fingerprint: string;
  readonly box: TestBox;
  /** The answer's `<pubsub/>`, or whatever its payload is; rejects with the StanzaError. */
  ask(type: 'get' | 'set', inner: string, namespace?: string): Promise<Element>;
  query(inner: string): Promise<Element>;
  /** The error of a request that must fail, as `bad-request / invalid-jid`. */
  refused(type: 'get' | 'set', inner: string, namespace?: string): Promise<string>;
  /** The next notification. */
  next(): Promise<Element>;
  /** Those that have come and nobody has asked for. */
  readonly waiting: readonly Element[];
  /** Set: what is done with the next ones instead of keeping them, as sending them back. */
  reply: ((message: Element) => void) | undefined;
}

export async function pubsubClient(lan: SimulatedLan, service: ServiceBox, host: number, user: string, setup: BoxSetup = {}): Promise<PubsubClient> {
  const box = await lan.box(host, user, setup);
  await acquainted(box, service);
  const waiting: Element[] = [];
  let reply: PubsubClient['reply'];
  box.dispatcher.message(`${PUBSUB}#event`, 'event', (message) => {
    if (reply) reply(message);
    else waiting.push(message);
    lan.bell.ring();
    return Promise.resolve();
  });
  const request = async (type: 'get' | 'set', payload: Element): Promise<Element> => {
    const answer = await box.link.request(service.link.name, xml('iq', { type }, payload));
    return children(answer)[0] ?? answer;
  };
  const ask: PubsubClient['ask'] = (type, inner, namespace = PUBSUB) => request(type, parseElement(`<pubsub xmlns='${namespace}'>${inner}</pubsub>`));
  return {
    box, ask, waiting,
    name: box.name,
    fingerprint: box.identity.fingerprint,
    get reply() { return reply; },
    set reply(then) { reply = then; },
    query: (inner) => request('get', parseElement(inner)),
    async refused(...asked) {
      const error: unknown = await ask(...asked).then(() => undefined, (failure: unknown) => failure);
      if (!(error instanceof StanzaError)) throw new Error(`not refused: ${String(error)}`);
      const { application } = error;
      if (!application) return error.condition;
      if (namespaceOf(application) !== NS_PUBSUB_ERRORS) throw new Error(`<${application.name}/> is in ${String(namespaceOf(application))}`);
      const feature = attr(application, 'feature');
      return `${error.condition} / ${application.name}${feature === undefined ? '' : ` ${feature}`}`;
    },
    async next() {
      await lan.until(() => waiting.length > 0);
      return waiting.shift()!;
    },
  };
}

/** A box with a service, and one client of it; whoever asks for it closes the LAN. */
export async function serviceAndClient(user: string): Promise<{ lan: SimulatedLan; a: ServiceBox; c: PubsubClient }> {
  const lan = new SimulatedLan();
  const a = await serviceBox(lan, 1, 'a');
  return { lan, a, c: await pubsubClient(lan, a, 2, user) };
}

/** The first element of that name, however deep. */
export function find(element: Element, name: string): Element | undefined {
  for (const child of children(element)) {
    const found = child.name === name ? child : find(child, name);
    if (found) return found;
  }
  return undefined;
}

export function all(element: Element, name: string): Element[] {
  return children(element).flatMap((child) => [...(child.name === name ? [child] : []), ...all(child, name)]);
}

/** What a notification says, shortly: `item t 1 <payload>`, `retract t 1`, `purge t`, `subscription t none`. */
export function said(message: Element): string {
  const event = children(message).find((child) => namespaceOf(child) === `${PUBSUB}#event`);
  const [happened] = event ? children(event) : [];
  if (!happened) return message.toString();
  const node = attr(happened, 'node') ?? '';
  const [entry] = children(happened);
  if (happened.name === 'items' && entry) return `${entry.name} ${node} ${attr(entry, 'id') ?? ''}${entry.getText() || children(entry)[0] ? ` ${children(entry)[0]?.getText() ?? ''}` : ''}`;
  return `${happened.name} ${node}${happened.name === 'subscription' ? ` ${attr(happened, 'subscription') ?? ''}` : ''}`;
}

export function headers(message: Element): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const header of all(message, 'header')) (found[attr(header, 'name') ?? ''] ??= []).push(header.getText());
  return found;
}

export function form(about: string, fields: Readonly<Record<string, readonly string[] | string>>): string {
  const values = (one: readonly string[] | string): string => [one].flat().map((value) => `<value>${value}</value>`).join('');
  return `<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${about}</value></field>`
    + `${Object.entries(fields).map(([name, one]) => `<field var='pubsub#${name}'>${values(one)}</field>`).join('')}</x>`;
}

/** Values of the form in an answer, by name without `pubsub#`. */
export function answered(element: Element): Record<string, string[]> {
  return Object.fromEntries(all(element, 'field').map((field) => [
    (attr(field, 'var') ?? '').replace('pubsub#', ''),
    children(field).filter((child) => child.name === 'value').map((value) => value.getText()),
  ]));
}
