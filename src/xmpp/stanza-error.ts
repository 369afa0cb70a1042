// RFC 6120 §8.3: stanza errors, to and from XML.
import { attr, children, legalText, namespaceOf, xml, type Element } from './element.ts';

export const NS_STANZAS = 'urn:ietf:params:xml:ns:xmpp-stanzas';
/** Characters of what is said of an error: it is shown to people. */
export const ERROR_TEXT = 1024;

/** RFC 6120 §8.3.3: each condition with the type it usually has. */
export const CONDITIONS = {
  'bad-request': 'modify', conflict: 'cancel', 'feature-not-implemented': 'cancel', forbidden: 'auth', gone: 'cancel',
  'internal-server-error': 'cancel', 'item-not-found': 'cancel', 'jid-malformed': 'modify', 'not-acceptable': 'modify',
  'not-allowed': 'cancel', 'not-authorized': 'auth', 'policy-violation': 'modify', 'recipient-unavailable': 'wait',
  redirect: 'modify', 'registration-required': 'auth', 'remote-server-not-found': 'cancel', 'remote-server-timeout': 'wait',
  'resource-constraint': 'wait', 'service-unavailable': 'cancel', 'subscription-required': 'auth',
  'undefined-condition': 'cancel', 'unexpected-request': 'wait',
} as const;

export type Condition = keyof typeof CONDITIONS;
export type ErrorType = 'auth' | 'cancel' | 'continue' | 'modify' | 'wait';
const TYPES: readonly ErrorType[] = ['auth', 'cancel', 'continue', 'modify', 'wait'];

function isCondition(name: string): name is Condition {
  return Object.hasOwn(CONDITIONS, name);
}

export interface StanzaErrorOptions {
  readonly type?: ErrorType;
  readonly text?: string;
  /** RFC 6120 §8.3.3.5: where it is now, of `gone`. */
  readonly uri?: string;
  /** The application's own condition, in its own namespace. */
  readonly application?: Element;
  /** What the reply says beside the error. */
  readonly beside?: Element;
}

/** Thrown by a handler it becomes the error reply; received, it is what a request rejects with. */
export class StanzaError extends Error {
  override readonly name = 'StanzaError';
  readonly condition: Condition;
  readonly type: ErrorType;
  readonly text: string | undefined;
  readonly uri: string | undefined;
  readonly application: Element | undefined;
  readonly beside: Element | undefined;

  constructor(condition: Condition, options: StanzaErrorOptions = {}) {
    super(options.text === undefined ? condition : `${condition}: ${options.text}`);
    this.condition = condition;
    this.type = options.type ?? CONDITIONS[condition];
    this.text = options.text;
    this.uri = options.uri;
    this.application = options.application;
    this.beside = options.beside;
  }

  /** The `<error/>` child of an error stanza. */
  toElement(): Element {
    const error = xml('error', { type: this.type }, xml(this.condition, { xmlns: NS_STANZAS }, this.uri));
    // The words may be anybody's: what no parser takes, or no stanza holds, would end the stream.
    if (this.text !== undefined) error.append(xml('text', { xmlns: NS_STANZAS }, legalText(this.text.slice(0, ERROR_TEXT))));
    if (this.application) error.append(this.application);
    return error;
  }
}

/** Reads the error of a stanza of type `error`; conditions are found by namespace, wherever they stand. */
export function stanzaErrorOf(stanza: Element): StanzaError {
  const error = stanza.children.find((child) => typeof child === 'object' && child.getName() === 'error');
  if (typeof error !== 'object') return new StanzaError('undefined-condition');
  let condition: Condition = 'undefined-condition';
  let text: string | undefined;
  let uri: string | undefined;
  let application: Element | undefined;
  for (const child of children(error)) {
    const name = child.getName();
    if (namespaceOf(child) !== NS_STANZAS) application ??= child;
    else if (name === 'text') text = child.getText().slice(0, ERROR_TEXT);
    else if (isCondition(name)) {
      condition = name;
      uri = child.getText().trim().slice(0, ERROR_TEXT) || undefined;
    }
  }
  const beside = children(stanza).find((child) => child !== error);
  const type = TYPES.find((known) => known === attr(error, 'type'));
  return new StanzaError(condition, {
    ...(type === undefined ? {} : { type }),
    ...(text === undefined ? {} : { text }),
    ...(uri === undefined ? {} : { uri }),
    ...(application ? { application } : {}),
    ...(beside ? { beside } : {}),
  });
}
