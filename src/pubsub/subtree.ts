/** All that lies below a topic is named by it and a slash, the whole by nothing: `lamp/` holds `lamp/hue`, not `lamp`. */
export function isSubtree(node: string): boolean {
  return node === '' || node.endsWith('/');
}

export type Depth = number | 'all';

/** What of the log a subscription to a topic, or to a subtree down to that depth, reads. */
export function filterOf(node: string, depth: Depth = 'all'): string {
  if (!isSubtree(node)) return node;
  return depth === 1 ? `${node}+` : `${node}+/#`;
}

/** Whether a topic lies no deeper in the subtree than that. */
export function isWithin(node: string, topic: string, depth: Depth): boolean {
  return depth === 'all' || !isSubtree(node) || levels(topic) - levels(node.slice(0, -1)) <= depth;
}

/** The topic or subtree right below `node` in which a topic of it lies. */
export function childOf(node: string, topic: string): string {
  const rest = topic.slice(node.length);
  const end = rest.indexOf('/');
  return end < 0 ? topic : topic.slice(0, node.length + end + 1);
}

/** The subtree that a topic, or a subtree, lies in; the whole lies in none. */
export function parentOf(node: string): string | undefined {
  if (node === '') return undefined;
  const end = (node.endsWith('/') ? node.slice(0, -1) : node).lastIndexOf('/');
  return node.slice(0, end + 1);
}

function levels(topic: string): number {
  return topic === '' ? 0 : topic.split('/').length;
}
