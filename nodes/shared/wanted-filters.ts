/** A filter that a message has a node read. */
export type WantedFilter = { readonly topic: string; readonly durable?: boolean };

/** `msg.topic` as `mqtt in` takes it: a filter, an object with one, or several of them. */
export function wantedIn(topic: unknown): WantedFilter[] {
  const all = (Array.isArray(topic) ? topic : [topic]) as unknown[];
  return all.map((one) => {
    const wanted: { readonly topic?: unknown; readonly durable?: unknown } = typeof one === 'object' && one !== null ? one : { topic: one };
    if (typeof wanted.topic !== 'string' || wanted.topic === '') throw new Error('msg.topic is a filter, an object with the filter as topic, or a list of them');
    return { topic: wanted.topic, ...(typeof wanted.durable === 'boolean' ? { durable: wanted.durable } : {}) };
  });
}
