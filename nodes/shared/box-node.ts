import { setTimeout as sleep } from 'node:timers/promises';
import type { Node, NodeAPI, NodeDef } from 'node-red';
import { BoxConnection, USERS_LEAVE_MS } from './box-connection.ts';

/** What `lanpost box` gives to the nodes that use it. */
export interface BoxNode extends Node {
  readonly connection: BoxConnection;
  /** Home accounts that it says to the box, as that calls them. */
  readonly accounts: ReadonlySet<string>;
}

/** What every node that uses a box saves. */
export interface BoxUserDef extends NodeDef {
  readonly box: string;
}

export const NO_BOX = 'no box: open this node and choose one';

export function connectionOf(RED: NodeAPI, def: BoxUserDef): BoxConnection | undefined {
  const node: Node | null | undefined = RED.nodes.getNode(def.box);
  return node && isBoxNode(node) ? node.connection : undefined;
}

/** Who tells what is left of a node that is deleted: an editor shows nothing of one that is gone, and fails over it. */
export function tellerFor(RED: NodeAPI, node: Node, def: BoxUserDef): Node {
  const box: Node | null | undefined = RED.nodes.getNode(def.box);
  return box ?? node;
}

export function isBoxNode(node: Node): node is BoxNode {
  return 'connection' in node && node.connection instanceof BoxConnection && 'accounts' in node;
}

/** Node-RED's close handler for work that ends asynchronously; `removed`: the node was deleted, or disabled. A box that hangs is not waited for longer than `within` ms. */
export function onClose(node: Node, close: (removed: boolean) => Promise<void>, within: number = USERS_LEAVE_MS): void {
  node.on('close', (removed: boolean, done: () => void) => {
    const closed = new AbortController();
    const late = sleep(within, undefined, { signal: closed.signal }).then(
      () => node.warn('closed without waiting for the box, which does not answer'),
      () => undefined, // it was closed in time
    );
    const closing = close(removed).catch((error: unknown) => node.error(error)).finally(() => closed.abort());
    void Promise.race([closing, late]).finally(done);
  });
}
