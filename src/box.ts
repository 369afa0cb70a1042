import type { Box, BoxOptions } from './api.ts';
import { late } from './late.ts';
import { checkedOptions } from './options.ts';

/**
 * Opens a box: its log, its place on the link, its homes. One process has a data directory at a time.
 * @example
 * const box = await createBox({ dir: '.lanpost', name: 'hall' });
 * try { await box.publish('hall/temp', 21.5); } finally { await box.close(); }
 */
export async function createBox(options: BoxOptions = {}): Promise<Box> {
  const checked = checkedOptions(options);
  // A program that only attaches to a box does not carry one; and the disk works while the rest is being loaded.
  const { openStore } = await late('The store', () => import('./store.ts'));
  const [store, rest, onLink] = await Promise.allSettled([
    openStore(checked), late('The box', () => import('./assembly.ts')), checked.link ? late('The link', () => import('./on-link.ts')) : undefined,
  ]);
  if (store.status === 'rejected') throw store.reason;
  try {
    if (rest.status === 'rejected') throw rest.reason;
    if (onLink.status === 'rejected') throw onLink.reason;
    return await rest.value.openBox(checked, store.value, onLink.value);
  } catch (error) {
    await store.value.opened.close();
    throw error;
  }
}
