import type { About, OwnPresence } from '../../index.ts';
import type { Arguments } from '../arguments.ts';
import type { Command } from '../command.ts';
import type { Option } from '../option.ts';

/** What may be told of a person, here and at the start. */
export const ABOUT_OPTIONS: Readonly<Record<string, Option>> = {
  nick: { type: 'string', value: 'TEXT', help: 'friendly name, shown by others instead of the box\'s' },
  first: { type: 'string', value: 'TEXT', help: 'first name of a person' },
  last: { type: 'string', value: 'TEXT', help: 'last name' },
  email: { type: 'string', value: 'ADDRESS', multiple: true, help: 'e-mail address' },
  jid: { type: 'string', value: 'JID', multiple: true, help: 'XMPP address, for display' },
};

/** `--email ''` takes back what there is. */
const given = (list: readonly string[]): string[] => list.filter((one) => one !== '');

export function aboutOf(args: Arguments): Omit<About, 'personal'> {
  const [nick, first, last, email, jid] = [args.text('nick'), args.text('first'), args.text('last'), args.list('email'), args.list('jid')];
  return {
    ...nick === undefined ? {} : { nick }, ...first === undefined ? {} : { first }, ...last === undefined ? {} : { last },
    ...email === undefined ? {} : { email: given(email) }, ...jid === undefined ? {} : { jid: given(jid) },
  };
}

const STATUSES = ['available', 'away', 'dnd'] as const;

export const presence: Command = {
  name: 'presence',
  takes: [],
  summary: 'Say what the box tells of itself on the link, or change it',
  options: {
    status: { type: 'string', value: 'STATUS', help: 'available, away or dnd' },
    text: { type: 'string', value: 'TEXT', help: 'a few words with the status; without it they are taken back' },
    ...ABOUT_OPTIONS,
    personal: { type: 'string', value: 'yes|no', help: 'no: tell nothing of a person, however much is given' },
  },
  notes: ['What is changed is kept, also over a restart. An empty text takes back what was given: --nick \'\'.'],
  examples: ['lanpost presence', 'lanpost presence --status dnd --text \'measuring\'', 'lanpost presence --nick \'Hall\' --email hall@example.org'],
  async run({ args, out, attach }) {
    const status = args.oneOf('status', STATUSES);
    const text = args.text('text');
    const personal = args.oneOf('personal', ['yes', 'no']);
    const about: About = { ...aboutOf(args), ...personal === undefined ? {} : { personal: personal === 'yes' } };
    const box = await attach();
    if (Object.keys(about).length > 0) await box.setAbout(about);
    if (status !== undefined || text !== undefined) await box.setStatus(status ?? (await box.status()).presence.status, text);
    const said = (await box.status()).presence;
    if (out.json) return out.print(said, () => '');
    for (const [word, what] of lines(said)) void out.fields(out.terminal ? word.padEnd(8) : word, what);
    await out.settled();
  },
};

function lines({ status, statusText, about, avatar }: OwnPresence): [string, string][] {
  const { nick, first, last, email = [], jid = [], personal = true } = about;
  return [
    ['status', statusText === undefined ? status : `${status} (${statusText})`],
    ...Object.entries({ nick, first, last }).flatMap(([word, what]): [string, string][] => (what === undefined ? [] : [[word, what]])),
    ...Object.entries({ email, jid }).flatMap(([word, what]): [string, string][] => (what.length === 0 ? [] : [[word, what.join(', ')]])),
    ...avatar === undefined ? [] : [['avatar', avatar] as [string, string]],
    ...personal ? [] : [['personal', 'no: nothing of a person is told'] as [string, string]],
  ];
}
