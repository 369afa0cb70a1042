import type { DeviceInfo } from '../../index.ts';
import type { Command } from '../command.ts';
import { timeInWords } from '../measure.ts';

const add: Command = {
  name: 'device add',
  takes: ['NAME'],
  summary: 'Let this box speak for a device: device:NAME can be written to, and its mail is held',
  options: {},
  notes: [
    'Peers and accounts may write to it when they are allowed to: lanpost trust allow WHO device NAME. Whoever speaks with the device reads',
    'lanpost messages --device NAME, and speaks for it by lanpost send --device NAME and lanpost publish --device NAME.',
  ],
  examples: ['lanpost device add boiler'],
  async run({ args, out, attach }) {
    const [name = ''] = args.positionals;
    const box = await attach();
    await out.table([await box.devices.add(name)], COLUMNS, '');
  },
};

const list: Command = {
  name: 'device list',
  takes: [],
  summary: 'List the devices of this box, and what waits for each',
  options: {},
  examples: ['lanpost device list'],
  async run({ out, attach }) {
    const box = await attach();
    await out.table(await box.devices.list(), COLUMNS, 'this box speaks for no device: lanpost device add --help');
  },
};

const remove: Command = {
  name: 'device remove',
  takes: ['NAME'],
  summary: 'Forget a device, and the messages that it has not read',
  options: {},
  examples: ['lanpost device remove boiler'],
  async run({ args, out, attach }) {
    const [name = ''] = args.positionals;
    const box = await attach();
    await box.devices.remove(name);
    if (out.json) await out.print({ removed: name }, () => '');
  },
};

export const device: readonly Command[] = [add, list, remove];

const COLUMNS: Readonly<Record<string, (info: DeviceInfo) => string>> = {
  DEVICE: (info) => info.name,
  UNREAD: (info) => String(info.unread),
  READER: (info) => (info.open ? 'yes' : '-'),
  SINCE: (info) => timeInWords(info.since),
  ADDRESSES: (info) => [info.address, ...(info.jids ?? []).map((jid) => `xmpp:${jid}`)].join(', '),
};
