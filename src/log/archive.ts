// A log as lines of JSON (docs/DURABILITY.md): what is in it can be read by anything, carried to another machine, and
// taken in again, more than once, for every record goes by the id it was given first.
import type { Imported } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { isSayable } from '../sayable.ts';
import { isLegal } from '../xml/text.ts';
import { validTopic } from './filter.ts';
import { replaces } from './item-names.ts';
import { LOG_LIMITS, MAX_ID_BYTES, PAGE_RECORDS } from './limits.ts';
import type { MaxBacklog } from './durable.ts';
import type { CursorInfo, Log } from './log.ts';
import { asRecordId } from './record-id.ts';
import type { Draft, LogRecord, Origin, RecordKind, RecordPayload, TopicSettings } from './record.ts';

/** Format 1 had no last line. */
const FORMAT = 2;
/** Registry rows that are no business of this machine alone, and no secrets. */
const ROWS: readonly string[] = ['trust/', 'policy/', 'access/'];
const AT_ONCE = 500;
/** Milliseconds to either side of 1970 that a date can be. */
const LATEST = 8.64e15;
/** Characters of whoever published it, and of a media type. */
const LONGEST_NAME = 4096;

interface Header { readonly lanpost: 'export'; readonly format: number; readonly box: string; readonly exported: number }
/** Of all lines before it. */
interface EndLine { readonly lanpost: 'end'; readonly lines: number }
interface TopicLine { readonly topic: string; readonly settings: TopicSettings }
interface RowLine { readonly row: string; readonly value: unknown }
interface ReaderLine { readonly reader: string; readonly filter: string; readonly extra?: unknown; readonly maxBacklog?: MaxBacklog | undefined }
interface RecordLine {
  readonly record: string;
  readonly previous?: number | undefined;
  readonly in: string;
  readonly kind: RecordKind;
  readonly time: number;
  readonly timeTrusted: boolean;
  readonly id?: string | undefined;
  readonly type?: string | undefined;
  /** The payload, if it is UTF-8; else `base64`. */
  readonly text?: string | undefined;
  readonly base64?: string | undefined;
  readonly publisher?: string | undefined;
  readonly expires?: number | undefined;
  readonly extra?: unknown;
  readonly config?: TopicSettings | undefined;
}

export type ArchiveLine = Header | EndLine | TopicLine | RowLine | ReaderLine | RecordLine;

/** Everything of the log but mail, mirrors and what is this machine's alone, oldest first. A durable reader stands where it was: before the first record that it had not passed. */
export async function* archived(log: Log, now: number): AsyncGenerator<ArchiveLine> {
  let lines = 0;
  for await (const line of contents(log, now)) {
    yield line;
    lines++;
  }
  yield { lanpost: 'end', lines };
}

async function* contents(log: Log, now: number): AsyncGenerator<ArchiveLine> {
  yield { lanpost: 'export', format: FORMAT, box: log.boxId, exported: now };
  for (const { name, settings, deleted } of log.topics()) if (!name.startsWith('$') && !deleted) yield { topic: name, settings };
  for (const prefix of ROWS) for (const [row, value] of log.registry.entries(prefix)) yield { row, value };
  const readers = [...log.cursors()].filter(({ name }) => name.startsWith('local:')).toSorted((a, b) => a.position - b.position);
  const all = await log.cursor({ name: 'export', filter: '#', from: 'kept', durable: false });
  try {
    for (let page = await all.next(PAGE_RECORDS); page.length > 0; page = await all.next(PAGE_RECORDS)) {
      for (const { record } of page) {
        all.done(record.seq);
        while (readers[0] && readers[0].position < record.seq) yield readerLine(readers.shift()!);
        if (record.kind !== 'gap') yield recordLine(record, log.predecessor(record));
      }
    }
    for (const reader of readers) yield readerLine(reader);
  } finally {
    await all.close();
  }
}

/** What this room does not know of topics. */
export interface TakeInParts {
  /** Throws when settings are none that a topic can have. */
  readonly checkSettings: (settings: TopicSettings) => void;
  /** Whether that can be kept of keys, classes and topics. */
  readonly isRow: (row: string, value: unknown) => boolean;
  /** The key of an item, where the topic has a key field. Throws when it has none. */
  readonly keyOf: (topic: string, pointer: string, payload: RecordPayload | undefined) => string;
}

