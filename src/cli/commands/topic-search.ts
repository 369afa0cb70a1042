import { readFile } from 'node:fs/promises';
import { stdin } from 'node:process';
import type { ClassifyOptions, PeerTopic, TopicCandidate, TopicInfo, Value } from '../../index.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import { isWritten, parseValue } from '../value-argument.ts';
import { unreadable, UsageError } from '../usage-error.ts';

const LIMIT = { type: 'string', value: 'N', help: 'at most so many, 1 to 1000 (default 100)' } as const;
const FILTER = { type: 'string', value: 'FILTER', help: 'only of the topics that match' } as const;
/** Bytes of a file that could be an item. */
const LARGEST = 16 * 1024 * 1024;

export const find: Command = {
  name: 'topic find',
  takes: ['[WORDS]'],
  summary: 'Find topics by words in their name, title, description or tags, and by what is said of them',
  options: {
    type: { type: 'string', value: 'TEXT', help: 'with this type' },
    'content-type': { type: 'string', value: 'TYPE', help: 'with items of this media type; image/* is any image' },
    tag: { type: 'string', value: 'TEXT', multiple: true, help: 'with this tag' },
    filter: FILTER,
    limit: LIMIT,
    at: { type: 'string', value: 'PEER', help: 'at this box on the link, of what it lets this one read; at most 100' },
  },
  notes: ['What fits all that is given is listed, first what is called so.'],
  examples: ['lanpost topic find attic', 'lanpost topic find --at lanpost-7f3a@kitchen', 'lanpost topic find --tag temperature --content-type application/senml+json'],
  async run({ args, out, attach }) {
    const [text] = args.positionals;
    const type = args.text('type');
    const query = { ...text === undefined ? {} : { text }, ...type === undefined ? {} : { type }, ...options(args) };
    const at = args.text('at');
    const box = await attach();
    if (at !== undefined) return out.table(await box.peers.topics(at, query), AT_PEER, 'nothing fits that this box may read there');
    await out.table(await box.topics.search(query), COLUMNS, 'nothing fits');
  },
};

export const classify: Command = {
  name: 'topic classify',
  takes: ['FILE'],
  summary: 'Say which topics could hold what is in FILE, or with - on standard input',
  options: {
    'content-type': { type: 'string', value: 'TYPE', help: 'its media type; default that of JSON, of text, or of bytes' },
    tag: { type: 'string', value: 'TEXT', multiple: true, help: 'a tag that it would have' },
    filter: FILTER,
    limit: LIMIT,
  },
  notes: ['Listed is each topic whose schema, media type, type or tags speak for it, and what does, best first.'],
  examples: ['lanpost topic classify reading.json', 'lanpost topic classify - --content-type application/senml+json --tag hall'],
  async run({ args, out, signal, attach }) {
    const [file = ''] = args.positionals;
    const how: ClassifyOptions = options(args);
    const value = valueOf(await read(file, signal), how.contentType);
    const box = await attach();
    await out.table(await box.topics.classify(value, how), REASONS, 'no topic speaks for it');
  },
};

function options(args: Arguments): ClassifyOptions {
  const [contentType, tags, filter, limit] = [args.text('content-type'), args.list('tag'), args.text('filter'), args.number('limit', { least: 1, most: 1000 })];
  return { ...contentType === undefined ? {} : { contentType }, ...tags === undefined ? {} : { tags }, ...filter === undefined ? {} : { filter }, ...limit === undefined ? {} : { limit } };
}

async function read(file: string, signal: AbortSignal): Promise<Buffer> {
  if (file === '-') {
    const chunks: Uint8Array[] = [];
    let size = 0;
    signal.addEventListener('abort', () => stdin.destroy(), { once: true });
    const input: AsyncIterable<Uint8Array> = stdin;
    for await (const bytes of input) {
      chunks.push(bytes);
      size += bytes.length;
      if (size > LARGEST) throw new UsageError(`no item is larger than ${LARGEST} bytes`);
    }
    return Buffer.concat(chunks);
  }
  try {
    return await readFile(file);
  } catch (error) {
    throw unreadable(file, error);
  }
}

/** Text where it is text, JSON where it is JSON; else bytes. */
function valueOf(bytes: Buffer, contentType: string | undefined): Value {
  if (contentType !== undefined && /[/+]cbor\s*(?:;|$)/i.test(contentType)) return bytes;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
    return contentType !== undefined && isWritten(contentType) ? text : parseValue(text);
  } catch {
    return bytes; // no text
  }
}

const COLUMNS: Readonly<Record<string, (info: TopicInfo) => string>> = {
  TOPIC: (info) => info.name,
  ITEMS: (info) => String(info.items),
  'CONTENT TYPE': (info) => info.contentType ?? '-',
  TAGS: (info) => info.tags.join(', ') || '-',
  TITLE: (info) => info.title ?? '-',
};

const AT_PEER: Readonly<Record<string, (topic: PeerTopic) => string>> = {
  TOPIC: ({ name }) => name,
  'CONTENT TYPE': ({ contentType }) => contentType ?? '-',
  TAGS: ({ tags }) => tags.join(', ') || '-',
  TITLE: ({ title }) => title ?? '-',
};

const REASONS: Readonly<Record<string, (candidate: TopicCandidate) => string>> = {
  TOPIC: ({ topic }) => topic.name,
  BECAUSE: ({ reasons }) => reasons.map(inWords).join(', '),
  TITLE: ({ topic }) => topic.title ?? '-',
};

function inWords(reason: TopicCandidate['reasons'][number]): string {
  switch (reason.kind) {
    case 'schema': return 'it fits the schema';
    case 'type': return `its namespace is the topic's type`;
    case 'contentType': return `it is ${reason.value}`;
    default: return `tag ${reason.value}`;
  }
}
