import { describe, expect, it } from 'vitest';
import type { Value } from '../../../src/api.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { checkedSchema, draftOf, SCHEMA_BYTES } from '../../../src/pubsub/schema/schema.ts';
import { type JsonSchema, Schemas } from '../../../src/pubsub/schema/schemas.ts';

const schemas = new Schemas();
const READING: JsonSchema = {
  type: 'object', required: ['reading'], additionalProperties: false,
  properties: { reading: { type: 'object', properties: { temp: { type: 'number', minimum: -50 }, 'a/b': { enum: ['x', 'y'] } } }, list: { items: { $ref: '#/$defs/name' } } },
  $defs: { name: { type: 'string', pattern: '^[a-z]+$' } },
};

async function fault(schema: JsonSchema, value: Value, contentType?: string): Promise<string | undefined> {
  await schemas.load();
  checkedSchema(schema);
  return schemas.fault(schema, toPayload(value, contentType));
}

describe('a schema', () => {
  const deep = Array.from({ length: 70 }).reduce<Value>((at) => ({ not: at }), {});
  const round: { [key: string]: Value } = {};
  round['not'] = round;
  it.each<[string, unknown, string]>([
    ['a list', [], 'must be a JSON schema'], ['true', true, 'must be a JSON schema'], ['bytes', { const: Uint8Array.of(1) }, 'must be a JSON schema'],
    ['a type that is none', { properties: { a: { type: 'float' } } }, '/properties/a/type must be one or some of array'],
    ['a count that is none', { minLength: -1 }, '/minLength must be a whole number'], ['a number as schema', { properties: { 'a/b': 1 } }, '/properties/a~1b must be a schema'],
    ['a pattern that is none', { pattern: '(' }, '/pattern must be a regular expression: Invalid'], ['a key that is no pattern', { patternProperties: { '[': true } }, '/patternProperties must be a regular expression'],
    ['no forms', { anyOf: [] }, '/anyOf must be a list of schemas'], ['required as a flag', { required: true }, '/required must be a list of texts'],
    ['a reference elsewhere', { $ref: 'https://example.org/s.json' }, '/$ref "https://example.org/s.json" must be #'], ['a reference to a file', { items: { $ref: 'other.json#/a' } }, '/items/$ref'],
    ['a reference to nothing', { $ref: '#/$defs/none' }, '/$ref "#/$defs/none"'], ['a reference to no schema', { $ref: '#/required', required: ['a'] }, '/$ref'], ['a broken reference', { $ref: '#%' }, '/$ref'],
    ['a base within', { properties: { a: { $id: 'x' } } }, '/properties/a/$id may stand only at the top'], ['what is not followed', { $dynamicRef: '#x' }, '/$dynamicRef is not followed'],
    ['another draft', { $schema: 'http://json-schema.org/draft-03/schema#' }, '/$schema is none of drafts'], ['too much', { description: 'x'.repeat(SCHEMA_BYTES) }, 'at most'],
    ['too deep', deep, 'more than 64 deep'], ['round', round, 'more than 64 deep'], ['a division by nothing', { multipleOf: 0 }, '/multipleOf must be a number above 0'],
  ])('that is or has %s is refused, saying where', (_name, schema, words) => {
    expect(() => checkedSchema(schema as Value)).toThrow(expect.objectContaining({ code: 'invalid-value', message: expect.stringContaining(words) }));
  });

  it('of drafts 7, 2019-09 and 2020-12 is taken, with notes of any name', () => {
    expect(draftOf({})).toBe('2020-12');
    expect(draftOf({ $schema: 'http://json-schema.org/draft-07/schema#' })).toBe('7');
    expect(draftOf({ $schema: 'https://json-schema.org/draft/2019-09/schema' })).toBe('2019-09');
    for (const schema of [{}, { 'x-unit': 'K', unit: { type: 1 } }, { items: [{ type: 'string' }] }, { dependencies: { a: ['b'], c: { required: ['d'] } } }, { $anchor: 'a', not: { $ref: '#a' } }, { $defs: { 'a/b': {} }, $ref: '#/$defs/a~1b' }]) {
      expect(() => checkedSchema(schema)).not.toThrow();
    }
  });

  it('is kept as it was, whatever becomes of what it was made from', () => {
    const given = { type: 'object', properties: { a: {} } };
    const kept = checkedSchema(given);
    Reflect.deleteProperty(given.properties, 'a');
    expect(kept).toEqual({ type: 'object', properties: { a: {} } });
  });
});