/** Whether lines that begin so can be an export; throws. */
export function checkBeginning(first: { readonly number: number; readonly text: string } | undefined): void {
  if (!first) throw new LanpostError('invalid-value', 'It is empty: an export has at least its first line. Was the file written to its end?');
  const line = parse(first.text, first.number);
  if (!('lanpost' in line) || line.lanpost !== 'export') throw wrong(first.number, 'is not the beginning of an export');
}

/** Takes lines in. What is here already stays as it is. */
export async function takeIn(log: Log, lines: AsyncIterable<{ readonly number: number; readonly text: string }>, parts: TakeInParts): Promise<Imported> {
  const sum: { -readonly [K in Exclude<keyof Imported, 'ended'>]: Imported[K] } = { records: 0, repeated: 0, topics: 0, readers: 0 };
  let begun = false;
  let format = 1;
  /** Lines since the last first one, and whether the last one has come. */
  let count = 0;
  let ended = false;
  /** Up to where this very log has been in each of its epochs: what comes after that it never had. */
  const own = new Map(log.epochs.map(({ box, name }, i) => [`${box}-${name}`, (log.epochs[i + 1]?.from ?? log.head + 1) - 1]));
  const gaps = await log.gaps();
  let waiting: Promise<void>[] = [];
  const settle = async (): Promise<void> => {
    await Promise.all(waiting);
    waiting = [];
  };
  /** Settings as these lines leave them: what they say may not be on disk yet. */
  const settings = new Map<string, TopicSettings>();
  const settingsOf = (topic: string): TopicSettings => settings.get(topic) ?? log.topic(topic)?.settings ?? {};
  const checked = (topic: string, config: TopicSettings, number: number): void => {
    try {
      parts.checkSettings(config);
    } catch (cause) {
      if (!(cause instanceof LanpostError || cause instanceof TypeError)) throw cause;
      throw wrong(number, `has settings that no topic can have: ${cause.message}`, cause);
    }
    settings.set(topic, config);
  };
  /** Settings of topics that were deleted here: one comes back with the first record that was never here, and not as anybody's. */
  const deleted = new Map<string, TopicSettings>();
  const ownItems = new OwnItems(log);
  const append = async (draft: Draft): Promise<void> => {
    const { repeated } = await log.append(draft);
    if (repeated) sum.repeated++;
    else sum.records++;
  };
  for await (const { number, text } of lines) {
    if (!begun) checkBeginning({ number, text });
    begun = true;
    const line = parse(text, number);
    if (ended && !('lanpost' in line && line.lanpost === 'export')) throw wrong(number, 'comes after the end of the export');
    count++;
    if ('lanpost' in line && line.lanpost === 'end') {
      await settle();
      if (line.lines !== count - 1) throw wrong(number, `says that ${line.lines} lines come before it, and ${count - 1} did: the export is not whole; what there is of it was taken in`);
      ended = true;
    } else if ('lanpost' in line) {
      format = line.format;
      count = 1;
      ended = false;
      if (line.format > FORMAT) throw new LanpostError('format-too-new', `It was exported in format ${line.format}; this lanpost knows ${FORMAT}.`);
    } else if ('topic' in line) {
      if (line.topic.startsWith('$')) throw wrong(number, 'names a topic of the box itself');
      if (!isTopic(line.topic)) throw wrong(number, 'names no topic');
      const there = log.topic(line.topic);
      if (there?.deleted === false) continue;
      checked(line.topic, line.settings, number);
      if (there) {
        deleted.set(line.topic, line.settings);
        continue;
      }
      await log.append({ topic: line.topic, kind: 'configure', config: line.settings });
      sum.topics++;
    } else if ('row' in line) {
      if (!ROWS.some((prefix) => line.row.startsWith(prefix))) throw wrong(number, 'is a row that is not imported');
      if (!parts.isRow(line.row, line.value)) throw wrong(number, 'is no row as a box keeps it');
      if (log.registry.get(line.row) === undefined) await log.registry.set(line.row, line.value);
    } else if ('reader' in line) {
      await settle();
      if (log.hasCursor(line.reader)) continue;
      await (await log.cursor({ name: line.reader, filter: line.filter, from: 'new', durable: true, extra: line.extra, ...(line.maxBacklog && { maxBacklog: line.maxBacklog }) })).close();
      sum.readers++;
    } else {
      const draft = draftOf(line, number);
      const { box, epoch, seq } = draft.origin;
      // What this very log once held it holds still, or has let go of; unless it was lost.
      if (seq <= (own.get(`${box}-${epoch}`) ?? 0) && !gaps.some(({ from, to }) => from <= seq && seq <= to)) {
        sum.repeated++;
        continue;
      }
      const config = deleted.get(draft.topic);
      if (config && draft.kind !== 'delete' && !log.hasOrigin(draft.origin, draft.topic)) {
        deleted.delete(draft.topic);
        await log.append({ topic: draft.topic, kind: 'configure', config });
        sum.topics++;
      }
      const item = named(draft, settingsOf(draft.topic), parts);
      if (await ownItems.concerns(item, settingsOf(draft.topic).lane)) {
        sum.repeated++;
        continue;
      }
      if (draft.config) checked(draft.topic, draft.config, number);
      if (draft.kind === 'delete') settings.set(draft.topic, {});
      await log.roomy();
      const one = append(item);
      one.catch(() => undefined); // seen when all of them are waited for, which may be lines away
      waiting.push(one);
      if (waiting.length >= AT_ONCE) await settle();
    }
  }
  await settle();
  if (!begun) checkBeginning(undefined);
  if (!ended && format > 1) throw new LanpostError('invalid-value', `The export was cut off after ${count} lines: its last line is missing. What there is of it was taken in.`);
  return { ...sum, ended };
}

