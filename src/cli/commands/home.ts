import { readFile } from 'node:fs/promises';
import { LanpostError, type DownRule, type HomeEvent, type HomeStatus, type HomeTransport, type UpRule } from '../../index.ts';
import type { Command } from '../command.ts';
import { spanInWords, timeInWords } from '../measure.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';
import { UsageError } from '../usage-error.ts';

const TRANSPORTS: readonly HomeTransport[] = ['auto', 'starttls', 'tls', 'websocket', 'bosh'];
const isTransport = (text: string): text is HomeTransport => TRANSPORTS.some((one) => one === text);

const add: Command = {
  name: 'home add',
  takes: ['JID'],
  summary: 'Give the box an account on an XMPP server, to carry topics to',
  options: {
    'password-file': { type: 'string', value: 'F', help: 'file whose first line is the password (required)' },
    host: { type: 'string', value: 'H', help: 'connect there, and look nothing up (default what DNS and the domain\'s web server say)' },
    port: { type: 'string', value: 'P', help: 'its port (default 5222; 5223 with --transport tls)' },
    transport: { type: 'string', value: 'KIND', help: 'auto, starttls, tls, websocket or bosh (default auto: all that DNS and the domain\'s web server name)' },
    url: { type: 'string', value: 'URL', help: 'address of its WebSocket (wss://) or BOSH (https://) service' },
    proxy: { type: 'string', value: 'URL', help: 'http://HOST[:PORT] or socks5://… to reach it through' },
    'proxy-file': { type: 'string', value: 'F', help: 'file whose first line is that address, when there is a password in it' },
    pin: { type: 'string', value: 'SHA256', multiple: true, help: 'SHA-256 of the server\'s public key, base64: speak with no other' },
    plain: { type: 'boolean', help: 'show the password to a verified server that offers nothing better' },
    group: { type: 'string', value: 'NAME', help: 'homes of one group are one reader: what goes up goes to one of them' },
    rank: { type: 'string', value: 'N', help: 'within the group: the lowest that is connected is the one (default 0)' },
    ca: { type: 'string', value: 'FILE', help: 'PEM file of a private certificate authority, instead of the system\'s' },
    service: { type: 'string', value: 'JID', help: 'pubsub service (default pubsub.DOMAIN), or pep: the account\'s own' },
    topics: { type: 'string', value: 'FILTER', multiple: true, help: 'topics to carry there' },
    up: { type: 'string', value: 'RULE', multiple: true, help: 'topics to carry there, and how: FILTER[,node=NAME][,order=any][,priority=N][,expire=SECONDS][,pack]' },
    budget: { type: 'string', value: 'BYTES', help: 'bytes of items an hour, for links that are paid by volume' },
    down: { type: 'string', value: 'NODE[=TOPIC]', multiple: true, help: 'nodes there to follow, a name or a filter; TOPIC: what they are here, {node} standing for the name' },
    'down-new': { type: 'boolean', help: 'begin with what is published there from now on, not with what is there' },
  },
  examples: ['lanpost home add box7@example.org --password-file /etc/lanpost.password --topics \'sensors/#\''],
  async run({ args, out, attach }) {
    const [jid = ''] = args.positionals;
    const file = args.text('password-file');
    if (file === undefined) throw new UsageError('--password-file F is missing: a password on the command line would be seen by every user');
    const password = await firstLine(file, 'the password');
    const proxyFile = args.text('proxy-file');
    const proxy = proxyFile === undefined ? args.text('proxy') : await firstLine(proxyFile, 'the address of the proxy');
    const ca = args.text('ca');
    const port = args.number('port', { least: 1, most: 65_535 });
    const [host, service, topics, down] = [args.text('host'), args.text('service'), args.list('topics'), args.list('down')];
    const [transport, url, pin, group, rank] = [args.text('transport'), args.text('url'), args.list('pin'), args.text('group'), args.number('rank', { least: 0, most: 1_000, whole: true })];
    if (transport !== undefined && !isTransport(transport)) throw new UsageError(`--transport ${transport}: it is one of ${TRANSPORTS.join(', ')}`);
    const up = args.list('up');
    const budget = args.number('budget', { least: 10_000, most: Number.MAX_SAFE_INTEGER });
    const authority = ca === undefined ? {} : { ca: await read(ca) };
    const box = await attach();
    const home = await box.homes.add({
      jid, password, ...authority,
      ...host === undefined ? {} : { host }, ...port === undefined ? {} : { port },
      ...transport === undefined ? {} : { transport }, ...url === undefined ? {} : { url }, ...proxy === undefined ? {} : { proxy },
      ...pin === undefined ? {} : { pin }, ...args.flag('plain') ? { plain: true } : {}, ...group === undefined ? {} : { group }, ...rank === undefined ? {} : { rank },
      ...service === undefined ? {} : { service }, ...topics === undefined ? {} : { topics },
      ...up === undefined ? {} : { up: up.map(upRule) }, ...budget === undefined ? {} : { budget },
      ...down === undefined ? {} : { down: down.map((rule) => downRule(rule, args.flag('down-new'))) },
    });
    await printHomes(out, [home]);
  },
};

const list: Command = {
  name: 'home list',
  takes: [],
  summary: 'List the homes, and what waits for each',
  options: {},
  examples: ['lanpost home list'],
  async run({ out, attach }) {
    const box = await attach();
    await printHomes(out, await box.homes.list());
  },
};

const pause: Command = {
  name: 'home pause',
  takes: ['JID'],
  summary: 'Leave a home until it is resumed; what is for it waits',
  options: {},
  examples: ['lanpost home pause box7@example.org'],
  async run({ args, out, attach }) {
    const [jid = ''] = args.positionals;
    const box = await attach();
    await printHomes(out, [await box.homes.pause(jid)]);
  },
};

