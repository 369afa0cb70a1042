import { readFile } from 'node:fs/promises';
import type { ComponentStatus } from '../../index.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../usage-error.ts';

const add: Command = {
  name: 'component add',
  takes: ['DOMAIN'],
  summary: 'Give devices addresses of their own, on an XMPP server of this machine',
  options: {
    'secret-file': { type: 'string', value: 'F', help: 'file whose first line is the secret that the server\'s administrator has set (required)' },
    host: { type: 'string', value: 'H', help: 'loopback address of the server (default 127.0.0.1)' },
    port: { type: 'string', value: 'P', help: 'its port for components (default 5347)' },
    device: { type: 'string', value: 'NAME', multiple: true, help: 'NAME@DOMAIN is an address; may be repeated' },
  },
  notes: [
    'Messages to such an address are in the inbox (lanpost messages), or are that device\'s when there is one of that name (lanpost device).',
    'Nothing waits for an address at the server while the box is not connected: what is sent to it then comes back to whoever sent it.',
  ],
  examples: ['lanpost component add edge.home.example --secret-file /etc/lanpost.secret --device boiler --device door'],
  async run({ args, out, attach }) {
    const [domain = ''] = args.positionals;
    const file = args.text('secret-file');
    if (file === undefined) throw new UsageError('--secret-file F is missing: a secret on the command line would be seen by every user');
    const text = await readFile(file, 'utf8').catch((error: unknown) => { throw new UsageError(String(error), { cause: error }); });
    const [secret = ''] = text.split(/\r?\n/, 1);
    if (secret === '') throw new UsageError(`the first line of ${file} is empty; it should be the secret`);
    const [host, port, devices] = [args.text('host'), args.number('port', { least: 1, most: 65_535 }), args.list('device')];
    const box = await attach();
    const added = await box.components.add({ domain, secret, ...host === undefined ? {} : { host }, ...port === undefined ? {} : { port }, ...devices === undefined ? {} : { devices } });
    await out.table([added], COLUMNS, '');
  },
};

const list: Command = {
  name: 'component list',
  takes: [],
  summary: 'List the domains of devices, and whether each is connected',
  options: {},
  examples: ['lanpost component list'],
  async run({ out, attach }) {
    const box = await attach();
    await out.table(await box.components.list(), COLUMNS, 'no component is configured: lanpost component add --help');
  },
};

const send: Command = {
  name: 'component send',
  takes: ['FROM', 'TO', 'TEXT'],
  summary: 'Send a message from the address of a device, as soon as that is connected',
  options: {},
  examples: ['lanpost component send boiler@edge.home.example anna@home.example \'12 bar\''],
  async run({ args, out, attach }) {
    const [from = '', to = '', text = ''] = args.positionals;
    const box = await attach();
    await box.components.send(from, to, text);
    if (out.json) await out.print({ sent: to }, () => '');
  },
};

const remove: Command = {
  name: 'component remove',
  takes: ['DOMAIN'],
  summary: 'Forget a domain of devices',
  options: {},
  examples: ['lanpost component remove edge.home.example'],
  async run({ args, out, attach }) {
    const [domain = ''] = args.positionals;
    const box = await attach();
    await box.components.remove(domain);
    if (out.json) await out.print({ removed: domain }, () => '');
  },
};

export const component: readonly Command[] = [add, list, send, remove];

const COLUMNS: Readonly<Record<string, (status: ComponentStatus) => string>> = {
  DOMAIN: (status) => status.domain,
  STATE: (status) => (status.reason === undefined ? status.state : `${status.state} (${status.reason})`),
  DEVICES: (status) => status.devices.join(', ') || '-',
};
