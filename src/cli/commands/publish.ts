import { stdin } from 'node:process';
import { LanpostError, type Published } from '../../index.ts';
import type { Command, Context } from '../command.ts';
import { inOrder } from '../in-order.ts';
import { lines } from '../lines.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';
import { parseValue } from '../value-argument.ts';

/** Items on their way to the disk at once; they share its syncs. */
const IN_FLIGHT = 256;

export const publish: Command = {
  name: 'publish',
  takes: ['TOPIC', 'VALUE'],
  summary: 'Publish VALUE, or with - one item per line of standard input',
  options: { at: { type: 'string', value: 'PEER', help: 'publish at a peer instead of here' } },
  notes: [
    'VALUE is JSON, or text if it is not JSON. Prints the id of each item once it is on disk, in order.',
    'With -, the first item that is refused ends the reading: what was sent before is told, then which line',
    'it was, and it exits 1.',
  ],
  examples: [
    'lanpost publish sensors/attic \'{"celsius": 21.5}\'',
    'lanpost publish doorbell ring --at desk@pc',
    'generate-readings | lanpost publish sensors/attic -',
  ],
  async run(context) {
    const [topic = '', value = ''] = context.args.positionals;
    const box = await context.attach();
    const peer = context.args.text('at');
    const where = peer === undefined ? {} : { at: peer };
    if (value === '-') return publishLines(context, (text) => box.publish(topic, parseValue(text), where));
    const published = await box.publish(topic, parseValue(value), { ...where, signal: context.signal });
    await print(context.out, published);
  },
};

const stop = (): void => { stdin.destroy(); };

/** Ctrl-C stops the reading; what is on its way is waited for and told. */
async function publishLines({ out, signal }: Context, send: (text: string) => Promise<Published>): Promise<void> {
  signal.addEventListener('abort', stop, { once: true });
  const numbered = async ({ number, text }: { number: number; text: string }): Promise<Published> => {
    try {
      return await send(text);
    } catch (error) {
      throw error instanceof LanpostError ? new LanpostError(error.code, `line ${number}: ${error.message}`, { cause: error }) : error;
    }
  };
  try {
    await inOrder(lines(stdin), {
      atOnce: IN_FLIGHT,
      start: numbered,
      async done(published) {
        const printed = print(out, published);
        if (out.full) await printed;
      },
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

const print = (out: Output, published: Published): Promise<void> => out.print(published, () => printable(published.id));
