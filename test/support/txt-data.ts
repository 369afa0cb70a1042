import { decodeText, encodeText, type TextValue } from '../../src/mdns/text.ts';

/** The data of a TXT record, as discovery hands it on. */
export function txtData(said: Iterable<readonly [string, string]>): string {
  return encodeText([...said]).toString('latin1');
}

/** What is said there under that key. */
export function txtValue(found: { readonly text: string } | undefined, key: string): TextValue | undefined {
  return found && decodeText(found.text).get(key);
}
