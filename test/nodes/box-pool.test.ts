import { expect, it } from 'vitest';
import { BoxPool } from '../../nodes/shared/box-pool.ts';
import type { Box } from '../../src/index.ts';

interface Counted { readonly box: Box; closed: number; finish(): void }

/** Only `close` matters to the pool. */
function counted(): Counted {
  let finish = (): void => undefined;
  const closing = new Promise<void>((resolve) => { finish = resolve; });
  const made = { closed: 0, finish: () => finish(), box: {} as Box };
  Object.assign(made.box, { close() { made.closed++; return closing; } });
  return made;
}

const user = { id: 'a', label: 'box a' };

it('what one config node takes twice is one box; the last to leave closes it, once', async () => {
  const pool = new BoxPool();
  const first = counted();
  first.finish();
  const [a, b] = await Promise.all([pool.take('k', user, () => Promise.resolve(first.box)), pool.take('k', user, () => Promise.reject(new Error('not asked')))]);
  expect(a.box).toBe(b.box);
  await a.release();
  await a.release();
  expect(first.closed).toBe(0);
  await b.release();
  expect(first.closed).toBe(1);
});

it('the next to ask waits until the old box has closed', async () => {
  const pool = new BoxPool();
  const [old, young] = [counted(), counted()];
  const lease = await pool.take('k', user, () => Promise.resolve(old.box));
  const released = lease.release();
  const order: string[] = [];
  const next = pool.take('k', user, () => { order.push('opened'); return Promise.resolve(young.box); });
  await new Promise((resolve) => { setImmediate(resolve); });
  order.push('closed');
  old.finish();
  await released;
  expect((await next).box).toBe(young.box);
  expect(order).toEqual(['closed', 'opened']);
});

it('a box that could not be opened, or was lost, is opened anew', async () => {
  const pool = new BoxPool();
  await expect(pool.take('k', user, () => Promise.reject(new Error('locked')))).rejects.toThrow('locked');
  const [lost, found] = [counted(), counted()];
  lost.finish();
  const lease = await pool.take('k', user, () => Promise.resolve(lost.box));
  await lease.release({ lost: true });
  expect((await pool.take('k', user, () => Promise.resolve(found.box))).box).toBe(found.box);
  expect(lost.closed).toBe(1);
});

it('a directory is that of one config node, until that one has closed it', async () => {
  const pool = new BoxPool();
  const [old, young] = [counted(), counted()];
  const lease = await pool.take('k', user, () => Promise.resolve(old.box));
  const other = { id: 'b', label: 'box b' };
  await expect(pool.take('k', other, () => Promise.reject(new Error('not asked')))).rejects.toThrow('"box a"');
  const released = lease.release();
  const next = pool.take('k', other, () => Promise.resolve(young.box));
  old.finish();
  await released;
  expect((await next).box).toBe(young.box);
});
