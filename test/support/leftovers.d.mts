/** How many of each there are. */
export type Leftovers = Readonly<Record<'resources' | 'timers' | 'listeners of signals' | 'watchers of boxes' | 'users of boxes', number>>;

export function noteLeftovers(Connection: { readonly prototype: { watch(...args: never[]): () => void; enter(): () => void } }): { count(): Promise<Leftovers> };
