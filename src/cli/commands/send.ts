import { LanpostError } from '../../index.ts';
import { oneOf } from '../arguments.ts';
import type { Command } from '../command.ts';
import { printable } from '../printable.ts';

const STEPS = ['accepted', 'handed', 'delivered'] as const;
const SECONDS = 30;

export const send: Command = {
  name: 'send',
  takes: ['ADDRESS', 'TEXT'],
  summary: 'Send a message to a peer (link:NAME), a person (xmpp:JID) or a device',
  options: {
    device: { type: 'string', value: 'NAME', help: 'from this device of the box' },
    wait: { type: 'string', value: 'STEP', help: 'wait until it is accepted (on disk here, the default), handed (its road has it) or delivered (only boxes confirm that)' },
    timeout: { type: 'string', value: 'S', help: `seconds to wait for that step (default ${SECONDS}); the message stays and is tried on` },
  },
  examples: ['lanpost send alice@laptop \'dinner is ready\'', 'lanpost send xmpp:me@example.org \'pump 3 stopped\' --wait handed --timeout 60'],
  async run({ args, out, signal, attach }) {
    const [address = '', text = ''] = args.positionals;
    const step = oneOf('--wait', args.text('wait') ?? 'accepted', STEPS);
    const seconds = args.number('timeout', { least: 0.001, most: 1_000_000, whole: false }) ?? SECONDS;
    const box = await attach();
    const device = args.text('device');
    const receipt = await box.send(address, text, { signal, ...(device === undefined ? {} : { device }) });
    const late = new LanpostError('timeout', `not ${step} within ${seconds} s; the message ${receipt.id} is kept and tried on`);
    await within(receipt[step], seconds, late, signal);
    await out.print({ id: receipt.id, to: receipt.to, state: step }, () => `${printable(receipt.id)}${out.terminal ? ` ${step}` : ''}`);
  },
};

function within(promise: Promise<void>, seconds: number, late: Error, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late), seconds * 1000);
    const stop = (): void => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    });
  });
}
