import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { Finding } from '../../api.ts';
import { MDNS_PORT } from '../../mdns/network.ts';
import { listed, ok, problem } from './finding.ts';
import type { Machine } from './machine.ts';

const CHECK = 'discovery-port';

/** May the port of multicast DNS be shared, and with whom? */
export interface PortFacts extends Pick<Machine, 'holders'> {
  /** The box asks from another port meanwhile: it finds others, but is not found. */
  readonly asking: boolean;
  /** Code of the system's error, to whoever wants to share it. */
  readonly failure?: () => Promise<string | undefined>;
}

export async function checkDiscoveryPort({ holders: holding, asking, failure = tryToShare }: PortFacts): Promise<Finding[]> {
  const holders = await holding(MDNS_PORT);
  const failed = await failure();
  const others = holders.filter(({ pid }) => pid !== process.pid).map(({ program, pid }) => `${program} (process ${pid})`);
  if (failed === undefined) {
    return [ok(CHECK, 'UDP port 5353, by which machines find each other, can be used.', others.length > 0 ? [`shared with ${listed(others)}`] : [])];
  }
  const evidence = [`the system answers ${failed} to whoever wants to use UDP port 5353`, ...others.map((other) => `${other} has it open`), ...asking ? ['meanwhile the box asks from another port: it finds others, but is not found'] : []];
  if (failed !== 'EADDRINUSE') {
    return [problem(CHECK, 'port-held', {
      message: 'The system does not let this program use UDP port 5353, by which machines find each other.', evidence,
      advice: 'Look for a security profile (AppArmor, SELinux, a container without network rights) that forbids it.',
    })];
  }
  const who = others.length > 0 ? listed(others) : 'Another program';
  return [problem(CHECK, 'port-held', {
    message: `${who} holds UDP port 5353, by which machines find each other, and does not share it.`, evidence,
    advice: others.length > 0 ? `Stop ${who}, or have it share the port (SO_REUSEADDR), then wait two seconds: the box takes it up by itself.`
      : 'Find it with `ss -ulpn sport = :5353` as root, and stop it or have it share the port; the box takes it up by itself.',
  })];
}

/** Code of the system's error. Closed at once: while it is open, packets to this host alone may go astray. */
async function tryToShare(): Promise<string | undefined> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true });
  try {
    socket.bind(MDNS_PORT, '0.0.0.0');
    await once(socket, 'listening');
    return undefined;
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  } finally {
    socket.close();
  }
}
