import { stdin } from 'node:process';
import { LanpostError, type Published } from '../../index.ts';
import type { Command, Context } from '../command.ts';
import { inOrder } from '../in-order.ts';
import { lines } from '../lines.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';
import { parseSpan } from '../quantity.ts';
import { UsageError } from '../usage-error.ts';
import { isWritten, parseValue } from '../value-argument.ts';

/** Items on their way to the disk at once; they share its syncs. */
const IN_FLIGHT = 256;

export const publish: Command = {
  name: 'publish',
  takes: ['TOPIC', 'VALUE'],
  summary: 'Publish VALUE, or with - one item per line of standard input',
  options: {
    id: { type: 'string', value: 'ID', help: 'its item id: what has the same id is replaced by it' },
    'content-type': { type: 'string', value: 'TYPE', help: 'its media type, as application/xml; default that of JSON, or of text' },
    expires: { type: 'string', value: 'SPAN', help: 'after how long it is over, as 90s or 12h; default what the topic says' },
    device: { type: 'string', value: 'NAME', help: 'from this device of the box, which is its publisher then' },
    delivered: { type: 'string', value: 'READER', help: 'wait until a home (xmpp:JID) or a durable reader of this box has it' },
    at: { type: 'string', value: 'PEER', help: 'publish at a peer instead of here' },
  },
  notes: [
    'VALUE is JSON, or text if it is not JSON, or if TYPE is one of text or XML. Prints the id of each item once it is on disk, in order;',
    'with --delivered, once READER has it: a home about a minute after it acknowledged the item.',
    'With -, the first item that is refused ends the reading: what was sent before is told, then which line',
    'it was, and it exits 1.',
  ],
  examples: [
    'lanpost publish sensors/attic \'{"celsius": 21.5}\'',
    'lanpost publish doorbell ring --at desk@pc',
    'lanpost publish feed \'<entry xmlns="http://www.w3.org/2005/Atom"/>\' --content-type application/xml',
    'generate-readings | lanpost publish sensors/attic -',
  ],
  async run(context) {
    const [topic = '', value = ''] = context.args.positionals;
    const box = await context.attach();
    const [at, id, contentType] = [context.args.text('at'), context.args.text('id'), context.args.text('content-type')];
    const [expires, device, follow] = [context.args.text('expires'), context.args.text('device'), context.args.text('delivered')];
    const how = {
      ...device === undefined ? {} : { device },
      ...at === undefined ? {} : { at }, ...id === undefined ? {} : { id }, ...contentType === undefined ? {} : { contentType },
      ...expires === undefined ? {} : { expires: parseSpan('--expires', expires) }, ...follow === undefined ? {} : { follow },
    };
    const send = async (text: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Published> => {
      const published = await box.publish(topic, parse(text), signal ? { ...how, signal } : how);
      if (follow !== undefined) await box.delivered(published.seq, follow, { signal: context.signal });
      return published;
    };
    const parse = contentType !== undefined && isWritten(contentType) ? (text: string): string => text : parseValue;
    if (value === '-') {
      if (id !== undefined) throw new UsageError('--id names one item, and - publishes many');
      return publishLines(context, send);
    }
    await print(context.out, await send(value, context));
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
