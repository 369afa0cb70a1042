// What a command asks for and gives, as a data form (XEP-0004), and the values that stand for it.
import type { CommandField, Value } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { attr, children, type Element, isLegal, namespaceOf, xml } from '../xmpp/element.ts';
import { type Field, fieldElement, type FieldType, NS_DATA, readBoolean, type Submission } from './data-form.ts';

const TYPES: Readonly<Record<NonNullable<CommandField['kind']>, FieldType>> = { text: 'text-single', number: 'text-single', boolean: 'boolean', list: 'list-single' };
/** Fields that are read of a form, and lines of one. */
const [FIELDS, LINES] = [256, 256];

/** What is asked of whoever runs it. */
export function askingForm(title: string, fields: readonly CommandField[]): Element {
  return xml('x', { xmlns: NS_DATA, type: 'form' }, xml('title', {}, title), ...fields.map(({ name, label, kind = 'text', options = [], required = false }) => {
    const element = fieldElement({ name, type: TYPES[kind], values: [], options: options.map((value) => ({ value })), ...(label === undefined ? {} : { label }) });
    if (required) element.append(xml('required'));
    return element;
  }));
}

/** What was filled in, as one object; of fields that were not asked for, the text. Throws `invalid-value` with the field's name. */
export function filledValue(fields: readonly CommandField[], { values }: Submission): Value {
  const known = new Map(fields.map((field) => [field.name, field]));
  const filled = [...values].slice(0, FIELDS).flatMap(([name, texts]) => {
    const value = valueOf(known.get(name), texts);
    return value === undefined ? [] : [[name, value] as const];
  });
  const given = new Set(filled.map(([name]) => name));
  const missing = fields.find(({ name, required }) => required === true && !given.has(name));
  if (missing) throw new LanpostError('invalid-value', `the field ${missing.name} is missing`);
  return Object.fromEntries(filled);
}

function valueOf(field: CommandField | undefined, texts: readonly string[]): Value | undefined {
  const [text] = texts;
  if (text === undefined || (field && text === '')) return undefined;
  if (!field) return texts.length === 1 ? text : [...texts];
  const { name, kind = 'text', options = [] } = field;
  if (kind === 'text') return text;
  if (kind === 'list') {
    if (!options.includes(text)) throw new LanpostError('invalid-value', `the field ${name} is one of ${options.join(', ')}`);
    return text;
  }
  const value = kind === 'boolean' ? readBoolean(text) : Number(text);
  if (value === undefined || (typeof value === 'number' && (!Number.isFinite(value) || text.trim() === ''))) throw new LanpostError('invalid-value', `the field ${name} is no ${kind}`);
  return value;
}

/** A form of somebody else's, as it asks. */
export interface AskedForm {
  readonly fields: readonly { readonly name: string; readonly type: string; readonly required: boolean; readonly values: readonly string[] }[];
}

export function readAsked(parent: Element): AskedForm | undefined {
  const form = formOf(parent);
  if (!form || attr(form, 'type') !== 'form') return undefined;
  return { fields: fieldsOf(form).map((field) => ({ name: attr(field, 'var') ?? '', type: attr(field, 'type') ?? 'text-single', required: children(field).some((child) => child.name === 'required'), values: valuesOf(field) })).filter(({ name }) => name !== '') };
}

/** Fills it in with an object: fields that the object has, then what stands there already. Throws `invalid-value` for what is missing. */
export function filledForm({ fields }: AskedForm, value: Value): Element {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    throw new LanpostError('invalid-value', `the command asks for ${names(fields)}: give an object with these`);
  }
  const given = new Map<string, Value>(Object.entries(value));
  const unknown = [...given.keys()].find((name) => !fields.some((field) => field.name === name));
  if (unknown !== undefined) throw new LanpostError('invalid-value', `the command asks for ${names(fields)}, and not for ${unknown}`);
  return xml('x', { xmlns: NS_DATA, type: 'submit' }, ...fields.filter(({ type }) => type !== 'fixed').flatMap(({ name, type, required, values }) => {
    const own = given.get(name);
    const texts = own === undefined ? values : textsOf(own, type);
    if (texts.length === 0 && required) throw new LanpostError('invalid-value', `the command asks for ${name}`);
    const bad = texts.find((text) => !isLegal(text));
    if (bad !== undefined) throw new LanpostError('invalid-value', `${name} holds characters that XML cannot`);
    return texts.length === 0 ? [] : [fieldElement({ name, values: texts })];
  }));
}

function names(fields: AskedForm['fields']): string {
  return fields.filter(({ type }) => type !== 'hidden' && type !== 'fixed').map(({ name }) => name).join(', ') || 'nothing';
}

function textsOf(value: Value, type: string): string[] {
  if (type === 'text-multi' && typeof value === 'string') return value.split('\n');
  if (Array.isArray(value)) return value.map(textOf);
  return [textOf(value)];
}

function textOf(value: unknown): string {
  if (value === true || value === false) return value ? '1' : '0';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** An object of plain values as a form that clients show; undefined when it is not that, or too much for one. */
export function resultForm(value: Value): Element | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) return undefined;
  const entries = Object.entries(value);
  if (entries.length === 0 || entries.length > 64 || entries.some(([name, one]) => name === '' || !isLegal(name) || typeof one === 'object' || !isLegal(String(one)) || String(one).length > 1024)) return undefined;
  return xml('x', { xmlns: NS_DATA, type: 'result' }, ...entries.map(([name, one]): Element => fieldElement({ name, label: name, type: typeof one === 'boolean' ? 'boolean' : 'text-single', values: [textOf(one)] } satisfies Field)));
}

/** What a form says as an answer: an object of its fields, or a list of them (§3.4). */
export function readResult(parent: Element): Value | undefined {
  const form = formOf(parent);
  if (!form || attr(form, 'type') !== 'result') return undefined;
  const items = children(form).filter((child) => child.name === 'item').slice(0, LINES);
  return items.length > 0 ? items.map(objectOf) : objectOf(form);
}

function objectOf(parent: Element): Value {
  return Object.fromEntries(fieldsOf(parent).flatMap((field) => {
    const [name, type, values] = [attr(field, 'var'), attr(field, 'type'), valuesOf(field)];
    if (name === undefined || name === 'FORM_TYPE') return [];
    const [first = ''] = values;
    const single = type === 'boolean' ? readBoolean(first) ?? first : first;
    return [[name, values.length > 1 || type === 'text-multi' || type === 'list-multi' || type === 'jid-multi' ? values : single]];
  }));
}

function formOf(parent: Element): Element | undefined {
  return children(parent).find((child) => child.name === 'x' && namespaceOf(child) === NS_DATA);
}

function fieldsOf(parent: Element): Element[] {
  return children(parent).filter((child) => child.name === 'field').slice(0, FIELDS);
}

function valuesOf(field: Element): string[] {
  return children(field).filter((child) => child.name === 'value').slice(0, LINES).map((value) => value.getText());
}
