import { resolve } from 'node:path';
import type { Node, NodeAPI, NodeDef } from 'node-red';
import type { Box } from '../src/index.ts';
import { BOX_CLOSES_MS, BoxConnection } from './shared/box-connection.ts';
import { onClose } from './shared/box-node.ts';
import { BoxPool, type BoxLease, type BoxUser } from './shared/box-pool.ts';
import { serveAdmin } from './shared/box-admin.ts';
import { serveBox } from './shared/box-routes.ts';
import { filledIn } from './shared/filled-in.ts';
import { applyHomes, HOME_SLOTS, jidsOf } from './shared/home-accounts.ts';
import { serveHomes } from './shared/home-routes.ts';
import { unlessAborted } from './shared/reading.ts';
import { choiceOf, isOn } from './shared/saved-field.ts';
import { FlowsStarted } from './shared/flows-started.ts';
import { tellLeftBox } from './shared/left-box.ts';
import { tellLeftHomes } from './shared/left-homes.ts';
import { servePairings } from './shared/pairing-routes.ts';
import { serveReaders } from './shared/reader-routes.ts';

/** For what a deleted node has to say of what it leaves, of the time it has to close. */
const TELL_MS = 1000;

/** `auto`: the box that runs this editor, or else one of its own. */
const MODES = ['auto', 'own', 'attach'] as const;

interface BoxDef extends NodeDef {
  readonly mode: (typeof MODES)[number];
  readonly dir: string;
  /** Its name on the link, when it is its own. */
  readonly boxName: string;
  readonly link: boolean | string;
  /** Of the network, with commas between; empty: all that can be used. */
  readonly interfaces?: string;
  readonly homes?: unknown;
}

function isBoxDef(def: NodeDef): def is BoxDef {
  return def.type === 'lanpost box';
}

export default function register(RED: NodeAPI): void {
  // One pool per Node-RED: it knows which config node has which data directory.
  const pool = new BoxPool();
  const flows = new FlowsStarted(RED.events);
  const settings: { readonly userDir?: string | undefined; readonly lanpost?: { readonly box?: Box } } = RED.settings;

  /** By config node, what the last deployment said. */
  const saidBefore = new Map<string, ReadonlySet<string>>();

  function LanpostBox(this: Node<Record<string, string>> & { connection?: BoxConnection; accounts?: ReadonlySet<string> }, saved: BoxDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const { homes } = def;
    const credentials = this.credentials ?? {};
    const said = jidsOf(homes);
    this.accounts = said;
    const leaving = new AbortController();
    const apply = async (box: Box): Promise<void> => {
      await applyHomes(box, homes, credentials, { said, failed: (words) => this.error(words), signal: leaving.signal });
      if (leaving.signal.aborted) return;
      const before = saidBefore.get(this.id) ?? new Set();
      saidBefore.set(this.id, said);
      await tellLeftHomes(RED, this, box, new Set([...before].filter((jid) => !said.has(jid)))).catch(() => undefined); // the box has gone away, which is told
    };
    this.connection = new BoxConnection({
      take: async () => {
        const lease = await takeBox(def, { id: this.id, label: this.name || def.dir || this.id });
        // Not waited for: a home that is slow to be added keeps no flow from its box.
        void apply(lease.box);
        return lease;
      },
      trouble: (trouble) => this.warn(trouble.message),
      flowsStarted: () => flows.next(),
    });
    onClose(this, async (removed) => {
      leaving.abort();
      const state = this.connection?.state;
      // One of its own ends with it, and does nothing for its accounts until it is opened again.
      const goesOn = def.mode === 'attach' || embeddingOf(def) !== undefined;
      if (removed && goesOn && state?.phase === 'open') {
        this.accounts = new Set();
        await unlessAborted(tellLeftHomes(RED, this, state.box, said), AbortSignal.timeout(TELL_MS)).catch(() => undefined); // a box that does not answer: deleting the node does not wait for it
      }
      if (!removed && state?.phase === 'open' && goesElsewhere(this, def)) {
        saidBefore.delete(this.id);
        this.accounts = new Set();
        await unlessAborted(tellLeftBox(RED, this, state.box, { said, goesOn }), AbortSignal.timeout(TELL_MS)).catch(() => undefined); // as above
      }
      await this.connection?.close();
    }, BOX_CLOSES_MS);
  }

  /** Whether the deployment that closes the node gives it another box: Node-RED has the new flows by then. */
  function goesElsewhere(node: Node, def: BoxDef): boolean {
    let next: BoxDef | undefined;
    RED.nodes.eachNode((one) => { if (one.id === node.id && isBoxDef(one)) next = one; });
    return next !== undefined && placeOf(filledIn(RED, node, next)) !== placeOf(def);
  }

  /** Which box the node means, as far as that can be said without opening it. */
  function placeOf(def: BoxDef): string {
    if (embeddingOf(def)) return 'embedded';
    return `${def.mode === 'attach' ? 'attach' : 'own'}:${resolve(settings.userDir ?? '.', def.dir || 'lanpost')}`;
  }

  /** The box that runs the editor, where the node means that. */
  function embeddingOf({ mode }: BoxDef): Box | undefined {
    return (mode ?? 'auto') === 'auto' ? settings.lanpost?.box : undefined;
  }

  async function takeBox(def: BoxDef, user: BoxUser): Promise<BoxLease> {
    choiceOf('mode', def.mode, MODES);
    const embedding = embeddingOf(def);
    // Whoever runs the editor closes it.
    if (embedding) return { box: embedding, release: () => Promise.resolve() };
    if (def.mode === 'attach' && !def.dir) throw new Error('say which data directory the running box has');
    const dir = resolve(settings.userDir ?? '.', def.dir || 'lanpost');
    const attach = def.mode === 'attach';
    // Any number may attach to one that runs.
    return pool.take(attach ? `attach:${dir}:${user.id}` : dir, user, async () => {
      // Loaded when first used: a Node-RED that has the nodes but no flow with them pays nothing.
      const { attachBox, createBox } = await import('../src/index.ts');
      if (attach) return attachBox({ dir });
      const interfaces = (def.interfaces ?? '').split(',').map((one) => one.trim()).filter(Boolean);
      return createBox({
        dir,
        ...(def.boxName ? { name: def.boxName } : {}),
        ...(isOn('link', def.link) ? interfaces.length > 0 ? { link: { interfaces } } : {} : { link: false }),
      });
    });
  }

  serveBox(RED, settings.lanpost?.box);
  serveHomes(RED, settings.lanpost?.box);
  serveReaders(RED, settings.lanpost?.box);
  servePairings(RED, settings.lanpost?.box);
  serveAdmin(RED, settings.lanpost?.box, settings.userDir);
  RED.nodes.registerType('lanpost box', LanpostBox, {
    // Tells the editor's dialog what `auto` means here.
    settings: { lanpostBoxEmbedded: { value: settings.lanpost?.box !== undefined, exportable: true } },
    credentials: Object.fromEntries(Array.from({ length: HOME_SLOTS }, (_, slot) => [`password${slot}`, { type: 'password' as const }])),
  });
}
