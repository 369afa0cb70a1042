import { expect, test } from 'vitest';
import { createTestClock } from '../src/clock.ts';
import { WriteBehind } from '../src/write-behind.ts';
import { quiet } from './support/quiet.ts';

function rig() {
  const clock = createTestClock();
  const [wrote, told]: [string[], unknown[]] = [[], []];
  const disk = { works: true };
  const behind = new WriteBehind({ clock, failed: (error) => void told.push(error) });
  const write = (what: string) => async (): Promise<void> => {
    if (!disk.works) throw new Error('EIO');
    wrote.push(what);
  };
  const wait = async (ms: number): Promise<void> => {
    clock.advance(ms);
    await quiet();
  };
  return { behind, write, wrote, told, disk, wait };
}

test('what is to be written is so a second later, once, as it is by then', async () => {
  const { behind, write, wrote, wait } = rig();
  behind.later('a', write('old'));
  behind.later('a', write('a'));
  await wait(999);
  behind.later('b', write('b'));
  expect(wrote).toEqual([]);
  await wait(1);
  await wait(100_000);
  expect(wrote).toEqual(['a', 'b']);
});

test('what cannot be written is tried again for as long as that takes, and told once', async () => {
  const { behind, write, wrote, told, disk, wait } = rig();
  disk.works = false;
  behind.later('a', write('a'));
  await expect(behind.now('b', write('b'))).rejects.toThrow('EIO');
  await wait(1000);
  for (let i = 0; i < 10; i += 1) await wait(10_000);
  expect(told).toHaveLength(1);
  disk.works = true;
  await wait(10_000);
  expect(wrote).toEqual(['a', 'b']);
  await wait(100_000);
  expect(wrote).toEqual(['a', 'b']);
});

test('whoever waits for one is told what became of that, though another that was due failed', async () => {
  const { behind, write, wrote, wait } = rig();
  let isFull = true;
  behind.later('a', async () => {
    if (isFull) throw new Error('EIO');
    await write('a')();
  });
  await behind.now('b', write('b'));
  expect(wrote).toEqual(['b']);
  isFull = false;
  await wait(1000);
  expect(wrote).toEqual(['b', 'a']);
});

test('what was said since then is written instead', async () => {
  const { behind, write, wrote, disk, wait } = rig();
  disk.works = false;
  const failing = behind.now('a', write('old'));
  behind.later('a', write('new'));
  await expect(failing).rejects.toThrow('EIO');
  disk.works = true;
  await wait(1000);
  expect(wrote).toEqual(['new']);
});

test('what is left at the end is written then, and not tried again', async () => {
  const { behind, write, wrote, disk, wait } = rig();
  behind.later('a', write('a'));
  await behind.close();
  disk.works = false;
  behind.later('b', write('b'));
  await expect(behind.close()).rejects.toThrow('EIO');
  disk.works = true;
  await wait(100_000);
  expect(wrote).toEqual(['a']);
});
