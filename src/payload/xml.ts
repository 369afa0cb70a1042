// A payload as one XML element and back: XEP-0335 containers, the sender's own XML, and what neither can say.
import { attr, children, Element, namespaceOf, prefixOf, xml } from '../xml/element.ts';
import { XmlFault } from '../xml/fault.ts';
import { parseElement } from '../xml/parse.ts';
import { escapeText, serializeStandalone } from '../xml/serialize.ts';
import { Written } from '../xml/written.ts';
import { isLegal } from '../xml/text.ts';
import { LanpostError } from '../errors.ts';
import { decodeJson, encodeJson, parseJson } from './json.ts';
import { decodeText, formOf, isMediaType, type Payload, SENML_JSON } from './payload.ts';
import { checkSenml } from './senml/pack.ts';
import { elementToSenml, isSenmlElement, NS_SENML, senmlToElement } from './senml/xml.ts';

/** XEP-0335 §2. */
export const NS_JSON = 'urn:xmpp:json:0';
export const NS_LANPOST = 'urn:lanpost:0';

const LIMITS = { stanzaBytes: Number.MAX_SAFE_INTEGER, depth: 64 };

function data(payload: Payload): Element {
  return xml('data', { xmlns: NS_LANPOST, type: payload.contentType }, Buffer.from(payload.bytes).toString('base64'));
}

/** Text that a reader gives back as it was; white space alone might be taken for indentation. */
function legibleText(bytes: Uint8Array): string | undefined {
  try {
    const text = decodeText(bytes);
    return isLegal(text) && !text.includes('\r') && (text === '' || /\S/.test(text)) ? text : undefined;
  } catch (error) {
    if (error instanceof LanpostError) return undefined;
    throw error;
  }
}

function isJson(text: string): boolean {
  try {
    parseJson(text);
    return true;
  } catch (error) {
    if (error instanceof LanpostError) return false;
    throw error;
  }
}

/** The sender's own XML, if it means the same inside a stream: an element without a namespace would inherit one, and a container is opened. */
function ownXml(text: string): Element | undefined {
  let element: Element;
  try {
    element = parseElement(text, LIMITS);
  } catch (error) {
    if (error instanceof XmlFault) return undefined;
    throw error;
  }
  if (!allQualified(element) || (isContainer(element) && elementToPayload(element).contentType !== 'application/xml')) return undefined;
  return serializeStandalone(element) === text ? element : undefined;
}

function allQualified(element: Element): boolean {
  return namespaceOf(element) !== undefined && children(element).every(allQualified);
}

/** SenML in its own XML, if that says all that its JSON does: RFC 8428 §7. */
function senmlElement(bytes: Uint8Array): Element | undefined {
  try {
    const element = senmlToElement(checkSenml(decodeJson(bytes)));
    return Buffer.from(bytes).equals(encodeJson(elementToSenml(element))) ? element : undefined;
  } catch (error) {
    if (error instanceof LanpostError) return undefined;
    throw error;
  }
}

/** `undefined` when it is none; then it is XML like any other. */
function senmlPayload(element: Element): Payload | undefined {
  try {
    return { contentType: SENML_JSON, bytes: encodeJson(elementToSenml(element)) };
  } catch (error) {
    if (error instanceof LanpostError) return undefined;
    throw error;
  }
}

function isContainer(element: Element): boolean {
  const namespace = namespaceOf(element);
  return namespace === NS_LANPOST || namespace === NS_JSON || namespace === NS_SENML;
}

/** What `elementToPayload` found to be so needs no look. */
function written({ contentType, bytes }: Payload): Element {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();
  if (contentType === 'application/xml') return new Written('xml', text);
  return new Written('json', `<json xmlns='${NS_JSON}'>${escapeText(text)}</json>`);
}

/** Every payload has an element, and `elementToPayload` gives the payload back, byte for byte. */
export function payloadToElement(payload: Payload): Element {
  const { contentType } = payload;
  if (payload.legible) return written(payload);
  if (contentType === SENML_JSON) return senmlElement(payload.bytes) ?? data(payload);
  if (contentType !== 'application/json' && contentType !== 'text/plain' && contentType !== 'application/xml') return data(payload);
  const text = legibleText(payload.bytes);
  if (text === undefined) return data(payload);
  if (contentType === 'text/plain') return xml('text', { xmlns: NS_LANPOST }, text);
  if (contentType === 'application/json') return isJson(text) ? xml('json', { xmlns: NS_JSON }, text) : data(payload);
  return ownXml(text) ?? data(payload);
}

function onlyText(element: Element, attributes: readonly string[]): string | undefined {
  if (prefixOf(element.name) === undefined && Object.keys(element.attrs).some((key) => key !== 'xmlns' && !attributes.includes(key))) return undefined;
  return children(element).length > 0 ? undefined : element.getText();
}

/** RFC 4648 §4, and §3.5 to the letter: a payload says the same again. Compared, for an expression over megabytes overflows its engine's stack. */
function fromBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? Uint8Array.from(bytes) : undefined;
}

/** Our own and XEP-0335's containers are opened; any other element is its own payload. */
export function elementToPayload(element: Element): Payload {
  const senml = isSenmlElement(element) ? senmlPayload(element) : undefined;
  if (senml) return senml;
  const namespace = namespaceOf(element);
  const name = element.getName();
  if (namespace === NS_JSON && name === 'json') {
    const text = onlyText(element, []);
    if (text !== undefined && isJson(text)) return { contentType: 'application/json', bytes: Buffer.from(text), ...(text.includes('\r') ? {} : { legible: true }) };
  } else if (namespace === NS_LANPOST && name === 'text') {
    const text = onlyText(element, []);
    if (text !== undefined) return { contentType: 'text/plain', bytes: Buffer.from(text) };
  } else if (namespace === NS_LANPOST && name === 'data') {
    const text = onlyText(element, ['type'])?.replace(/[ \t\r\n]+/g, '');
    const contentType = attr(element, 'type');
    const bytes = text === undefined ? undefined : fromBase64(text);
    if (bytes && contentType !== undefined && isMediaType(contentType)) return { contentType, bytes };
  }
  const legible = allQualified(element) && !isContainer(element);
  return { contentType: 'application/xml', bytes: Buffer.from(serializeStandalone(element)), ...(legible ? { legible } : {}) };
}

/** The namespace by which the payload is known, if it is XML or SenML. */
export function payloadNamespace({ contentType, bytes }: Payload): string | undefined {
  if (contentType === SENML_JSON) return NS_SENML;
  if (formOf(contentType) !== 'xml') return undefined;
  const text = legibleText(bytes);
  if (text === undefined) return undefined;
  try {
    return namespaceOf(parseElement(text, LIMITS));
  } catch (error) {
    if (error instanceof XmlFault) return undefined;
    throw error;
  }
}
