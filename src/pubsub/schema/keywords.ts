// JSON Schema: what each keyword must be. The library that checks items takes a schema as it is given; so it is looked at first.
import type { Value } from '../../api.ts';

/** What stands behind a keyword. */
export type KeywordKind =
  | 'schema' | 'schemas' | 'map of schemas' | 'map of patterns' | 'schema or schemas' | 'map of schemas or texts'
  | 'type' | 'count' | 'number' | 'positive' | 'number or flag' | 'flag' | 'text' | 'pattern' | 'texts' | 'map of texts' | 'list' | 'any';

/** Drafts 7, 2019-09 and 2020-12. What is not here is a note, as the specification says (2020-12 core §4.3.1). */
export const KEYWORDS: ReadonlyMap<string, KeywordKind> = new Map<string, KeywordKind>([
  ...(['additionalItems', 'unevaluatedItems', 'contains', 'additionalProperties', 'unevaluatedProperties', 'propertyNames', 'not', 'if', 'then', 'else'] as const).map((name): [string, KeywordKind] => [name, 'schema']),
  ...(['prefixItems', 'allOf', 'anyOf', 'oneOf'] as const).map((name): [string, KeywordKind] => [name, 'schemas']),
  ...(['$defs', 'definitions', 'properties', 'dependentSchemas'] as const).map((name): [string, KeywordKind] => [name, 'map of schemas']),
  ...(['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties', 'minContains', 'maxContains'] as const).map((name): [string, KeywordKind] => [name, 'count']),
  ...(['title', 'description', '$comment', '$anchor', '$schema', '$id', '$ref', 'format', 'contentEncoding', 'contentMediaType'] as const).map((name): [string, KeywordKind] => [name, 'text']),
  ...(['minimum', 'maximum'] as const).map((name): [string, KeywordKind] => [name, 'number']),
  ...(['exclusiveMinimum', 'exclusiveMaximum'] as const).map((name): [string, KeywordKind] => [name, 'number']),
  ['patternProperties', 'map of patterns'], ['items', 'schema or schemas'], ['dependencies', 'map of schemas or texts'], ['multipleOf', 'positive'],
  ['type', 'type'], ['uniqueItems', 'flag'], ['pattern', 'pattern'], ['required', 'texts'], ['dependentRequired', 'map of texts'], ['enum', 'list'], ['const', 'any'],
]);

/** The library does not follow them, and to pass over them would let in what they exclude. */
export const NOT_FOLLOWED: ReadonlySet<string> = new Set(['$dynamicRef', '$dynamicAnchor', '$recursiveRef', '$recursiveAnchor', '$vocabulary']);

const TYPES = ['array', 'boolean', 'integer', 'null', 'number', 'object', 'string'];

export function isObject(value: Value | undefined): value is { readonly [key: string]: Value } {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

export function isList(value: Value | undefined): value is readonly Value[] {
  return Array.isArray(value);
}

const isCount = (value: Value): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
const isTexts = (value: Value | undefined): boolean => isList(value) && value.every((one) => typeof one === 'string');

/** What it should be, when it is not; schemas within are looked at by whoever asks. */
export function wrongKeyword(kind: KeywordKind, value: Value): string | undefined {
  switch (kind) {
    case 'schemas': return isList(value) && value.length > 0 ? undefined : 'a list of schemas';
    case 'map of schemas': case 'map of schemas or texts': return isObject(value) ? undefined : 'an object of schemas';
    case 'map of patterns': return isObject(value) ? Object.keys(value).map(wrongPattern).find((wrong) => wrong !== undefined) : 'an object of schemas';
    case 'type': {
      const types = isList(value) ? value : [value];
      return types.length > 0 && types.every((one) => typeof one === 'string' && TYPES.includes(one)) ? undefined : `one or some of ${TYPES.join(', ')}`;
    }
    case 'count': return isCount(value) ? undefined : 'a whole number of at least 0';
    case 'number': return typeof value === 'number' ? undefined : 'a number';
    case 'positive': return typeof value === 'number' && value > 0 ? undefined : 'a number above 0';
    case 'flag': return typeof value === 'boolean' ? undefined : 'true or false';
    case 'text': return typeof value === 'string' ? undefined : 'text';
    case 'pattern': return typeof value === 'string' ? wrongPattern(value) : 'a regular expression';
    case 'texts': return isTexts(value) ? undefined : 'a list of texts';
    case 'map of texts': return isObject(value) && Object.values(value).every(isTexts) ? undefined : 'an object of lists of texts';
    case 'list': return isList(value) ? undefined : 'a list';
    default: return undefined;
  }
}

function wrongPattern(pattern: string): string | undefined {
  try {
    return RegExp(pattern, 'u') ? undefined : '';
  } catch (error) {
    return `a regular expression: ${error instanceof Error ? error.message : String(error)}`;
  }
}
