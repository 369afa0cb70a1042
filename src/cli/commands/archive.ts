import { constants, createReadStream, fstatSync, openSync } from 'node:fs';
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { dirname } from 'node:path';
import { stdin } from 'node:process';
import type { Readable } from 'node:stream';
import { exportBox, importBox, repairBox, type Trouble } from '../../index.ts';
import { syncFolder } from '../../sync-folder.ts';
import type { Command } from '../command.ts';
import { aborted } from '../interruption.ts';
import { lines } from '../lines.ts';
import { BrokenPipe } from '../output.ts';
import { printable } from '../printable.ts';
import { unreadable, UsageError } from '../usage-error.ts';

const STOPPED = 'The box must not run: one that does is `locked`.';

const EXIT_CODE = 'Damage that is met is repaired and told on standard error; exit code 1 when something is lost by it.';

const isLoss = ({ kind }: Trouble): boolean => kind === 'log.gap' || kind === 'log.nameless';

/** Damage that is met while a box is opened: who asked for something else is told on the side. */
function onTheSide(note: (text: string) => Promise<void>): { readonly trouble: (trouble: Trouble) => void; readonly code: () => 1 | undefined } {
  let lost = false;
  return {
    trouble: (one) => {
      lost ||= isLoss(one);
      void note(printable(one.message));
    },
    code: () => (lost ? 1 : undefined),
  };
}

const exporting: Command = {
  name: 'export',
  takes: ['FILE'],
  summary: 'Write what a stopped box holds to FILE, or with - to standard output',
  options: {},
  notes: [
    'Lines of JSON: topics with their settings, items with their record ids and stamps, durable readers, grants of peers.',
    'Nothing else: no key, no homes, no mail, no devices, no ledger, and nothing outside the log, as received files and',
    'flows (docs/DURABILITY.md). A full backup is a copy of DIR while the box is stopped. FILE must not be there yet; until',
    'it is whole it is FILE.part.',
    EXIT_CODE, STOPPED,
  ],
  examples: ['lanpost export backup.jsonl', 'lanpost export - --dir /var/lib/lanpost | gzip > backup.jsonl.gz'],
  async run({ args, out, dir, signal, note }) {
    const [path = '-'] = args.positionals;
    const { trouble, code } = onTheSide(note);
    if (path === '-') {
      try {
        for await (const line of exportBox({ dir, trouble })) {
          signal.throwIfAborted();
          await out.line(line);
        }
      } catch (cause) {
        // Of other output whoever reads takes what is wanted; a part of a backup is none.
        throw cause instanceof BrokenPipe ? new Error('nobody reads the export any more: it is not whole', { cause }) : cause;
      }
      return code();
    }
    if (await stat(path).then(() => true, () => false)) throw new UsageError(`${path} is there already: name another file, or take it away first`);
    // What has the name is whole.
    const part = `${path}.part`;
    let file: FileHandle | undefined;
    try {
      let count = 0;
      // The box first: one that runs leaves no file behind.
      for await (const line of exportBox({ dir, trouble })) {
        signal.throwIfAborted();
        // One that was begun before may be another's, or lead elsewhere.
        if (!file) await rm(part, { force: true });
        file ??= await open(part, 'wx', 0o600);
        await file.appendFile(`${line}\n`);
        count++;
      }
      await file?.sync();
      await file?.close();
      await rename(part, path);
      file = undefined;
      // Its name is on disk only with the folder.
      await syncFolder(dirname(path));
      await out.print({ lines: count, file: path }, () => `${count} lines are in ${path}`);
      return code();
    } finally {
      if (file) {
        await file.close();
        await rm(part, { force: true });
      }
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
    EXIT_CODE, STOPPED,
  ],
  examples: ['lanpost import backup.jsonl --dir /var/lib/lanpost', 'zcat backup.jsonl.gz | lanpost import -'],
  async run({ args, out, dir, signal, note }) {
    const [path = '-'] = args.positionals;
    const { trouble, code } = onTheSide(note);
    signal.throwIfAborted();
    const file = path === '-' ? stdin : opened(path);
    file.on('error', () => undefined); // it may come before anybody reads, and whoever reads is told
    signal.addEventListener('abort', () => file.destroy(signal.reason instanceof Error ? signal.reason : undefined), { once: true });
    const done = await importBox({ dir, trouble }, lines(file));
    await out.print(done, () => `records taken in: ${done.records}, here already: ${done.repeated}; topics made: ${done.topics}; durable readers made: ${done.readers}`);
    if (!done.ended) await note('an export of format 1 does not tell where it ends: whether this one was whole is not known');
    return code();
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
  async run({ out, dir, signal }) {
    let lost = false;
    let found = 0;
    // Most is found once all there is has been read. Cut short it is what a power cut makes of it: the next goes on.
    for await (const trouble of interruptible(repairBox({ dir }), signal)) {
      lost ||= isLoss(trouble);
      found++;
      await out.print(trouble, () => printable(trouble.message));
    }
    if (!lost && !out.json) await out.line(found === 0 ? 'Everything is whole.' : 'Nothing is lost.');
    return lost ? 1 : 0;
  },
};

/** A pipe to which nobody writes is waited for as sockets are: a thread that waits for it could not even be ended with the process. */
function opened(path: string): Readable {
  try {
    const fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    return fstatSync(fd).isFIFO() ? new Socket({ fd, readable: true, writable: false }) : createReadStream(path, { fd });
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function* interruptible<T>(all: AsyncGenerator<T>, signal: AbortSignal): AsyncGenerator<T> {
  const ended = aborted(signal);
  for (;;) {
    const step = await Promise.race([all.next(), ended]);
    signal.throwIfAborted();
    if (!step || step.done) return;
    yield step.value;
  }
}

export const archive: readonly Command[] = [exporting, importing, repairing];

