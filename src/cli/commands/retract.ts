import type { Command } from '../command.ts';
import { printable } from '../printable.ts';

export const retract: Command = {
  name: 'retract',
  takes: ['TOPIC', 'ID'],
  summary: 'Take an item back; readers are told',
  options: {},
  examples: ['lanpost retract sensors/attic reading-7'],
  async run({ args, out, attach }) {
    const [topic = '', id = ''] = args.positionals;
    const box = await attach();
    await box.retract(topic, id);
    await out.print({ retracted: id, topic }, () => `${printable(id)} is taken back from ${printable(topic)}`);
  },
};

export const purge: Command = {
  name: 'purge',
  takes: ['TOPIC'],
  summary: 'Take all items of a topic back at once; how it is set stays',
  options: {},
  examples: ['lanpost purge sensors/attic'],
  async run({ args, out, attach }) {
    const [topic = ''] = args.positionals;
    const box = await attach();
    await box.purge(topic);
    await out.print({ purged: topic }, () => `${printable(topic)} is empty`);
  },
};
