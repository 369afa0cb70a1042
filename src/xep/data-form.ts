// XEP-0004: Data Forms, version 2.13.2, as far as protocols use them among themselves (XEP-0068): questions with
// answers that are there already, and answers.
import { attr, children, type Element, namespaceOf, xml } from '../xml/element.ts';

export const NS_DATA = 'jabber:x:data';

export type FieldType = 'boolean' | 'fixed' | 'hidden' | 'jid-multi' | 'jid-single' | 'list-multi' | 'list-single' | 'text-multi' | 'text-private' | 'text-single';

export interface Field {
  readonly name: string;
  /** Left out of an answer (§3.3). */
  readonly type?: FieldType;
  readonly label?: string;
  readonly values: readonly string[];
  readonly options?: readonly { readonly value: string; readonly label?: string }[];
}

/** What was filled in: values by name. */
export interface Submission {
  /** XEP-0068: what it is about; absent when it does not say. */
  readonly about?: string;
  readonly cancelled: boolean;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

/** `about` is the form's FORM_TYPE. */
export function formElement(type: 'form' | 'result' | 'submit', about: string, fields: readonly Field[], title?: string): Element {
  return xml('x', { xmlns: NS_DATA, type },
    title === undefined ? undefined : xml('title', {}, title),
    fieldElement({ name: 'FORM_TYPE', type: 'hidden', values: [about] }),
    ...fields.map((field) => fieldElement(type === 'submit' ? { name: field.name, values: field.values } : field)),
  );
}

export function fieldElement({ name, type, label, values, options = [] }: Field): Element {
  return xml('field', { var: name, type, label },
    ...options.map((option) => xml('option', { label: option.label }, xml('value', {}, option.value))),
    ...values.map((value) => xml('value', {}, value)),
  );
}

/** The form within that element, read; undefined when there is none that is filled in, or given up. */
export function readForm(parent: Element): Submission | undefined {
  const form = children(parent).find((child) => child.name === 'x' && namespaceOf(child) === NS_DATA);
  const type = form && attr(form, 'type');
  if (!form || (type !== 'submit' && type !== 'cancel')) return undefined;
  const fields = children(form).filter((child) => child.name === 'field');
  const values = new Map(fields.flatMap((field) => {
    const name = attr(field, 'var');
    return name === undefined ? [] : [[name, children(field).filter((child) => child.name === 'value').map((value) => value.getText())] as const];
  }));
  const [about] = values.get('FORM_TYPE') ?? [];
  values.delete('FORM_TYPE');
  return { cancelled: type === 'cancel', values, ...(about === undefined ? {} : { about }) };
}

/** §3.3, XML Schema's boolean; undefined for anything else. */
export function readBoolean(text: string | undefined): boolean | undefined {
  if (text === '1' || text === 'true') return true;
  return text === '0' || text === 'false' ? false : undefined;
}