const resume: Command = {
  name: 'home resume',
  takes: ['JID'],
  summary: 'Connect to a home again that was paused',
  options: {},
  examples: ['lanpost home resume box7@example.org'],
  async run({ args, out, attach }) {
    const [jid = ''] = args.positionals;
    const box = await attach();
    await printHomes(out, [await box.homes.resume(jid)]);
  },
};

const remove: Command = {
  name: 'home remove',
  takes: ['JID'],
  summary: 'Forget a home; what has not reached it stays in the topics',
  options: {},
  examples: ['lanpost home remove box7@example.org'],
  async run({ args, out, attach }) {
    const [jid = ''] = args.positionals;
    const box = await attach();
    await box.homes.remove(jid);
    if (out.json) await out.print({ removed: jid }, () => '');
  },
};

const watch: Command = {
  name: 'home watch',
  takes: ['[JID]'],
  summary: 'Tell how the homes are, and how far a backlog has gone up, until Ctrl-C',
  options: {},
  examples: ['lanpost home watch', 'lanpost home watch --json'],
  async run({ args, out, attach, signal }) {
    const [jid] = args.positionals;
    const box = await attach();
    if (jid !== undefined && !(await box.homes.list()).some((one) => one.jid === jid)) throw new LanpostError('not-found', `There is no home ${jid}.`);
    for await (const event of box.homes.watch({ signal })) if (jid === undefined || event.home.jid === jid) await printHomeEvent(out, event);
  },
};

export const home: readonly Command[] = [add, list, watch, pause, resume, remove];

/** How far it is stands in one line of a terminal, and is overwritten. */
export async function printHomeEvent(out: Output, event: HomeEvent): Promise<void> {
  if (out.json) return out.print({ event: 'home', ...event }, () => '');
  const text = printable(`${event.home.jid}  ${eventInWords(event)}`);
  return event.type === 'draining' && out.terminal ? out.transient(text) : out.line(text);
}

function eventInWords({ type, home: { state, reason, draining, queued }, drained }: HomeEvent): string {
  if (type === 'draining' && draining) {
    const { done, left, rate, estimate } = draining;
    return [`${done} up, ${left} to go`, `${Math.round(rate)}/s`, ...estimate === undefined ? [] : [`${spanInWords(estimate)} left`]].join(', ');
  }
  if (type === 'drained') return drained === undefined ? 'all is up' : `all is up: ${drained.done} in ${spanInWords((drained.done * 1000) / Math.max(drained.rate, 0.01))}`;
  return `${state}${reason === undefined ? '' : ` (${reason})`}${queued === 0 ? '' : `, ${queued} waiting`}`;
}

/** How each is, why, and when it is tried again. */
export async function printHomes(out: Output, homes: readonly HomeStatus[]): Promise<void> {
  await out.table(homes, COLUMNS, 'no home is configured: lanpost home add --help');
}

const COLUMNS: Readonly<Record<string, (status: HomeStatus) => string>> = {
  JID: (status) => status.jid,
  STATE: (status) => [status.state, ...status.group?.active === false ? ['standing by'] : [], ...status.via === undefined ? [] : [`via ${printable(status.via)}`], ...status.reason === undefined ? [] : [`(${status.reason})`], ...status.nextAttempt === undefined ? [] : [`until ${timeInWords(status.nextAttempt)}`]].join(' '),
  QUEUED: (status) => String(status.queued),
  OLDEST: (status) => (status.queued === 0 ? '-' : spanInWords(status.oldestAge)),
  POISON: (status) => String(status.poison ?? '-'),
  SERVICE: (status) => (status.pep === undefined ? status.service : status.pep.topics === undefined ? 'the account' : `${status.service}, the account`),
  DOWN: downInWords,
  TOPICS: (status) => status.topics.join(', ') || '-',
};

/** A node's name may have an equals sign, a topic of ours seldom: the last one divides. */
function downRule(text: string, isNew: boolean): DownRule {
  const at = text.lastIndexOf('=');
  return { node: at < 0 ? text : text.slice(0, at), ...at < 0 ? {} : { as: text.slice(at + 1) }, ...isNew ? { from: 'new' as const } : {} };
}

function downInWords({ down }: HomeStatus): string {
  if (!down) return '-';
  return down.waiting === 0 ? String(down.nodes) : `${down.nodes} (${down.waiting} waiting)`;
}

/** `FILTER,key=value…`; a comma cannot stand in the filter then. */
function upRule(text: string): UpRule {
  const [filter = '', ...settings] = text.split(',');
  const rule: { filter: string; node?: string; order?: 'kept' | 'any'; priority?: number; expire?: number; pack?: boolean } = { filter };
  for (const setting of settings) {
    const at = setting.indexOf('=');
    const [key, value] = at < 0 ? [setting, ''] : [setting.slice(0, at), setting.slice(at + 1)];
    if (key === 'node') rule.node = value;
    else if (key === 'order' && (value === 'any' || value === 'kept')) rule.order = value;
    else if (key === 'priority' && /^-?\d$/.test(value)) rule.priority = Number(value);
    else if (key === 'expire' && /^\d{1,9}$/.test(value)) rule.expire = Number(value) * 1000;
    else if (key === 'pack' && value === '') rule.pack = true;
    else throw new UsageError(`"${setting}" is no setting of a rule: node=NAME, order=any, priority=-9 to 9, expire=SECONDS, pack`);
  }
  return rule;
}

async function firstLine(file: string, what: string): Promise<string> {
  const [line = ''] = (await read(file)).split(/\r?\n/, 1);
  if (line === '') throw new UsageError(`the first line of ${file} is empty; it should be ${what}`);
  return line;
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
