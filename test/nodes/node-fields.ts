import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../support/root.ts';

const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { readonly 'node-red': { readonly nodes: Readonly<Record<string, string>> } };
/** As their files are called. */
export const NODES: readonly string[] = Object.keys(manifest['node-red'].nodes);
/** What is no field of the dialog: which box, what the dialog itself saves of its version, and the input that the editor draws before anything runs. */
const NO_FIELD = new Set(['name', 'box', 'configVersion', 'inputs']);
/** Rows of text. */
export const LISTS: Readonly<Record<string, readonly string[]>> = { homes: ['jid', 'topics', 'host', 'ca', 'pin'], fields: ['name', 'label', 'kind', 'options', 'required'] };

export function pageOf(name: string): string {
  return readFileSync(join(ROOT, 'nodes', `${name}.html`), 'utf8');
}

/** What the dialog of a node saves, by its own defaults. */
export function fieldsOf(name: string): string[] {
  const [, defaults = ''] = /\n {4}defaults: \{\n([^]*?)\n {4}\},/.exec(pageOf(name)) ?? [];
  return [...defaults.matchAll(/^ {6}(\w+): \{ value:/gm)].map(([, field = '']) => field).filter((field) => !NO_FIELD.has(field));
}

/** The same, with each field of a row: `homes.jid`. */
export function everyFieldOf(name: string): string[] {
  return fieldsOf(name).flatMap((field) => LISTS[field]?.map((one) => `${field}.${one}`) ?? [field]);
}
