import type { Imported, Trouble } from './api.ts';
import { late } from './late.ts';

const stopped = (): Promise<typeof import('./stopped-box.ts')> => late('The log', () => import('./stopped-box.ts'));

/** Which box, and who is told of damage that is met, and repaired, as it is opened. */
interface StoppedOptions {
  readonly dir: string;
  readonly trouble?: (trouble: Trouble) => void;
}

/**
 * Reads every file of a box that does not run, keeps what is whole, and puts right what does not fit together. Yields
 * what it finds, as it finds it; nothing when all is well.
 * @example
 * for await (const { message } of repairBox({ dir: '.lanpost' })) console.log(message);
 */
export async function* repairBox(options: { readonly dir: string }): AsyncGenerator<Trouble> {
  const { openStopped } = await stopped();
  const found: Trouble[] = [];
  let wake: (() => void) | undefined;
  const trouble = (one: Trouble): void => {
    found.push(one);
    wake?.();
  };
  const repaired = openStopped(options.dir, { mend: true, trouble }).then(({ close }) => close());
  const done = repaired.then(() => true, () => true);
  try {
    // Not only at the end: what was found counts as told from then on, also when this is cut off or fails.
    for (let over = false; !over;) {
      const more = new Promise<boolean>((resolve) => { wake = () => resolve(false); });
      over = found.length === 0 && await Promise.race([done, more]);
      yield* found.splice(0);
    }
  } finally {
    await repaired;
  }
}

/**
 * What a box that does not run holds, as lines of JSON: topics, items with their record ids and stamps, durable readers,
 * what peers may do. Not all of a box: `docs/DURABILITY.md` says what is left out, and has the format.
 * @example
 * for await (const line of exportBox({ dir: '.lanpost' })) file.write(`${line}\n`);
 */
export async function* exportBox(options: StoppedOptions): AsyncGenerator<string> {
  const { archived, openStopped } = await stopped();
  const { log, close } = await openStopped(options.dir, { trouble: options.trouble });
  try {
    for await (const line of archived(log, Date.now())) yield JSON.stringify(line);
  } finally {
    await close();
  }
}

/**
 * Takes in what `exportBox` gave, into a box that does not run or a directory that is not one yet. What it has
 * already stays: taking the same in twice changes nothing.
 * @example
 * const { records } = await importBox({ dir: '.lanpost' }, lines);
 */
export async function importBox(options: StoppedOptions, lines: AsyncIterable<{ readonly number: number; readonly text: string }>): Promise<Imported> {
  const { checkBeginning, openStopped, takeIn } = await stopped();
  const all = lines[Symbol.asyncIterator]();
  // Before anything is made: what is no export leaves no box behind.
  try {
    const first = await all.next();
    checkBeginning(first.done ? undefined : first.value);
    const { log, close } = await openStopped(options.dir, { make: true, trouble: options.trouble });
    try {
      return await takeIn(log, begunWith(first, all));
    } finally {
      await close();
    }
  } finally {
    await all.return?.();
  }
}

async function* begunWith<T>(first: IteratorResult<T>, rest: AsyncIterator<T>): AsyncGenerator<T> {
  for (let step = first; !step.done; step = await rest.next()) yield step.value;
}
