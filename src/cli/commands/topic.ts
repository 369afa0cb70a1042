import { LanpostError, type TopicInfo } from '../../index.ts';
import type { Command, Context } from '../command.ts';
import { commandIn } from '../hint.ts';
import { bytesInWords } from '../measure.ts';
import { printable } from '../printable.ts';
import { namedLines, SETTING_NOTES, SETTING_OPTIONS, settingLines, settingsIn } from '../topic-setting.ts';
import { UsageError } from '../usage-error.ts';

const list: Command = {
  name: 'topic list',
  takes: ['[FILTER]'],
  summary: 'List the topics of the box',
  options: {},
  notes: ['In FILTER, + stands for one level of a topic and # for all that follow; put it in quotes.'],
  examples: ['lanpost topic list', 'lanpost topic list \'sensors/#\''],
  async run({ args, out, dir, attach }) {
    const [filter] = args.positionals;
    const box = await attach();
    const none = filter === undefined ? `there is no topic yet: \`${commandIn(dir, 'lanpost publish TOPIC VALUE')}\` makes one` : `no topic matches ${printable(filter)}`;
    await out.table(await box.topics.list(filter), COLUMNS, none);
  },
};

const show: Command = {
  name: 'topic show',
  takes: ['TOPIC'],
  summary: 'Say how a topic is set, and what it holds',
  options: {},
  examples: ['lanpost topic show sensors/attic'],
  async run(context) {
    const [topic = ''] = context.args.positionals;
    const box = await context.attach();
    const info = await box.topics.get(topic);
    if (!info) throw new LanpostError('not-found', `there is no topic ${topic}: see \`lanpost topic list\``);
    await print(context, info, [...heldLines(info), ...settingLines(info)]);
  },
};

const create: Command = {
  name: 'topic create',
  takes: ['TOPIC'],
  summary: 'Make a topic, set as it is said',
  options: SETTING_OPTIONS,
  notes: ['Publishing to a topic makes it as well, with the defaults. An existing one is changed by `lanpost topic set`.', ...SETTING_NOTES],
  examples: ['lanpost topic create sensors/attic --title \'Attic\' --max-items 5000', 'lanpost topic create notices --access-model open'],
  async run(context) {
    const { args, out, dir, attach } = context;
    const [topic = ''] = args.positionals;
    const settings = settingsIn(args);
    const box = await attach();
    const info = await box.topics.create(topic, settings);
    await print(context, info, [['topic', info.name], ...namedLines(info, settings)]);
    if (out.terminal && info.accessModel === 'whitelist') {
      await out.line(out.style('dim', `only this box reads it, and peers with a grant: \`${commandIn(dir, `lanpost trust allow PEER read ${printable(topic)}`)}\``));
    }
  },
};

const set: Command = {
  name: 'topic set',
  takes: ['TOPIC'],
  summary: 'Change how a topic is set; what is not named stays',
  options: SETTING_OPTIONS,
  notes: SETTING_NOTES,
  examples: ['lanpost topic set sensors/attic --lane latest', 'lanpost topic set sensors/attic --title \'\''],
  async run(context) {
    const { args, attach } = context;
    const [topic = ''] = args.positionals;
    const settings = settingsIn(args);
    if (Object.keys(settings).length === 0) throw new UsageError('nothing is to be changed: name a setting');
    const box = await attach();
    const info = await box.topics.configure(topic, settings);
    await print(context, info, namedLines(info, settings));
  },
};

const remove: Command = {
  name: 'topic delete',
  takes: ['TOPIC'],
  summary: 'Delete a topic with all its items, at once; its readers are told',
  options: {},
  notes: ['`lanpost purge TOPIC` empties it and keeps how it is set.'],
  examples: ['lanpost topic delete sensors/attic'],
  async run({ args, out, attach }) {
    const [topic = ''] = args.positionals;
    const box = await attach();
    await box.topics.delete(topic);
    await out.print({ deleted: topic }, () => `${printable(topic)} is deleted`);
  },
};

export const topic: readonly Command[] = [list, show, create, set, remove];

const COLUMNS: Readonly<Record<string, (info: TopicInfo) => string>> = {
  TOPIC: (info) => info.name,
  ITEMS: (info) => String(info.items),
  SIZE: (info) => bytesInWords(info.bytes),
  POSITION: (info) => String(info.lastSeq),
  READ: (info) => info.accessModel,
  PUBLISH: (info) => info.publishModel,
  LANE: (info) => info.lane,
  TITLE: (info) => info.title ?? '-',
};

function heldLines(info: TopicInfo): [string, string][] {
  return [
    ['topic', info.name], ['items', String(info.items)], ['size', bytesInWords(info.bytes)], ['position', String(info.lastSeq)],
    ...info.replaced > 0 ? [['replaced', `${info.replaced}, by newer ones before every reader had them`] as [string, string]] : [],
  ];
}

async function print({ out }: Context, info: TopicInfo, lines: readonly [string, string][]): Promise<void> {
  if (out.json) return out.print(info, () => '');
  const width = Math.max(...lines.map(([word]) => word.length));
  for (const [word, what] of lines) void out.fields(out.terminal ? word.padEnd(width) : word, what);
  await out.settled();
}
