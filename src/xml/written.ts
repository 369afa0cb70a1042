import { Element, type Node } from './element.ts';
import { isLegal } from './text.ts';

/** An element, or several, that is text already: written once, however often it is sent. Nobody can look into it. */
export class Written extends Element {
  readonly written: string;
  #legal: boolean | undefined;

  /** `legal`: none of what it was put together from can be anything else. */
  constructor(name: string, text: string, legal?: true) {
    super(name);
    this.written = text;
    this.#legal = legal;
  }

  /** Whether it can be said in XML at all; looked at once. */
  get isLegal(): boolean {
    return this.#legal ??= isLegal(this.written);
  }

  override toString(): string {
    return this.written;
  }
}

/** Whether all that it says can be said in XML at all. */
export function isLegalElement(node: Node): boolean {
  if (typeof node !== 'object') return isLegal(node);
  if (node instanceof Written) return node.isLegal;
  for (const key in node.attrs) if (!isLegal(key) || !isLegal(String(node.attrs[key]))) return false;
  return isLegal(node.name) && node.children.every((child) => isLegalElement(child));
}
