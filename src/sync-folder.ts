import { open } from 'node:fs/promises';

/** The names in it are on disk: a file's own sync says nothing of them. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
