// What the rest of the house needs of XML, at one address.
export { attr, children, Element, namespaceOf, xml, type Node } from '../xml/element.ts';
export { escapeAttribute, escapeText, serialize, serializeOpen, serializeStandalone } from '../xml/serialize.ts';
export { XmlFault, type XmlCondition } from '../xml/fault.ts';
export { isLegal, legalText } from '../xml/text.ts';
export { parseElement } from '../xml/parse.ts';
