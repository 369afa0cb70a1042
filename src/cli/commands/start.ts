import { hostname, networkInterfaces } from 'node:os';
import { resolve as absolute } from 'node:path';
import { createBox, LanpostError, type Box, type BoxOptions, type BoxStatus, type Peer, type Trouble } from '../../index.ts';
import type { Command, Context } from '../command.ts';
import { USUAL_DIR } from '../hint.ts';
import { aborted } from '../interruption.ts';
import { BrokenPipe, type Output } from '../output.ts';
import { printable } from '../printable.ts';
import { UsageError } from '../usage-error.ts';
import { homeInWords } from '../home-in-words.ts';
import { aboutOf, ABOUT_OPTIONS } from './presence.ts';
import { printOffer } from './files.ts';
import { printHomeEvent } from './home.ts';
import { printPeerEvent } from './peers.ts';

const EDITOR_PORT = 1880;
const HIGHEST_PORT = 65_535;
/** Milliseconds for the link to come up and the first peers to answer before it is said how things are. */
const LOOK_AROUND = 1200;

/** What browsers reach of the box. */
interface Pages { readonly editor?: string; readonly status?: string; close(): Promise<void> }
/** Where that is to be. */
interface Place { readonly port: number; readonly host: string | undefined; readonly called: { readonly port: string; readonly host: string } }

export const start: Command = {
  name: 'start',
  takes: [],
  summary: 'Run the box, and the editor with it, until Ctrl-C',
  options: {
    name: { type: 'string', value: 'NAME', help: `name on the link, before @${hostname()} (default lanpost- and 4 characters of its key)` },
    interface: { type: 'string', value: 'IF', multiple: true, help: 'network interface to use (default all that can multicast)' },
    peer: { type: 'string', value: 'HOST[:PORT]', multiple: true, help: 'keep a stream to the box there, where multicast does not reach' },
    accept: { type: 'string', value: 'NETWORK', multiple: true, help: 'take calls of boxes from there, which is not on the link' },
    'browse-domain': { type: 'string', value: 'DOMAIN', multiple: true, help: 'keep a stream to each box that DNS lists in this domain' },
    'no-editor': { type: 'boolean', help: 'without the Node-RED editor' },
    'editor-port': { type: 'string', value: 'N', help: `port of the editor, 0 for any free one (default ${EDITOR_PORT})` },
    'status-port': { type: 'string', value: 'N', help: 'port of the status page, 0 for any free one (default with the editor, at its port)' },
    'status-host': { type: 'string', value: 'HOST', help: 'address to open that port on, as --editor-host' },
    'editor-host': { type: 'string', value: 'HOST', help: 'address to open it on (default 127.0.0.1: this machine alone); another needs `lanpost editor passwd` first' },
    'link-port': { type: 'string', value: 'N', help: 'TCP port on the link (default 5298, or a free one)' },
    ...ABOUT_OPTIONS,
    'no-personal': { type: 'boolean', help: 'tell nothing of a person on the link: no names, no nick, no addresses' },
  },
  notes: [
    'DIR is made when it is missing, for this user alone; one that holds other things must be closed to others already.',
    'Ctrl-C once leaves the link, syncs and closes; twice ends it at once.',
  ],
  examples: ['lanpost start', 'lanpost start --name workshop --interface eth0 --no-editor --dir /var/lib/lanpost'],
  async run(context) {
    const { args, signal } = context;
    const dir = absolute(context.dir);
    const editorPlace = args.flag('no-editor') ? undefined : placeOf(args, 'editor', EDITOR_PORT);
    const statusPlace = placeOf(args, 'status');
    const box = await openBox(boxOptions(context, dir), dir);
    const open: Pages[] = [];
    try {
      const seen = lookAround(box, signal);
      seen.catch(() => undefined); // waited for below, when the editor is up
      if (statusPlace) open.push(await openPages(box, dir, statusPlace, false));
      if (editorPlace) open.push(await openPages(box, dir, editorPlace, true));
      await seen;
      if (signal.aborted) return 0;
      await announce(context, box, Object.assign({}, ...open.toReversed()));
      await follow(context, box);
      // Whoever started it to be told does not take its end for one that was asked for.
      if (signal.reason instanceof BrokenPipe) throw new Error('nobody reads the output any more, so the box was stopped');
      return 0;
    } finally {
      for (const pages of open.toReversed()) await pages.close();
      await box.close();
    }
  },
};

