// Which device of its sender's a message is from, and which of its recipient's it is for: both are one authenticated end, whose
// word for its own devices is taken.
import { deviceName } from '../mail/device-name.ts';
import { NS_LANPOST } from '../payload/xml.ts';
import { attr, children, type Element, namespaceOf, xml } from '../xmpp/element.ts';

/** XEP-0172 (1.1). */
const NS_NICK = 'http://jabber.org/protocol/nick';
const THREAD = 'device:';

export interface DevicePair {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Nothing where there are none. */
export function deviceElements({ from, to }: DevicePair): Element[] {
  if (from === undefined && to === undefined) return [];
  // §4.4: for whoever is no box, and shows it to a person.
  return [xml('device', { xmlns: NS_LANPOST, from, to }), ...(from === undefined ? [] : [xml('nick', { xmlns: NS_NICK }, from)])];
}

/** What is no name of a device cannot be meant. */
export function parseDevices(message: Element): DevicePair {
  const element = children(message).find((child) => child.getName() === 'device' && namespaceOf(child) === NS_LANPOST);
  if (!element) return {};
  const [from, to] = [attr(element, 'from'), attr(element, 'to')];
  // One that is meant, and cannot be, is no device here: and it is not for the box either.
  return { from: from === undefined ? undefined : deviceName(from), to: to === undefined ? undefined : deviceName(to) ?? '' };
}

/** RFC 6121 §5.2.5: what is answered to a message keeps its thread, so that whoever knows no devices answers the one that wrote. */
export function threadOf(device: string): string {
  return THREAD + device;
}

export function deviceOfThread(thread: string | undefined): string | undefined {
  return thread?.startsWith(THREAD) ? deviceName(thread.slice(THREAD.length)) : undefined;
}
