import type { Node, NodeAPI, NodeDef } from 'node-red';

const PLACE = /\$\{([^}]+)\}/g;
/** Not the user's to fill in. */
const FIXED: ReadonlySet<string> = new Set(['id', 'type', 'z', 'g', 'box', 'wires', '_alias', 'configVersion', 'slot']);

/**
 * A node's fields with `${NAME}` filled in, from the environment or the properties of its group, flow or
 * subflow. Node-RED does that itself only where it is the whole field. A number or a switch is text in it; one that is not set is told, and empty.
 */
export function filledIn<D extends NodeDef>(RED: NodeAPI, node: Node, def: D): D {
  const filled = (name: string, value: unknown): unknown => {
    if (FIXED.has(name)) return value;
    if (typeof value === 'string') return filledText(RED, node, name, value);
    // Where it is the whole field, Node-RED has put in what the property is.
    if (typeof value === 'number' || typeof value === 'boolean') return String(value);
    if (Array.isArray(value)) return value.map((one) => filled(name, one));
    return typeof value === 'object' && value !== null ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, filled(key, one)])) : value;
  };
  const fields = Object.entries(def).map(([name, value]) => [name, filled(name, value)]);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a field takes text for a number or a switch, too
  return Object.fromEntries(fields) as D;
}

function filledText(RED: NodeAPI, node: Node, field: string, text: string): string {
  return text.replace(PLACE, (_place, name: string) => {
    const value: unknown = RED.util.getSetting(node, name);
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
    node.warn(value === undefined ? `${field}: \${${name}} is not set` : `${field}: \${${name}} is no text`);
    return '';
  });
}
