import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { XmlFault } from '../../src/xml/fault.ts';
import { isCloseTagOf, parseCloseTag, parseOpenTag } from '../../src/xml/tag.ts';

// The grammar as XML 1.0 §3.1 and Namespaces in XML 1.0 §4 write it.
const START = 'A-Za-z_\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}';
const NCNAME = `[${START}][${START}\\-.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040]*`;
const NAME = `${NCNAME}(?::${NCNAME})?`;
const S = '[ \\t\\r\\n]';
const OPEN = new RegExp(`^<(${NAME})((?:${S}+${NAME}${S}*=${S}*(?:"[^<"]*"|'[^<']*'))*)${S}*(/?)>$`, 'u');
const ATTRIBUTE = new RegExp(`${S}+(${NAME})${S}*=${S}*(?:"([^<"]*)"|'([^<']*)')`, 'gu');
const CLOSE = new RegExp(`^</(${NAME})${S}*>$`, 'u');

const piece = fc.constantFrom('a', 'b', 'xmlns', 'é', '\u{10000}', ':', '-', '.', '1', ' ', '\t', '\n', '=', '"', "'", '/', '·', '>', '<', '"v"', "='w'", ' c="d"', '\u00D7');
const name = fc.stringMatching(/^[a-zé_]{1,3}$/);
const attribute = fc.tuple(fc.constantFrom(' ', '\n ', ''), name, fc.constantFrom('=', ' = ', ''), fc.constantFrom('"x"', "'y'", `"'"`, '"', 'z', '"<"')).map((parts) => parts.join(''));
const tag = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map((parts) => `<${parts.join('')}>`),
  fc.tuple(name, fc.array(attribute, { maxLength: 4 }), fc.constantFrom('', ' ', '/', ' /', '/ ')).map(([own, attributes, end]) => `<${own}${attributes.join('')}${end}>`),
);

function outcome<T>(work: () => T): T | string {
  try {
    return work();
  } catch (error) {
    if (error instanceof XmlFault) return error.condition;
    throw error;
  }
}

describe('XML 1.0 §3.1 tags', () => {
  it('takes every opening tag that the grammar takes, and no other', () => {
    fc.assert(fc.property(tag, (raw) => {
      const found = OPEN.exec(raw);
      const attributes = [...(found?.[2] ?? '').matchAll(ATTRIBUTE)].map((one) => [one[1], one[2] ?? one[3]] as const);
      const keys = attributes.map(([key]) => key);
      const legal = found && new Set(keys).size === keys.length && ![found[1], ...keys].some((key) => key?.includes(':'));
      const read = outcome(() => parseOpenTag(raw, null));
      fc.pre(Boolean(legal) || !found || !raw.includes(':')); // prefixes have tests of their own
      const { element, empty } = typeof read === 'string' ? {} : read;
      expect(element ? [element.name, empty, ...Object.entries(element.attrs)] : read).toEqual(legal
        ? [found[1], found[3] === '/', ...attributes.map(([key, value]) => [key, value?.replace(/[\t\n\r]/g, ' ')])]
        : 'not-well-formed');
    }), { numRuns: 5000 });
  });

  it('takes every closing tag that the grammar takes, and no other', () => {
    fc.assert(fc.property(fc.array(piece, { maxLength: 8 }), (parts) => {
      const raw = `</${parts.join('')}>`;
      expect(outcome(() => parseCloseTag(raw))).toBe(CLOSE.exec(raw)?.[1] ?? 'not-well-formed');
    }), { numRuns: 3000 });
  });

  it('knows the closing tag of an element at a glance', () => {
    fc.assert(fc.property(fc.array(piece, { maxLength: 4 }), fc.array(piece, { maxLength: 4 }), (a, b) => {
      expect(isCloseTagOf(`</${a.join('')}>`, b.join(''))).toBe(a.join('') === b.join(''));
    }));
  });
});
