import { connect, createServer, type Socket } from 'node:net';

/** Something between two ends of a connection that can fall silent: neither end is told. */
export interface Relay {
  readonly port: number;
  freeze(): void;
  close(): void;
}

export async function createRelay(to: { readonly host: string; readonly port: number; readonly localAddress: string }): Promise<Relay> {
  const ends = new Set<Socket>();
  let frozen = false;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ ...to, allowHalfOpen: true });
    for (const [from, onward] of [[near, far], [far, near]] as const) {
      ends.add(from);
      from.on('data', (bytes) => { if (!frozen) onward.write(bytes); });
      from.on('end', () => { if (!frozen) onward.end(); });
      from.on('close', () => { if (!frozen) onward.destroy(); });
      from.on('error', () => undefined); // `close` follows
    }
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const bound = server.address();
  return {
    port: typeof bound === 'object' && bound ? bound.port : 0,
    freeze() { frozen = true; },
    close() {
      for (const end of ends) end.destroy();
      server.close();
    },
  };
}