/** What this box itself accepted, in topics that the lines are about as well: it stays as it is. */
class OwnItems {
  readonly #log: Log;
  readonly #topics = new Map<string, boolean>();
  /** What was there before: its settings are its owner's, whether or not there is anything in it. */
  readonly #before: ReadonlySet<string>;

  constructor(log: Log) {
    this.#log = log;
    this.#before = new Set([...log.topics()].filter(({ deleted }) => !deleted).map(({ name }) => name));
  }

  /** Whether taking in that record would change, replace or remove such an item, or change a topic that was there before. */
  async concerns(draft: Draft, lane: unknown): Promise<boolean> {
    const { topic, kind } = draft;
    if ((kind === 'configure' || kind === 'delete') && this.#before.has(topic)) return true;
    let has = this.#topics.get(topic);
    if (has === undefined) {
      has = await this.#has(topic);
      this.#topics.set(topic, has);
    }
    if (!has) return false;
    if (kind !== 'publish' && kind !== 'retract') return true;
    const names = replaces(draft, lane);
    const items = names.length === 0 ? [] : await this.#log.items(topic, { ids: names });
    return items.some(({ origin }) => origin === undefined);
  }

  async #has(topic: string): Promise<boolean> {
    if (!this.#log.topic(topic)) return false;
    for (let after = 0; ;) {
      const page = await this.#log.items(topic, { after, limit: PAGE_RECORDS });
      if (page.some(({ origin }) => origin === undefined)) return true;
      const last = page.at(-1);
      if (!last) return false;
      after = last.seq;
    }
  }
}

/** By what it is found and replaced: the log takes it from the publisher, who is not here. */
function named(draft: Draft & { readonly origin: Origin }, { lane, key: pointer }: TopicSettings, { keyOf }: TakeInParts): Draft {
  const { topic, kind, id, payload, origin: { box, epoch, seq } } = draft;
  if (kind !== 'publish') return draft;
  // Without an id of its own it goes by the one of its record, here as there.
  const plain = id === undefined ? { ...draft, id: `${box}-${epoch}-${seq}` } : draft;
  if (lane !== 'latest') return plain;
  if (typeof pointer !== 'string') return draft;
  try {
    return { ...draft, key: keyOf(topic, pointer, payload) };
  } catch (error) {
    // It was there before the topic had a key field, and stays beside the others.
    if (error instanceof LanpostError) return plain;
    throw error;
  }
}

function readerLine({ name, filter, extra, maxBacklog }: Pick<CursorInfo, 'name' | 'filter' | 'extra' | 'maxBacklog'>): ReaderLine {
  return { reader: name, filter, ...(extra !== undefined && { extra }), ...(maxBacklog && { maxBacklog }) };
}

function recordLine(record: LogRecord, previous: number | undefined): RecordLine {
  const { recordId, topic, kind, id, payload, publisher, expires, extra, config, origin, stamp } = record;
  return {
    record: recordId, previous: origin ? origin.previous : previous, in: topic, kind, time: stamp.wall, timeTrusted: stamp.trusted,
    id, ...(payload && payloadFields(payload)), publisher, expires, extra, config,
  };
}

function payloadFields({ contentType: type, bytes }: RecordPayload): Pick<RecordLine, 'type' | 'text' | 'base64'> {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const text = buffer.toString();
  return Buffer.from(text).equals(buffer) ? { type, text } : { type, base64: buffer.toString('base64') };
}

const KINDS: ReadonlySet<string> = new Set(['publish', 'retract', 'purge', 'delete', 'configure']);

function draftOf(line: RecordLine, number: number): Draft & { readonly origin: Origin } {
  const origin = originOf(line);
  if (!origin || typeof line.in !== 'string' || line.in.startsWith('$') || !isTopic(line.in) || !KINDS.has(line.kind) || !fits(line)) throw wrong(number, 'is not a record');
  const { type, text, base64, id, publisher, expires, extra, config } = line;
  const bytes = text === undefined ? base64 === undefined ? undefined : Buffer.from(base64, 'base64') : Buffer.from(text);
  if (bytes && bytes.length > LOG_LIMITS.pendingBytes) throw wrong(number, 'is too large');
  return {
    topic: line.in, kind: line.kind, origin, stamp: { wall: line.time, trusted: line.timeTrusted },
    ...(type !== undefined && bytes && { payload: { contentType: type, bytes } }),
    ...(id !== undefined && { id }), ...(publisher !== undefined && { publisher }), ...(expires !== undefined && { expires }),
    ...(extra !== undefined && { extra }), ...(config && { config }),
  };
}

/** Whether each field is what it should be: a single one that is not would take all that is written with it along. */
function fits({ kind, time, timeTrusted, id, type, text, base64, publisher, expires, config }: RecordLine): boolean {
  return isTime(time) && typeof timeTrusted === 'boolean' && [type, text, base64, publisher, id].every((field) => field === undefined || typeof field === 'string')
    && (id === undefined ? kind !== 'retract' : id !== '' && Buffer.byteLength(id) <= MAX_ID_BYTES && isSayable(id))
    && [type, publisher].every((field) => field === undefined || (field.length <= LONGEST_NAME && isLegal(field)))
    && (expires === undefined || isTime(expires)) && (config === undefined ? kind !== 'configure' : kind === 'configure' && typeof config === 'object' && config !== null);
}

function isTime(ms: unknown): boolean {
  return typeof ms === 'number' && Math.abs(ms) <= LATEST;
}

function originOf({ record, previous }: RecordLine): Origin | undefined {
  const origin = asRecordId(record);
  if (!origin || !isPosition(origin.seq, 1) || !(previous === undefined || isPosition(previous, 0))) return undefined;
  return { ...origin, ...(previous !== undefined && { previous }) };
}

function isTopic(topic: string): boolean {
  return validTopic(topic) && isSayable(topic);
}

function isPosition(seq: number, least: number): boolean {
  return Number.isSafeInteger(seq) && seq >= least;
}

function parse(text: string, number: number): ArchiveLine {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch (cause) {
    throw new LanpostError('invalid-value', `line ${number} is not JSON`, { cause });
  }
  if (isLine(line)) return line;
  throw wrong(number, 'is nothing that is exported');
}

function isLine(line: unknown): line is ArchiveLine {
  if (typeof line !== 'object' || line === null) return false;
  if ('lanpost' in line && line.lanpost === 'end') return 'lines' in line && typeof line.lines === 'number';
  if ('lanpost' in line) return line.lanpost === 'export' && 'format' in line && typeof line.format === 'number';
  if ('topic' in line) return typeof line.topic === 'string' && 'settings' in line && typeof line.settings === 'object' && line.settings !== null;
  if ('row' in line) return typeof line.row === 'string' && 'value' in line;
  if ('reader' in line) return typeof line.reader === 'string' && /^local:[^\p{Cc}]{1,256}$/u.test(line.reader) && 'filter' in line && typeof line.filter === 'string' && (!('maxBacklog' in line) || isBacklog(line.maxBacklog));
  return 'record' in line && typeof line.record === 'string' && 'in' in line && 'kind' in line;
}

function isBacklog(bound: unknown): bound is MaxBacklog {
  return typeof bound === 'object' && bound !== null && Object.entries(bound).every(([name, most]) => ['records', 'bytes', 'age'].includes(name) && Number.isSafeInteger(most) && most > 0);
}

function wrong(number: number, what: string, cause?: unknown): LanpostError {
  return new LanpostError('invalid-value', `line ${number} ${what}`, { cause });
}
