// The session of a box at its home, by way of a neighbour: what the neighbour has in its hands is TLS between others.
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createSystemClock } from '../../../src/clock.ts';
import { createHomes } from '../../../src/home/homes.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { startFakeHome } from '../../home/fake-home.ts';
import { acquainted, SimulatedLan } from '../fixtures.ts';
import { serviceBox } from '../service-box.ts';

let lan: SimulatedLan;
afterEach(() => lan.close());

const isRecordType = (type: number): boolean => type >= 20 && type <= 23;

/** RFC 8446 §5.1: type 20 to 23, version 3.x, length. Gives what is no record. */
function besideRecords(bytes: Buffer): string {
  let at = 0;
  while (at + 5 <= bytes.length && isRecordType(bytes.readUInt8(at)) && bytes[at + 1] === 3) at += 5 + bytes.readUInt16BE(at + 3);
  return bytes.toString('latin1', at);
}

test('the neighbour sees a stream header, the request for TLS, and nothing more', async () => {
  lan = new SimulatedLan();
  const home = await startFakeHome(lan.bell);
  lan.onClose(() => home.close());
  const said = { up: Buffer.alloc(0), down: Buffer.alloc(0) };
  const sockets: Socket[] = [];
  // Where the neighbour connects to: what it sends and gets is kept on the way to the home.
  const door = await lan.tcp(5).listen('10.77.0.5', 0, (socket) => {
    const on = connect(home.account.port, home.account.host);
    sockets.push(socket, on);
    for (const one of [socket, on]) one.on('error', () => undefined);
    socket.on('data', (bytes) => { said.up = Buffer.concat([said.up, bytes]); }).pipe(on);
    on.on('data', (bytes) => { said.down = Buffer.concat([said.down, bytes]); }).pipe(socket);
  });
  lan.onClose(async () => {
    for (const socket of sockets) socket.destroy();
    await door.close();
  });
  const to = `10.77.0.5:${door.port}`;
  const [a, b] = await Promise.all([serviceBox(lan, 1, 'a'), serviceBox(lan, 2, 'b')]);
  await acquainted(a, b);
  await a.service.rules.allow('b@h2', 'chat');
  await b.service.rules.allow('a@h1', 'relay', to);

  const closedPort = await lan.tcp(6).listen('10.77.0.6', 0, () => undefined);
  await closedPort.close();
  const clock = lan.bell.heard(createSystemClock());
  const homes = createHomes({
    log: a.log, clock, boxId: a.identity.boxId, trouble: lan.bell.ring, limits: { settle: 100 }, random: () => 0,
    detours: () => a.service.neighbours().map((peer) => ({ via: peer.name, dial: (_own, signal) => a.service.relays.dial(peer, to, signal) })),
  });
  lan.onClose(() => homes.close());
  // Its own road is closed.
  await homes.add({ ...home.account, host: '127.77.0.6', port: closedPort.port, topics: ['#'] });
  await a.broker.publish({ kind: 'owner' }, 'plant', toPayload({ secret: 'the pressure is 12 bar' }));
  await lan.bell.until(() => (home.nodes.get('plant')?.size ?? 0) === 1);
  expect((await homes.list())[0]).toMatchObject({ state: 'online', via: 'b@h2' });
  expect(a.service.neighbours()).toEqual([{ name: 'b@h2', fingerprint: b.identity.fingerprint }]);

  const [up, down] = [said.up.toString('latin1'), said.down.toString('latin1')];
  const [, clear, rest] = /^(.*<starttls[^>]*>)(.*)$/s.exec(up) ?? [];
  expect(clear?.replaceAll(/<\?xml[^>]*>/g, '')).toMatch(/^<stream:stream [^>]*to='home.test'[^>]*><starttls xmlns='[^']*'\/>$/);
  expect(rest?.length).toBeGreaterThan(1_000);
  expect(besideRecords(Buffer.from(rest ?? '', 'latin1'))).toBe('');
  const answered = down.slice(down.indexOf('<proceed')).replace(/^<proceed[^>]*>/, '');
  expect(answered.length).toBeGreaterThan(1_000);
  expect(besideRecords(Buffer.from(answered, 'latin1'))).toBe('');
  for (const word of ['pressure', 'secret', 'edge', 'auth', 'plant']) expect((rest ?? '') + answered).not.toContain(word);
});
