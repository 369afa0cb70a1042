// The JSON schema of a topic: looked at when it is set, for what the library would not say.
import type { Value } from '../../api.ts';
import { checkValue } from '../../payload/value.ts';
import { Refusal } from '../refusal.ts';
import { isList, isObject, KEYWORDS, NOT_FOLLOWED, wrongKeyword } from './keywords.ts';

/** Bytes of a schema as JSON. It is part of what is written of its topic with every batch of items. */
export const SCHEMA_BYTES: number = 16 * 1024;

export type Draft = '7' | '2019-09' | '2020-12';
const DRAFTS: readonly (readonly [RegExp, Draft])[] = [
  [/^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/, '2020-12'],
  [/^https?:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/, '2019-09'],
  [/^https?:\/\/json-schema\.org\/draft-0[67]\/schema#?$/, '7'],
];

export function draftOf(schema: Value): Draft {
  const named = isObject(schema) ? schema['$schema'] : undefined;
  if (named === undefined) return '2020-12';
  const draft = typeof named === 'string' ? DRAFTS.find(([form]) => form.test(named))?.[1] : undefined;
  return draft ?? refuse('/$schema', 'is none of drafts 6, 7, 2019-09 and 2020-12');
}

function refuse(path: string, what: string): never {
  throw new Refusal('invalid-config', `topic setting "schema": ${path === '' ? 'it' : path.slice(0, 200)} ${what}`);
}

/** A copy of it; or `invalid-value` that says what is wrong, and where. */
export function checkedSchema(schema: Value): Value {
  if (checkValue(schema).bytes || !isObject(schema)) refuse('', 'must be a JSON schema, an object');
  if (Buffer.byteLength(JSON.stringify(schema)) > SCHEMA_BYTES) refuse('', `must have at most ${SCHEMA_BYTES} bytes`);
  draftOf(schema);
  const places = new Map<string, Value>();
  const anchors = new Set<string>();
  const refs: [string, string][] = [];
  const visit = (at: Value, path: string): void => {
    places.set(path, at);
    if (typeof at === 'boolean') return;
    if (!isObject(at)) refuse(path, 'must be a schema: an object, true or false');
    for (const [name, value] of Object.entries(at)) {
      const here = `${path}/${escaped(name)}`;
      if (NOT_FOLLOWED.has(name)) refuse(here, 'is not followed here: use $ref');
      const kind = KEYWORDS.get(name);
      if (kind === undefined) continue;
      const wanted = wrongKeyword(kind, value);
      if (wanted !== undefined) refuse(here, `must be ${wanted}`);
      if (name === '$id' && path !== '') refuse(here, 'may stand only at the top');
      if (name === '$anchor' && typeof value === 'string') anchors.add(value);
      if (name === '$ref' && typeof value === 'string') refs.push([here, value]);
      for (const [key, inner] of within(kind, value)) visit(inner, here + key);
    }
  };
  visit(schema, '');
  for (const [here, ref] of refs) if (!leads(ref, places, anchors)) refuse(here, `"${ref.slice(0, 100)}" must be # and the way to a schema within this one`);
  return structuredClone(schema);
}

/** Schemas behind a keyword, each with its way from there. */
function within(kind: string, value: Value): [string, Value][] {
  switch (kind) {
    case 'schema': return [['', value]];
    case 'schema or schemas': return isList(value) ? listed(value) : [['', value]];
    case 'schemas': return isList(value) ? listed(value) : [];
    case 'map of schemas': case 'map of patterns': return isObject(value) ? named(value) : [];
    // `dependencies` of older drafts: what is a list names properties.
    case 'map of schemas or texts': return isObject(value) ? named(value).filter(([, one]) => !isList(one)) : [];
    default: return [];
  }
}

const listed = (value: readonly Value[]): [string, Value][] => value.map((one, at) => [`/${at}`, one]);
const named = (value: { readonly [key: string]: Value }): [string, Value][] => Object.entries(value).map(([key, one]) => [`/${escaped(key)}`, one]);

/** RFC 6901 §3 */
function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function leads(ref: string, places: ReadonlyMap<string, Value>, anchors: ReadonlySet<string>): boolean {
  if (!ref.startsWith('#')) return false;
  try {
    const way = decodeURIComponent(ref.slice(1));
    return places.has(way) || anchors.has(way);
  } catch {
    return false; // no percent-encoding of text
  }
}
