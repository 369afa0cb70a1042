import type { CommandInfo } from '../../index.ts';
import { oneOf } from '../arguments.ts';
import type { Command, Context } from '../command.ts';
import { printable } from '../printable.ts';
import { parseValue } from '../value-argument.ts';
import { valueInWords } from '../value-words.ts';

const SECONDS = 30;
const timeout = { type: 'string', value: 'S', help: `seconds to wait for the answer (default ${SECONDS})` } as const;
const ADDRESS = 'ADDRESS is link:NAME, or the name of a peer on the link, or xmpp:JID by way of a home.';

const list: Command = {
  name: 'command list',
  takes: ['[ADDRESS]'],
  summary: 'List the commands that this box offers, or that another lets it run',
  options: {},
  notes: [ADDRESS, 'A box offers what its programs and flows offer, for as long as these run.'],
  examples: ['lanpost command list', 'lanpost command list pump@shed'],
  async run({ args, out, attach }) {
    const [address] = args.positionals;
    const box = await attach();
    await out.table(await box.commands.list(address), COLUMNS, 'no commands');
  },
};

const run: Command = {
  name: 'command run',
  takes: ['ADDRESS', 'NAME', '[VALUE]'],
  summary: 'Run a command there, and print its answer',
  options: { timeout },
  notes: [
    ADDRESS,
    'VALUE is JSON, or text if it is not JSON. To a box it goes as it is; of other software an object fills in the form',
    'that it asks with. Its owner lets this box run it with `lanpost trust allow THIS-BOX command NAME`.',
  ],
  examples: ['lanpost command run pump@shed pump/start \'{"seconds": 20}\'', 'lanpost command run xmpp:box@home.example/lanpost-1f2e3d4c restart'],
  async run(context) {
    const { args, out, signal, attach } = context;
    const [address = '', name = '', value] = args.positionals;
    const box = await attach();
    const answer = await box.commands.run(address, name, value === undefined ? undefined : parseValue(value), { timeout: milliseconds(context), signal });
    await out.print({ command: name, answer: answer ?? null }, () => {
      if (answer === undefined) return `${printable(name)} is done`;
      return typeof answer === 'string' ? printable(answer) : valueInWords(answer);
    });
  },
};

const request: Command = {
  name: 'command request',
  takes: ['ADDRESS', 'XML'],
  summary: 'Ask a peer or an account with an IQ, and print what is in the answer',
  options: { type: { type: 'string', value: 'TYPE', help: 'get (the default) or set' }, timeout },
  notes: [ADDRESS],
  examples: ['lanpost command request alice@laptop "<query xmlns=\'jabber:iq:version\'/>"'],
  async run(context) {
    const { args, out, signal, attach } = context;
    const [address = '', payload = ''] = args.positionals;
    const type = oneOf('--type', args.text('type') ?? 'get', ['get', 'set'] as const);
    const box = await attach();
    const answer = await box.request(address, payload, { type, timeout: milliseconds(context), signal });
    await out.print({ answer: answer ?? null }, () => (answer === undefined ? 'done' : printable(answer)));
  },
};

export const commandCommands: readonly Command[] = [list, run, request];

function milliseconds({ args }: Context): number {
  return (args.number('timeout', { least: 0.001, most: 3600, whole: false }) ?? SECONDS) * 1000;
}

const COLUMNS: Readonly<Record<string, (info: CommandInfo) => string>> = {
  NAME: (info) => info.name,
  TITLE: (info) => info.title ?? '-',
};