function boxOptions({ args }: Context, dir: string): BoxOptions {
  const name = args.text('name');
  const interfaces = args.list('interface');
  const port = args.number('link-port', { least: 0, most: HIGHEST_PORT });
  const [peers, accept, domains] = [args.list('peer'), args.list('accept'), args.list('browse-domain')];
  return {
    dir,
    ...name === undefined ? {} : { name },
    link: {
      ...interfaces === undefined ? {} : { interfaces }, ...port === undefined ? {} : { port },
      about: aboutOf(args),
      ...args.flag('no-personal') ? { personal: false } : {},
      ...peers === undefined ? {} : { peers }, ...accept === undefined ? {} : { accept }, ...domains === undefined ? {} : { domains },
    },
  };
}

async function openBox(options: BoxOptions, dir: string): Promise<Box> {
  try {
    return await createBox(options);
  } catch (error) {
    if (!(error instanceof LanpostError && error.code === 'locked')) throw error;
    throw new LanpostError('locked', `a box is running in ${dir} already: see \`lanpost status --dir ${dir}\`, or give this one another --dir`, { cause: error });
  }
}

/** Undefined without a port, where none is usual. */
function placeOf(args: Context['args'], what: 'editor' | 'status', usual?: number): Place | undefined {
  const called = { port: `--${what}-port`, host: `--${what}-host` };
  const port = args.number(`${what}-port`, { least: 0, most: HIGHEST_PORT }) ?? usual;
  const host = args.text(`${what}-host`);
  if (port === undefined && host !== undefined) throw new UsageError(`${called.host} says where ${called.port} N is, which is missing`);
  return port === undefined ? undefined : { port, host, called };
}

/** Imported only here: a box without editor never loads Node-RED, and one without pages no HTTP. */
async function openPages(box: Box, dir: string, { host, ...place }: Place, withEditor: boolean): Promise<Pages> {
  const [{ openFront }, { openStatusPage }] = await Promise.all([import('../../front/front.ts'), import('../../web/status-page.ts')]);
  const front = await openFront({ dir, ...place, ...host === undefined ? {} : { host } });
  const status = openStatusPage({ box, front, editor: withEditor });
  try {
    const editor = withEditor ? await (await import('../../editor/editor.ts')).startEditor({ box, dir, port: front }) : undefined;
    return {
      status: status.url,
      ...editor === undefined ? {} : { editor: editor.url },
      async close() {
        status.close();
        try {
          await editor?.close();
        } finally {
          await front.close();
        }
      },
    };
  } catch (error) {
    status.close();
    await front.close();
    throw error;
  }
}

