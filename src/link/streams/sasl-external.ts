// SASL EXTERNAL (RFC 4422 appendix A, XEP-0178) for peers that want it: TLS has proven the key already, and boxes among
// themselves leave it out. The authorization identity can only be the name that the stream is for.
import { attr, type Element, namespaceOf, xml } from '../../xmpp/element.ts';
import { NS_SASL } from '../../xmpp/sasl.ts';
import { Refusal } from './refusal.ts';

/** RFC 6120 §6.4.5: a few tries, then the stream ends. */
const TRIES = 3;

export interface SaslChannel {
  readonly write: (element: Element) => void;
  readonly element: () => Promise<Element>;
}

export function mechanisms(): Element {
  return xml('mechanisms', { xmlns: NS_SASL }, xml('mechanism', {}, 'EXTERNAL'));
}

export function isAuth(element: Element): boolean {
  return element.getName() === 'auth' && namespaceOf(element) === NS_SASL;
}

/** The side that was called. Resolves when the peer has authenticated; it opens the stream anew then. */
export async function authenticate(first: Element, name: string, channel: SaslChannel & { readonly succeed: (element: Element) => void }): Promise<void> {
  let auth = first;
  for (let tries = 1; ; tries += 1) {
    const wrong = await fault(auth, name, channel);
    if (wrong === undefined) {
      channel.succeed(xml('success', { xmlns: NS_SASL }));
      return;
    }
    channel.write(xml('failure', { xmlns: NS_SASL }, xml(wrong)));
    if (tries === TRIES) throw new Refusal('protocol', 'policy-violation', `${name} could not authenticate: ${wrong}`);
    auth = await channel.element();
    if (!isAuth(auth)) throw new Refusal('protocol', 'not-authorized', 'another try to authenticate was expected');
  }
}

/** What is wrong with it, as a condition of RFC 6120 §6.5. */
async function fault(auth: Element, name: string, channel: SaslChannel): Promise<string | undefined> {
  if (attr(auth, 'mechanism') !== 'EXTERNAL') return 'invalid-mechanism';
  let given = auth.getText();
  // RFC 6120 §6.4.2: without an initial response there is a challenge, and "=" is an empty one.
  if (given === '') {
    channel.write(xml('challenge', { xmlns: NS_SASL }));
    const response = await channel.element();
    if (response.getName() === 'abort' && namespaceOf(response) === NS_SASL) return 'aborted';
    if (response.getName() !== 'response' || namespaceOf(response) !== NS_SASL) return 'malformed-request';
    given = response.getText();
  }
  if (given === '' || given === '=') return undefined;
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(given)) return 'incorrect-encoding';
  return Buffer.from(given, 'base64').toString() === name ? undefined : 'invalid-authzid';
}

/** Whether a peer that is no box wants this before anything else (RFC 6120 §6.3.1). */
export function wantsExternal(features: readonly Element[]): boolean {
  return features.some(feature => feature.getName() === 'mechanisms' && namespaceOf(feature) === NS_SASL
    && feature.getChildren('mechanism').some(mechanism => mechanism.getText().trim() === 'EXTERNAL'));
}

/** The side that called. The stream is opened anew afterwards. */
export async function external(channel: SaslChannel): Promise<void> {
  channel.write(xml('auth', { xmlns: NS_SASL, mechanism: 'EXTERNAL' }, '='));
  let answer = await channel.element();
  if (answer.getName() === 'challenge' && namespaceOf(answer) === NS_SASL) {
    channel.write(xml('response', { xmlns: NS_SASL }));
    answer = await channel.element();
  }
  if (answer.getName() !== 'success' || namespaceOf(answer) !== NS_SASL) throw new Refusal('refused', 'not-authorized', 'the peer does not take this key for an authentication');
}
