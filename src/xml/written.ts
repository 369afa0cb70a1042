import { Element } from './element.ts';

/** An element that is text already: written once, however often it is sent. Nobody can look into it. */
export class Written extends Element {
  readonly written: string;

  constructor(name: string, text: string) {
    super(name);
    this.written = text;
  }

  override toString(): string {
    return this.written;
  }
}
