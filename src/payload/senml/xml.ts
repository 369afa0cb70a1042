// The XML form of SenML, RFC 8428 §7: `<sensml>` with a `<senml/>` for each record, fields as attributes.
import type { Value } from '../../api.ts';
import { attr, children, Element, namespaceOf, prefixOf, xml } from '../../xml/element.ts';
import { isLegal } from '../../xml/text.ts';
import { checkSenml, SENML_FIELDS, senmlFault, type SenmlPack } from './pack.ts';

export const NS_SENML = 'urn:ietf:params:xml:ns:senml';

/** What a label must be to stand as an attribute; others have no XML form. */
const LABEL = /^(?!xmlns$)[A-Za-z_][A-Za-z0-9._-]*$/;
const DOUBLE = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const SPACE = /^[ \t\r\n]*$/;

/** Throws `invalid-value` for a field that XML cannot say: one of no SenML label that is no text, or characters that XML has not. */
export function senmlToElement(pack: SenmlPack): Element {
  const records = pack.map((record, at) => {
    const attributes: Record<string, string> = {};
    for (const [label, value] of Object.entries(record)) {
      if (typeof value === 'object' || !LABEL.test(label) || (typeof value !== 'string' && !SENML_FIELDS.has(label))) return senmlFault(`"${label.slice(0, 64)}" of record ${at} has no form in XML`);
      const text = String(value); // numbers as ECMAScript writes them are doubles of XML Schema
      if (!isLegal(text)) senmlFault(`"${label.slice(0, 64)}" of record ${at} has characters that XML has not`);
      attributes[label] = text;
    }
    return xml('senml', attributes);
  });
  return xml('sensml', { xmlns: NS_SENML }, ...records);
}

export function isSenmlElement(element: Element): boolean {
  return element.getName() === 'sensml' && namespaceOf(element) === NS_SENML;
}

/** Throws `invalid-value` for what is no SenML, or says more than SenML can. */
export function elementToSenml(element: Element): SenmlPack {
  if (!isSenmlElement(element)) senmlFault(`<sensml xmlns='${NS_SENML}'/> is expected`);
  if (Object.keys(element.attrs).some((name) => name !== 'xmlns' && !name.startsWith('xmlns:'))) senmlFault('<sensml/> has no attributes');
  if (!onlyWhiteSpace(element)) senmlFault('there is text within <sensml/>');
  return checkSenml(children(element).map((child, at) => {
    if (child.getName() !== 'senml' || namespaceOf(child) !== NS_SENML) senmlFault('there is another element within <sensml/>');
    if (children(child).length > 0 || !onlyWhiteSpace(child)) senmlFault(`there is something within <senml/> ${at}`);
    const names = Object.keys(child.attrs).filter((name) => name !== 'xmlns' && !name.startsWith('xmlns:'));
    return Object.fromEntries(names.map((name) => [name, read(name, attr(child, name) ?? '', at)]));
  }));
}

function onlyWhiteSpace(element: Element): boolean {
  return element.children.every((child) => typeof child === 'object' || SPACE.test(child));
}

function read(label: string, text: string, at: number): Value {
  if (prefixOf(label) !== undefined) senmlFault(`"${label.slice(0, 64)}" of <senml/> ${at} is no field`);
  switch (SENML_FIELDS.get(label)?.kind) {
    case 'number': case 'version': {
      const value = DOUBLE.test(text) ? Number(text) + 0 : Number.NaN; // JSON has one zero
      return Number.isFinite(value) ? value : senmlFault(`"${label}" of <senml/> ${at} must be a number`);
    }
    case 'flag': return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : senmlFault(`"${label}" of <senml/> ${at} must be true or false`);
    default: return text;
  }
}
