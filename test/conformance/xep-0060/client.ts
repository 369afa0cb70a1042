import type { PeerContext } from '../../../src/link/context.ts';
import { StanzaError, stanzaErrorOf } from '../../../src/xmpp/stanza-error.ts';
import { attr, children, type Element, namespaceOf, parseElement, serialize, xml } from '../../../src/xmpp/element.ts';
import { acquainted, type BoxSetup, SimulatedLan, type TestBox } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { shown } from './shown-error.ts';

export const PUBSUB = 'http://jabber.org/protocol/pubsub';
export const SUBSCRIBE_OPTIONS = `${PUBSUB}#subscribe_options`;

/** Somebody who asks a box by XEP-0060, in XML that the test writes. */
export interface Asker {
  readonly name: string;
  readonly fingerprint: string;
  /** The answer's payload, or the whole answer where it has none; rejects with the StanzaError. */
  request(type: 'get' | 'set', payload: Element): Promise<Element>;
  /** The same, of a `<pubsub/>`. */
  ask(type: 'get' | 'set', inner: string, namespace?: string): Promise<Element>;
  query(inner: string): Promise<Element>;
  /** The error of a request that must fail, as `modify bad-request / invalid-jid`. */
  refused(type: 'get' | 'set', inner: string, namespace?: string): Promise<string>;
}

/** Somebody with a key who does so over a stream, and is told over it. */
export interface PubsubClient extends Asker {
  readonly box: TestBox;
  /** The next notification. */
  next(): Promise<Element>;
  /** Those that have come and nobody has asked for. */
  readonly waiting: readonly Element[];
  /** Set: what is done with the next ones instead of keeping them, as sending them back. */
  reply: ((message: Element) => void) | undefined;
}

function asker(name: string, fingerprint: string, send: (iq: Element) => Promise<Element>): Asker {
  const request: Asker['request'] = async (type, payload) => {
    const answer = await send(xml('iq', { type }, payload));
    return children(answer)[0] ?? answer;
  };
  const ask: Asker['ask'] = (type, inner, namespace = PUBSUB) => request(type, parseElement(`<pubsub xmlns='${namespace}'>${inner}</pubsub>`));
  return {
    name, fingerprint, request, ask,
    query: (inner) => request('get', parseElement(inner)),
    async refused(...asked) {
      const error: unknown = await ask(...asked).then(() => undefined, (failure: unknown) => failure);
      if (!(error instanceof StanzaError)) throw new Error(`not refused: ${String(error)}`);
      return shown(error);
    },
  };
}

/** Over a stream. */
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
  return {
    ...asker(box.name, box.identity.fingerprint, (iq) => box.link.request(service.link.name, iq)),
    box, waiting,
    get reply() { return reply; },
    set reply(then) { reply = then; },
    async next() {
      await lan.until(() => waiting.length > 0);
      return waiting.shift()!;
    },
  };
}

/** With no stream: each request is handed to the service as a stream hands over what it has proven. What it is told has no road to it. */
export async function engineClient(lan: SimulatedLan, service: ServiceBox, host: number, user: string): Promise<Asker> {
  const { spki, fingerprint } = await lan.identity();
  const name = `${user}@h${host}`;
  service.trust.seen(spki, name);
  return asker(name, fingerprint, handed(service, () => ({ kind: 'link', name, fingerprint, trust: service.trust.level(fingerprint), tls: true })));
}

/** The same, of somebody who has shown no key. */
export function anonymous(service: ServiceBox, name: string): Asker {
  return asker(name, '', handed(service, () => ({ kind: 'link', name, trust: service.trust.level(undefined), tls: false })));
}

function handed(service: ServiceBox, context: () => PeerContext): (iq: Element) => Promise<Element> {
  let count = 0;
  return async (iq) => {
    count += 1;
    Object.assign(iq.attrs, { id: `e${count}`, from: context().name, to: service.link.name });
    const reply = await service.dispatcher.dispatch(parseElement(serialize(iq)), context());
    if (!reply) throw new Error(`nothing answers ${serialize(iq)}`);
    const answer = parseElement(serialize(reply));
    if (attr(answer, 'type') === 'error') throw stanzaErrorOf(answer);
    return answer;
  };
}

/** What asks and is answered is the same by both, so that it is tested by both. */
export const TRANSPORTS: readonly (readonly [how: string, connect: (lan: SimulatedLan, service: ServiceBox, host: number, user: string) => Promise<Asker>])[] = [
  ['over a stream', pubsubClient], ['through the engine', engineClient],
];

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
