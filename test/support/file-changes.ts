import { watch } from 'node:fs/promises';

/** Resolves after so many changes to what is in a folder, or when nobody looks any more. */
export async function changed(dir: string, count: number, signal: AbortSignal): Promise<void> {
  let left = count;
  try {
    for await (const _ of watch(dir, { signal })) if (left-- <= 0) return;
  } catch (error) {
    if (!(error instanceof Error && error.name === 'AbortError')) throw error;
  }
}
