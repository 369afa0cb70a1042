// Names, messages and values come from strangers; a terminal obeys what it is sent.
const HARMFUL = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** On one line, with control and direction characters spelt out. */
export function printable(text: string): string {
  return text.replace(HARMFUL, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    if (character === '\r') return '\\r';
    return `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
}

/** The same in JSON, where such characters stand only within texts. */
export function escapeHarmful(json: string): string {
  return json.replace(HARMFUL, (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, '0')}`);
}
