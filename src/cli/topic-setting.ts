// The settings of a topic as options of a command: made from the table, so that each has one place.
import { readFileSync } from 'node:fs';
import { TOPIC_FIELDS, type TopicConfig, type TopicField, type TopicSettings } from '../index.ts';
import { type Arguments, oneOf } from './arguments.ts';
import type { Option } from './option.ts';
import { parseSize, parseSpan, sizeAsTyped, spanAsTyped } from './quantity.ts';
import { UsageError } from './usage-error.ts';

/** What takes a setting back that is no text. */
const NONE = 'none';
const FLAGS = ['yes', 'no'] as const;
const VALUES: Readonly<Record<TopicField['kind'], string>> = { text: 'TEXT', texts: 'TEXT', choice: '', flag: 'yes|no', count: 'N', span: 'SPAN', size: 'SIZE', json: 'FILE' };

const FIELDS = Object.entries(TOPIC_FIELDS);

/** `maxItems` is `--max-items`. */
export function optionOf(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

export const SETTING_OPTIONS: Readonly<Record<string, Option>> = Object.fromEntries(FIELDS.map(([name, field]): [string, Option] => [optionOf(name), {
  type: 'string',
  oneOf: 'SETTING',
  value: field.kind === 'choice' ? field.choices.join('|') : VALUES[field.kind],
  help: field.help,
  ...field.kind === 'texts' ? { multiple: true } : {},
}]));

export const SETTING_NOTES: readonly string[] = [
  'An empty text takes a setting back, `none` one that is no text. A SPAN is such as 90s, 15min, 12h, 7d;',
  'a SIZE such as 64KiB or 10MB. Of several, as --tags, each may have an option of its own, or commas part them.',
];

/** The settings that the command line names. */
export function settingsIn(args: Arguments): TopicSettings {
  const named: Record<string, unknown> = {};
  for (const [name, field] of FIELDS) {
    const option = optionOf(name);
    const [given, list] = [args.text(option), args.list(option)];
    if (given !== undefined) named[name] = parsed(`--${option}`, field, given);
    if (list !== undefined) named[name] = list.flatMap((one) => one.split(',')).map((one) => one.trim()).filter((one) => one !== '');
  }
  return named;
}

function parsed(what: string, field: TopicField, given: string): unknown {
  if (field.kind === 'text') return given;
  if (given === NONE && !(field.kind === 'choice' && field.choices.includes(NONE))) return null;
  switch (field.kind) {
    case 'choice': return oneOf(what, given, field.choices);
    case 'flag': return oneOf(what, given, FLAGS) === 'yes';
    case 'span': return parseSpan(what, given);
    case 'size': return parseSize(what, given);
    case 'json': return parsedFile(what, given);
    default: {
      if (!/^\d+$/.test(given)) throw new UsageError(`${what} takes a whole number, not "${given}"`);
      return Number(given);
    }
  }
}

function parsedFile(what: string, path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch (error) {
    throw new UsageError(`${what}: ${path} cannot be read as JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** The settings that are there, as they are typed. */
export function settingLines(config: TopicConfig): [string, string][] {
  const values = new Map<string, unknown>(Object.entries(config));
  return FIELDS.flatMap(([name, field]): [string, string][] => {
    const value = values.get(name);
    return value === undefined || (Array.isArray(value) && value.length === 0) ? [] : [[optionOf(name), inWords(field, value)]];
  });
}

/** Those that were named, as they are now. */
export function namedLines(config: TopicConfig, named: TopicSettings): [string, string][] {
  const lines = new Map(settingLines(config));
  return Object.keys(named).map((name) => [optionOf(name), lines.get(optionOf(name)) ?? '-']);
}

function inWords({ kind }: TopicField, value: unknown): string {
  if (typeof value === 'number') return kind === 'span' ? spanAsTyped(value) : kind === 'size' ? sizeAsTyped(value) : String(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
