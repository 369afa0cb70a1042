import { type FileEvent, LanpostError } from '../../index.ts';
import type { Command } from '../command.ts';
import { bytesInWords, timeInWords } from '../measure.ts';
import { commandIn } from '../hint.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';

const send: Command = {
  name: 'files send',
  takes: ['PEER', 'FILE'],
  summary: 'Send a file to a peer, and wait until it is there',
  options: { description: { type: 'string', value: 'TEXT', help: 'what the person who decides on it is told' } },
  notes: [
    'The other side has five minutes to accept it. Between boxes it goes encrypted and is checked at the end; to Pidgin',
    'and its like it goes in the clear, and it is only known that they took all of it. Ctrl-C ends the transfer.',
  ],
  examples: ['lanpost files send alice@laptop report.pdf', 'lanpost files send desk@pc backup.tar --description \'of tonight\''],
  async run({ args, out, signal, attach }) {
    const [peer = '', file = ''] = args.positionals;
    const description = args.text('description');
    const box = await attach();
    await follow(out, box.files.send(peer, file, { signal, ...(description === undefined ? {} : { description }) }));
  },
};

const list: Command = {
  name: 'files list',
  takes: [],
  summary: 'List the files that are offered or on their way',
  options: {},
  examples: ['lanpost files list'],
  async run({ out, attach }) {
    const box = await attach();
    await out.table(await box.files.list(), COLUMNS, 'no file is offered or on its way');
  },
};

const accept: Command = {
  name: 'files accept',
  takes: ['ID'],
  summary: 'Take a file that is offered, and wait until it is here',
  options: {},
  notes: ['It goes to files/PEER=KEY in the data directory, files/PEER without a key. Ctrl-C ends the waiting; `files decline` ends the transfer.'],
  examples: ['lanpost files accept 3f9a0c5b'],
  async run({ args, out, signal, attach }) {
    const [id = ''] = args.positionals;
    const box = await attach();
    await follow(out, box.files.accept(id, { signal }));
  },
};

const decline: Command = {
  name: 'files decline',
  takes: ['ID'],
  summary: 'Refuse a file that is offered, or end a transfer',
  options: {},
  examples: ['lanpost files decline 3f9a0c5b'],
  async run({ args, out, attach }) {
    const [id = ''] = args.positionals;
    const box = await attach();
    await box.files.decline(id);
    if (out.json) await out.print({ declined: id }, () => '');
  },
};

const watch: Command = {
  name: 'files watch',
  takes: [],
  summary: 'Print what becomes of all files, until Ctrl-C',
  options: {},
  examples: ['lanpost files watch --json'],
  async run({ out, signal, attach }) {
    const box = await attach();
    try {
      for await (const event of box.files.watch({ signal })) await out.print(event, () => inWords(out, event));
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  },
};

export const files: readonly Command[] = [send, list, accept, decline, watch];

const COLUMNS: Readonly<Record<string, (event: FileEvent) => string>> = {
  ID: (event) => event.id,
  STATE: (event) => (event.type === 'progress' ? percent(event) : event.type),
  DIRECTION: (event) => (event.direction === 'in' ? 'from' : 'to'),
  PEER: (event) => event.peer,
  TRUST: (event) => event.trust,
  SIZE: (event) => bytesInWords(event.size),
  UNTIL: (event) => (event.until === undefined ? '-' : timeInWords(event.until)),
  NAME: (event) => event.name,
  DESCRIPTION: (event) => event.description ?? '-',
};

/** One line for each step; progress only with `--json`, or on a terminal, where one line is written over. */
async function follow(out: Output, events: AsyncIterable<FileEvent>): Promise<void> {
  for await (const event of events) {
    if (event.type === 'failed') {
      if (out.json) await out.print(event, () => '');
      else if (out.terminal) await out.transient('');
      throw new LanpostError(event.code ?? 'disconnected', `${printable(event.name)} did not go over: ${printable(event.message ?? 'unknown')}`);
    }
    if (event.type !== 'progress' || out.json) await out.print(event, () => inWords(out, event));
    else if (out.terminal) await out.transient(inWords(out, event));
  }
}

const STYLES = { offered: 'cyan', accepted: 'yellow', progress: 'dim', done: 'green', failed: 'red' } as const;

/** For whoever runs the box, when somebody offers something. */
export function printOffer(out: Output, event: FileEvent, dir: string): Promise<void> {
  const { id, peer, name, size } = event;
  return out.print({ event: 'file', ...event }, () => `${out.style('cyan', 'file')}  ${printable(peer)} offers ${printable(name)} (${bytesInWords(size)}): ${commandIn(dir, `lanpost files accept ${id}`)}`);
}

function inWords(out: Output, event: FileEvent): string {
  const { type, direction, peer, name, size, id } = event;
  const more = type === 'progress' ? percent(event) : type === 'done' ? event.path ?? '' : type === 'failed' ? event.message ?? '' : '';
  const fields = [id, direction === 'in' ? 'from' : 'to', peer, name, bytesInWords(size), more].filter((field) => field !== '').map(printable);
  return [out.style(STYLES[type], type), ...fields].join(out.terminal ? '  ' : '\t');
}

function percent({ sent, size }: FileEvent): string {
  return `${size === 0 ? 100 : Math.floor((sent / size) * 100)} %`;
}
