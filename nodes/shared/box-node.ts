import type { Node, NodeAPI, NodeDef } from 'node-red';
import { BoxConnection } from './box-connection.ts';

/** What `lanpost box` gives to the nodes that use it. */
export interface BoxNode extends Node {
  readonly connection: BoxConnection;
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

export function isBoxNode(node: Node): node is BoxNode {
  return 'connection' in node && node.connection instanceof BoxConnection;
}

/** Node-RED's close handler for work that ends asynchronously; `removed`: the node was deleted, or disabled. */
export function onClose(node: Node, close: (removed: boolean) => Promise<void>): void {
  node.on('close', (removed: boolean, done: () => void) => {
    close(removed).catch((error: unknown) => node.error(error)).finally(done);
  });
}