describe('an item', () => {
  it.each<[Value, string | undefined]>([
    [{ reading: { temp: 21.5 } }, undefined], [{ reading: {}, list: ['a', 'b'] }, undefined],
    [{ reading: { temp: 'warm' } }, '/reading/temp must be number'], [{}, 'it must have "reading"'], [{ reading: {}, other: 1 }, '/other is not allowed'],
    [{ reading: { temp: -51 } }, '/reading/temp does not fit: '], [{ reading: { 'a/b': 'z' } }, '/reading/a~1b does not fit: '], [{ reading: {}, list: ['a', 'B'] }, '/list/1 does not fit: '],
    [[], 'it must be object'], ['text', 'it must be object'], [{ __proto__: null, reading: 1 }, '/reading must be object'],
  ])('%j: %s', async (value, words) => {
    const found = await fault(READING, value);
    expect(found?.startsWith(words ?? '') ?? words === undefined).toBe(true);
  });

  it('that fits none of several forms is told of the choice, not of one of them', async () => {
    expect(await fault({ anyOf: [{ type: 'string' }, { type: 'object' }] }, 1)).toBe('it must be one of the forms that the schema names');
    expect(await fault({ properties: { a: { type: ['string', 'null'] } } }, { a: 1 })).toBe('/a must be string or null');
  });

  it('of a media type of which a schema says nothing is refused; text is a string', async () => {
    expect(await fault({}, '<a xmlns="urn:a"/>', 'application/xml')).toContain('application/xml is nothing');
    expect(await fault({}, Uint8Array.of(1))).toContain('application/octet-stream is nothing');
    expect(await fault({}, { a: Uint8Array.of(1) })).toContain('bytes within it');
    expect(await fault({ type: 'string' }, 'x')).toBeUndefined();
    expect(await fault({ type: 'object' }, { a: 1 }, 'application/cbor')).toBeUndefined();
    expect(schemas.fault({}, { contentType: 'application/json', bytes: Buffer.from('{') })).toContain('its bytes are not application/json');
  });

  it('made to keep a pattern busy for ever is refused in time, and the next one is checked', async () => {
    const evil: JsonSchema = { type: 'string', pattern: '^(a+)+$' };
    expect(await fault(evil, `${'a'.repeat(60)}b`)).toMatch(/^cannot be checked within \d+ ms$/);
    expect(await fault(evil, 'aaa')).toBeUndefined();
    expect(await fault({ uniqueItems: true }, Array.from({ length: 30_000 }, (_, i) => ({ i })))).toMatch(/^cannot be checked within/);
  });

  it('of a schema that goes round in itself is never asked for: such a schema is refused', async () => {
    for (const schema of [{ $ref: '#' }, { allOf: [{ $ref: '#/$defs/a' }], $defs: { a: { not: { $ref: '#/$defs/a' } } } }]) {
      await expect(schemas.admit(schema)).rejects.toMatchObject({ code: 'invalid-value', message: expect.stringContaining('goes round in itself') });
    }
    // One that does so only with what it is in is no circle.
    const tree: JsonSchema = { type: 'object', properties: { left: { $ref: '#' } } };
    await schemas.admit(tree);
    expect(await fault(tree, { left: { left: { left: 1 } } })).toBe('/left/left/left must be object');
  });

  it('of a schema whose forms multiply with the depth is refused in time', async () => {
    const both: JsonSchema = { properties: { x: { anyOf: [{ $ref: '#' }, { $ref: '#' }] } }, not: { const: 1 } };
    const value = Array.from({ length: 50 }).reduce<Value>((at) => ({ x: at }), 1);
    expect(await fault(both, value)).toMatch(/cannot be checked within/);
  });
});
