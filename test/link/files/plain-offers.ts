import type { Socket } from 'node:net';
import { seen, type SimulatedLan } from '../fixtures.ts';
import { plainPeer, type PlainStream, purpleHeader } from '../plain-peer.ts';
import type { ServiceBox } from '../service-box.ts';

export interface OfferParts {
  readonly sid?: string;
  readonly name?: string;
  readonly size?: number | string;
  readonly methods?: readonly string[];
}

export const BYTESTREAMS = 'http://jabber.org/protocol/bytestreams';
export const IBB = 'http://jabber.org/protocol/ibb';

/** A peer without a key that a test plays, on a stream of its own to the box. */
export interface PlainSender {
  readonly stream: PlainStream;
  iq(type: 'set' | 'result' | 'error', id: string, payload?: string): void;
  offer(parts?: OfferParts): void;
  /** The answer to the request of that id: result or error, whole. */
  answer(id: string): Promise<string>;
}

export async function plainSender(lan: SimulatedLan, host: number, name: string, box: ServiceBox): Promise<PlainSender> {
  const peer = await plainPeer(lan, host, name);
  await seen(box, name);
  const stream = await peer.dial(lan.address(box.host), box.link.status().port ?? 0);
  stream.write(purpleHeader(name, box.link.name));
  await stream.reads(/<stream:stream[^>]*>/);
  const iq: PlainSender['iq'] = (type, id, payload = '') => stream.write(`<iq type='${type}' id='${id}' from='${name}' to='${box.link.name}'>${payload}</iq>`);
  return {
    stream, iq,
    offer: ({ sid = '0', name: file = 'x', size = 10, methods = [BYTESTREAMS] } = {}) => iq('set', sid, `<si xmlns='http://jabber.org/protocol/si' profile='http://jabber.org/protocol/si/profile/file-transfer' id='${sid}'>`
      + `<file xmlns='http://jabber.org/protocol/si/profile/file-transfer' name='${file}' size='${size}'/><feature xmlns='http://jabber.org/protocol/feature-neg'><x xmlns='jabber:x:data' type='form'>`
      + `<field var='stream-method' type='list-single'>${methods.map((method) => `<option><value>${method}</value></option>`).join('')}</field></x></feature></si>`),
    answer: (id) => stream.reads(new RegExp(`<iq[^>]* id=["']${id}["'][^>]*?(/>|>.*?</iq>)`)),
  };
}

/** A port of that host on the pretended LAN, and whoever comes to it. */
export async function listening(lan: SimulatedLan, host: number): Promise<{ readonly port: number; readonly callers: Socket[] }> {
  const callers: Socket[] = [];
  const door = await lan.tcp(host).listen(lan.address(host), 0, (socket) => {
    socket.on('error', () => undefined);
    callers.push(socket);
    lan.bell.ring();
  });
  lan.onClose(async () => { for (const socket of callers) socket.destroy(); await door.close(); });
  return { port: door.port, callers };
}
