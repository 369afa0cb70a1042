// XEP-0095: Stream Initiation, version 1.2, with the one profile there is a use for,
// XEP-0096: SI File Transfer, version 1.3.1. Deprecated both, and what the clients of XEP-0174 speak.
import { attr, children, type Element, namespaceOf, xml } from '../xmpp/element.ts';
import { StanzaError } from '../xmpp/stanza-error.ts';
import { buildHash, parseHash } from './hashes.ts';

export const NS_SI = 'http://jabber.org/protocol/si';
export const NS_FILE_TRANSFER = 'http://jabber.org/protocol/si/profile/file-transfer';
const NS_FEATURE_NEG = 'http://jabber.org/protocol/feature-neg';
const NS_DATA_FORM = 'jabber:x:data';

export const SI_FEATURES: readonly string[] = [NS_SI, NS_FILE_TRANSFER];

/** Longer texts are no names of files, and no descriptions either. */
const TEXT = 1_024;
const METHODS = 16;

export interface SiOffer {
  /** The stream's id from then on (XEP-0095 §5.2). */
  readonly sid: string;
  readonly name: string;
  readonly size: number;
  readonly description?: string;
  /** SHA-256 of the content in base64 (XEP-0300). XEP-0096's own `hash` is MD5, and is neither sent nor believed. */
  readonly sha256?: string;
  /** Namespaces of the ways in which the bytes may go, the best first. */
  readonly methods: readonly string[];
}

export function buildOffer({ sid, name, size, description, sha256, methods }: SiOffer): Element {
  return xml('iq', { type: 'set' }, xml('si', { xmlns: NS_SI, id: sid, profile: NS_FILE_TRANSFER, 'mime-type': 'application/octet-stream' },
    xml('file', { xmlns: NS_FILE_TRANSFER, name, size },
      description === undefined ? undefined : xml('desc', {}, description),
      sha256 === undefined ? undefined : buildHash(sha256)),
    xml('feature', { xmlns: NS_FEATURE_NEG }, xml('x', { xmlns: NS_DATA_FORM, type: 'form' },
      xml('field', { var: 'stream-method', type: 'list-single' }, ...methods.map((method) => xml('option', {}, xml('value', {}, method))))))));
}

/** Throws the error that XEP-0095 §3.2 has for what is no offer of a file. */
export function parseOffer(si: Element): SiOffer {
  const sid = attr(si, 'id') ?? '';
  if (sid === '' || sid.length > TEXT) throw new StanzaError('bad-request', { text: 'an offer needs an id' });
  const file = si.getChild('file', NS_FILE_TRANSFER);
  if (attr(si, 'profile') !== NS_FILE_TRANSFER || !file) throw refusal('bad-profile');
  const name = attr(file, 'name') ?? '';
  const size = attr(file, 'size') ?? '';
  // XEP-0096 §3: both MUST be there.
  if (name === '' || name.length > TEXT) throw refusal('bad-profile', 'a file needs a name');
  if (!/^\d{1,16}$/.test(size) || !Number.isSafeInteger(Number(size))) throw refusal('bad-profile', 'a file needs a size');
  const description = file.getChildText('desc')?.slice(0, TEXT);
  const sha256 = parseHash(file);
  const methods = streamMethods(si).flatMap((field) => children(field)
    .filter((option) => option.getName() === 'option').map((option) => option.getChildText('value')?.trim() ?? '')).slice(0, METHODS);
  return {
    sid, name, size: Number(size), methods,
    ...(description ? { description } : {}),
    ...(sha256 === undefined ? {} : { sha256 }),
  };
}

/** The `<si/>` of an answer that takes the offer. XEP-0096 §3: without a range, all of the file is to be sent. */
export function buildAnswer(method: string): Element {
  return xml('si', { xmlns: NS_SI }, xml('feature', { xmlns: NS_FEATURE_NEG }, xml('x', { xmlns: NS_DATA_FORM, type: 'submit' },
    xml('field', { var: 'stream-method' }, xml('value', {}, method)))));
}

/** The way that the answer chooses. */
export function parseAnswer(iq: Element): string | undefined {
  const si = iq.getChild('si', NS_SI);
  return si && streamMethods(si)[0]?.getChildText('value')?.trim();
}

/** XEP-0095 §3.2: none of the ways offered will do. */
export function noValidStreams(): StanzaError {
  return refusal('no-valid-streams');
}

function streamMethods(si: Element): Element[] {
  const form = si.getChild('feature', NS_FEATURE_NEG)?.getChild('x', NS_DATA_FORM);
  return form ? children(form).filter((field) => field.getName() === 'field' && namespaceOf(field) === NS_DATA_FORM && attr(field, 'var') === 'stream-method') : [];
}

function refusal(condition: 'bad-profile' | 'no-valid-streams', text?: string): StanzaError {
  return new StanzaError('bad-request', { application: xml(condition, { xmlns: NS_SI }), type: 'cancel', ...(text === undefined ? {} : { text }) });
}
