import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { stdin } from 'node:process';
import { exportBox, importBox, repairBox } from '../../index.ts';
import type { Command } from '../command.ts';
import { lines } from '../lines.ts';
import { printable } from '../printable.ts';

const STOPPED = 'The box must not run: one that does is `locked`.';

const exporting: Command = {
  name: 'export',
  takes: ['FILE'],
  summary: 'Write what a stopped box holds to FILE, or with - to standard output',
  options: {},
  notes: [
    'Lines of JSON: topics with their settings, items with their record ids and stamps, durable readers, grants. No keys,',
    `no passwords, no mail, no readers of homes and peers. FILE must not be there yet. ${STOPPED}`,
  ],
  examples: ['lanpost export backup.jsonl', 'lanpost export - --dir /var/lib/lanpost | gzip > backup.jsonl.gz'],
  async run({ args, out, dir, signal }) {
    const [path = '-'] = args.positionals;
    const file = path === '-' ? undefined : await open(path, 'wx', 0o600);
    try {
      let count = 0;
      for await (const line of exportBox({ dir })) {
        signal.throwIfAborted();
        if (file) await file.appendFile(`${line}\n`);
        else await out.line(line);
        count++;
      }
      if (!file) return;
      await file.sync();
      await out.print({ lines: count, file: path }, () => `${count} lines are in ${path}`);
    } finally {
      await file?.close();
    }
  },
};

const importing: Command = {
  name: 'import',
  takes: ['FILE'],
  summary: 'Take an export, a FILE or with - standard input, into a stopped box',
  options: {},
  notes: [
    'DIR may be a box or not be there yet. What is there already stays as it is; importing the same twice changes nothing.',
    STOPPED,
  ],
  examples: ['lanpost import backup.jsonl --dir /var/lib/lanpost', 'zcat backup.jsonl.gz | lanpost import -'],
  async run({ args, out, dir }) {
    const [path = '-'] = args.positionals;
    const done = await importBox({ dir }, lines(path === '-' ? stdin : createReadStream(path)));
    await out.print(done, () => `records taken in: ${done.records}, here already: ${done.repeated}; topics made: ${done.topics}; durable readers made: ${done.readers}`);
  },
};

const repairing: Command = {
  name: 'repair',
  takes: [],
  summary: 'Read the files of a stopped box, keep what is whole, tell what is lost',
  options: {},
  notes: [
    'A box does so by itself when it meets damage. What is lost is a gap for whoever had yet to read it. Files that were',
    `damaged are kept in DIR/log/lost. Exit code 1 when something is lost. ${STOPPED}`,
  ],
  examples: ['lanpost repair', 'lanpost repair --dir /var/lib/lanpost --json'],
  async run({ out, dir }) {
    let lost = false;
    let found = 0;
    for await (const trouble of repairBox({ dir })) {
      lost ||= trouble.kind === 'log.gap' || trouble.kind === 'log.nameless';
      found++;
      await out.print(trouble, () => printable(trouble.message));
    }
    if (!lost && !out.json) await out.line(found === 0 ? 'Everything is whole.' : 'Nothing is lost.');
    return lost ? 1 : 0;
  },
};

export const archive: readonly Command[] = [exporting, importing, repairing];

