import process from 'node:process';
import { LEAST_PASSWORD, MOST_PASSWORD, Password } from '../../front/password.ts';
import { LanpostError } from '../../index.ts';
import type { Command } from '../command.ts';
import { commandIn } from '../hint.ts';
import { firstLine, hiddenLines } from '../secret-input.ts';

export const passwd: Command = {
  name: 'editor passwd',
  takes: [],
  summary: 'Set the password of the editor and the status page, for those who are not at this machine',
  options: { remove: { type: 'boolean', help: 'take it back: then nobody beyond this machine comes in' } },
  notes: [
    `It is asked for twice on a terminal, else the first line of standard input is it; ${LEAST_PASSWORD} characters or more. Only a hash of`,
    'it is kept, in DIR/web. It counts at once, also for a box that runs, and ends the sessions there are.',
  ],
  examples: ['lanpost editor passwd', 'lanpost editor passwd --dir /var/lib/lanpost < password'],
  async run({ args, out, dir, signal }) {
    const password = new Password(dir);
    if (args.flag('remove')) {
      const was = await password.clear();
      return out.print({ password: false, changed: was }, () => (was ? 'taken back: nobody beyond this machine comes in' : 'there was none'));
    }
    const text = process.stdin.isTTY ? await askedTwice(signal) : await firstLine(process.stdin, signal);
    signal.throwIfAborted();
    if (text.length < LEAST_PASSWORD) throw new LanpostError('invalid-value', `the password is too short: it needs ${LEAST_PASSWORD} characters or more`);
    if (text.length > MOST_PASSWORD) throw new LanpostError('too-large', `the password is too long: it may have ${MOST_PASSWORD} characters`);
    await password.set(text);
    return out.print({ password: true, changed: true }, () => `set; \`${commandIn(dir, 'lanpost start')} --editor-host 0.0.0.0\` opens the editor to those who have it`);
  },
};

async function askedTwice(signal: AbortSignal): Promise<string> {
  const [first = '', second] = await hiddenLines(['Password: ', 'Again: '], signal);
  if (first !== second) throw new LanpostError('invalid-value', 'the two were not alike: nothing was changed');
  return first;
}
