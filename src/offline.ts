import type { Imported, Trouble } from './api.ts';
import { late } from './late.ts';

const stopped = (): Promise<typeof import('./stopped-box.ts')> => late('The log', () => import('./stopped-box.ts'));

/**
 * Reads every file of a box that does not run, keeps what is whole, and puts right what does not fit together. Yields
 * what it finds; nothing when all is well.
 * @example
 * for await (const { message } of repairBox({ dir: '.lanpost' })) console.log(message);
 */
export async function* repairBox(options: { readonly dir: string }): AsyncGenerator<Trouble> {
  const { openStopped } = await stopped();
  const found: Trouble[] = [];
  const { close } = await openStopped(options.dir, { mend: true, trouble: (trouble) => void found.push(trouble) });
  await close();
  yield* found;
}

/**
 * What a box that does not run holds, as lines of JSON: topics, items with their record ids and stamps, durable readers,
 * whom it trusts with what. No keys, no passwords, no mail. `docs/DURABILITY.md` has the format.
 * @example
 * for await (const line of exportBox({ dir: '.lanpost' })) file.write(`${line}\n`);
 */
export async function* exportBox(options: { readonly dir: string }): AsyncGenerator<string> {
  const { archived, openStopped } = await stopped();
  const { log, close } = await openStopped(options.dir);
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
export async function importBox(options: { readonly dir: string }, lines: AsyncIterable<{ readonly number: number; readonly text: string }>): Promise<Imported> {
  const { checkBeginning, openStopped, takeIn } = await stopped();
  const all = lines[Symbol.asyncIterator]();
  // Before anything is made: what is no export leaves no box behind.
  try {
    const first = await all.next();
    checkBeginning(first.done ? undefined : first.value);
    const { log, close } = await openStopped(options.dir, { make: true });
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
