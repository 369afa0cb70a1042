import type { Node, NodeAPI } from 'node-red';
import type { Box, HomeStatus } from '../../src/index.ts';
import { ageInWords } from './age-in-words.ts';
import { isBoxNode } from './box-node.ts';

/** A home account of the box, as a dialog shows it. */
export type HomeLine = Pick<HomeStatus, 'jid' | 'state' | 'reason'> & {
  /** Records that are not at home yet. */
  readonly left: number;
  /** About how many bytes these have. */
  readonly leftBytes: number;
  /** How long the oldest of them has waited, in words. */
  readonly oldest: string;
  /** A node that is deployed says it to the box. */
  readonly deployed: boolean;
  /** Another of its group is there: what waits goes on to that one. */
  readonly grouped: boolean;
};

export async function homesOf(RED: NodeAPI, box: Box): Promise<HomeLine[]> {
  const [homes, deployed] = await Promise.all([box.homes.list(), deployedTo(RED, box)]);
  return homes.map(({ jid, state, reason, queued, left = 0, queuedBytes, oldestAge, group }) => ({
    // What has got there and has not settled has bytes, too, which do not wait.
    jid, state, ...(reason === undefined ? {} : { reason }), left, leftBytes: left === 0 ? 0 : Math.round((queuedBytes * left) / Math.max(queued, left)), oldest: ageInWords(oldestAge),
    deployed: deployed.has(jid), grouped: group !== undefined && homes.some((one) => one.jid !== jid && one.group?.name === group.name),
  }));
}

/** Whether it is removed, with what waits for it; one that a node would say to the box anew is not. */
export async function removeHome(RED: NodeAPI, box: Box, jid: string): Promise<'removed' | 'deployed' | 'unknown'> {
  const line = (await homesOf(RED, box)).find((one) => one.jid === jid);
  if (!line) return 'unknown';
  if (line.deployed) return 'deployed';
  await box.homes.remove(jid);
  return 'removed';
}

/** A row that was taken away leaves its account in the box: that is said once, where whoever did it looks. */
export async function tellLeftHomes(RED: NodeAPI, node: Node, box: Box, jids: ReadonlySet<string>): Promise<void> {
  for (const line of await homesOf(RED, box)) {
    if (line.deployed || !jids.has(line.jid)) continue;
    node.warn(`the home account ${line.jid} stays in the box, which goes on with it; ${waitsInWords(line)}: remove it in the dialog of lanpost box when nothing is to go there any more`);
  }
}

/** What an account has not got yet, in words. */
export function waitsInWords({ left, leftBytes }: Pick<HomeLine, 'left' | 'leftBytes'>): string {
  return left === 0 ? 'nothing waits for it' : `${left === 1 ? '1 record waits' : `${left} records wait`} for it, about ${leftBytes} bytes`;
}

/** What all nodes say to that box; of a box that is not open yet it is not known which it is. */
async function deployedTo(RED: NodeAPI, box: Box): Promise<ReadonlySet<string>> {
  const ids: string[] = [];
  RED.nodes.eachNode(({ id, type }) => { if (type === 'lanpost box') ids.push(id); });
  const { fingerprint } = await box.status();
  const accounts = await Promise.all(ids.map(async (id) => {
    const node: Node | null | undefined = RED.nodes.getNode(id);
    if (!node || !isBoxNode(node)) return [];
    const { state } = node.connection;
    const isOther = state.phase === 'open' && state.box !== box && await state.box.status().then((status) => status.fingerprint !== fingerprint, () => false);
    return isOther ? [] : [...node.accounts];
  }));
  return new Set(accounts.flat());
}