/** The first peers take about a second to answer; nobody is waited for longer. */
async function lookAround(box: Box, signal: AbortSignal): Promise<void> {
  const until = performance.now() + LOOK_AROUND;
  for (;;) {
    const { link, peers } = await box.status();
    if (signal.aborted || performance.now() >= until || link.state === 'off' || link.state === 'failed' || (link.state === 'up' && peers > 0)) return;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

async function announce({ args, out }: Context, box: Box, pages: Omit<Pages, 'close'>): Promise<void> {
  const [status, peers] = await Promise.all([box.status(), box.peers.list()]);
  const missing = absent(args.list('interface'));
  if (out.json) {
    await out.print({ event: 'ready', editor: pages.editor ?? null, statusPage: pages.status ?? null, ...status, peers, ...missing.length === 0 ? {} : { waitsFor: missing } }, () => '');
    return;
  }
  for (const [word, what] of lines(status, peers, pages, missing)) void out.line(`${out.style('bold', word.padEnd(7))} ${what}`);
  await out.line(out.terminal ? 'ready; Ctrl-C stops it' : 'ready');
}

/** Named, and not up: it may come later, as a radio does, or the name is mistaken. */
function absent(named: readonly string[] = []): string[] {
  return named.filter((name) => !Object.hasOwn(networkInterfaces(), name));
}

function lines({ name, dir, link, homes }: BoxStatus, peers: readonly Peer[], pages: Omit<Pages, 'close'>, missing: readonly string[]): [string, string][] {
  const where = link.state === 'up' ? `${link.interfaces.join(', ')}; port ${link.port}` : `link ${link.state}${link.reason === undefined ? '' : `: ${link.reason}`}`;
  return [
    ['editor', pages.editor ?? 'off'],
    ...pages.status === undefined ? [] : [['status', pages.status] as [string, string]],
    ['name', `${printable(name)} (${where})`],
    ...missing.map((iface): [string, string] => ['waits', `for ${printable(iface)}, which is not up: it is used as soon as it is`]),
    ['peers', peers.length === 0 ? 'none yet' : peers.map((peer) => printable(peer.name)).join(', ')],
    ...homes.length === 0 ? [['home', 'none configured: purely local'] as [string, string]] : [],
    ...homes.map((home): [string, string] => ['home', printable(`${home.jid}: ${homeInWords(home)}`)]),
    ['data', dir],
  ];
}

/** Until it is told to stop. What happens meanwhile is told to a terminal, and as JSON; else only what goes wrong, where a system's log finds it. */
async function follow({ out, dir, signal, note }: Context, box: Box): Promise<void> {
  const stopped = aborted(signal);
  const told = out.terminal || out.json
    ? [tellPeers(out, box, signal), tellOffers(out, box, dir === USUAL_DIR ? dir : absolute(dir), signal), tellHomes(out, box, signal), tellTroubles(box, signal, (trouble) => printTrouble(out, trouble))]
    : [tellTroubles(box, signal, ({ message, kind }) => note(`${printable(message)} (${kind})`))];
  // A reader that has stalled is not waited for once it is to end.
  await Promise.race([stopped, Promise.all([stopped, ...told])]);
}

async function tellPeers(out: Output, box: Box, signal: AbortSignal): Promise<void> {
  const known = new Set((await box.peers.list()).map((peer) => peer.name));
  await untilAborted(signal, async () => {
    for await (const event of box.peers.watch({ signal })) {
      const { type, peer } = event;
      const news = type === 'changed' ? false : known.has(peer.name) === (type === 'down');
      if (type === 'up') known.add(peer.name);
      if (type === 'down') known.delete(peer.name);
      if (out.json) await out.print({ event: 'peer', ...event }, () => '');
      else if (news) await printPeerEvent(out, event);
    }
  });
}

async function tellOffers(out: Output, box: Box, dir: string, signal: AbortSignal): Promise<void> {
  await untilAborted(signal, async () => { for await (const offer of box.files.offers({ signal })) await printOffer(out, offer, dir); });
}

/** On a terminal, whether a home is there is seen from what it is asked for; how far a backlog is from nothing else. A program is told both. */
async function tellHomes(out: Output, box: Box, signal: AbortSignal): Promise<void> {
  await untilAborted(signal, async () => { for await (const event of box.homes.watch({ signal })) if (out.json || event.type !== 'state') await printHomeEvent(out, event); });
}

async function tellTroubles(box: Box, signal: AbortSignal, tell: (trouble: Trouble) => Promise<void>): Promise<void> {
  await untilAborted(signal, async () => { for await (const trouble of box.troubles({ signal })) await tell(trouble); });
}

/** In words first; by its kind `status` counts it. */
export function printTrouble(out: Output, trouble: Trouble): Promise<void> {
  return out.print({ event: 'trouble', ...trouble }, () => `${out.style('yellow', 'trouble')}  ${printable(trouble.message)}  ${out.style('dim', trouble.kind)}`);
}

async function untilAborted(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!signal.aborted && !(error instanceof BrokenPipe)) throw error;
  }
}
