import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { checkDiscoveryPort } from '../../../src/link/doctor/discovery-port.ts';
import { checkInterfaces } from '../../../src/link/doctor/interfaces.ts';
import { createMachine, parseArp, parseRoutes, parseUdp, type MachineInterface } from '../../../src/link/doctor/machine.ts';

const UDP = `   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  362: FB0000E0:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 11111 2 0000000000000000 0
  363: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000   106        0 22222 2 0000000000000000 0
  900: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 33333 2 0000000000000000 0
`;

describe('what the system says of this machine', () => {
  it('the sockets on a port', () => {
    expect(parseUdp(UDP, 5353)).toEqual(['11111', '22222']);
    expect(parseUdp(UDP, 53)).toEqual(['33333']);
    expect(parseUdp('', 53)).toEqual([]);
    expect(parseUdp('garbage\nmore : of\n it', 53)).toEqual([]);
  });

  it('the neighbours that have answered', () => {
    expect(parseArp(`IP address       HW type     Flags       HW address            Mask     Device
10.77.0.2        0x1         0x2         aa:bb:cc:dd:ee:ff     *        eth0
10.77.0.3        0x1         0x0         00:00:00:00:00:00     *        eth0
`)).toEqual([{ address: '10.77.0.2', interface: 'eth0' }]);
  });

  it('the routers', () => {
    expect(parseRoutes(`Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	FE01A8C0	0003	0	0	0	00000000	0	0	0
eth0	0001A8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
`)).toEqual([{ address: '192.168.1.254', interface: 'eth0' }]);
  });

  it.runIf(process.platform === 'linux')('this process is found by the port it has open, and the interfaces have no loopback', async () => {
    const socket = createSocket('udp4').bind(0, '127.0.0.1');
    await once(socket, 'listening');
    const machine = createMachine();
    expect((await machine.holders(socket.address().port)).map(({ pid }) => pid)).toEqual([process.pid]);
    socket.close();
    expect((await machine.interfaces())?.map(({ name }) => name)).not.toContain('lo');
  });
});

describe('interfaces', () => {
  const eth0 = { name: 'eth0', addresses: [{ address: '10.0.0.1', family: 4, prefix: 24 }] } as const;
  const facts = (given: Partial<MachineInterface> = {}): MachineInterface => ({ name: 'eth0', up: true, carrier: true, broadcast: true, multicast: true, mtu: 1500, ...given });
  const wg0 = { name: 'wg0', addresses: [{ address: '10.9.0.1', family: 4, prefix: 24 }] } as const;
  const tunnel = facts({ name: 'wg0', broadcast: false, multicast: false });

  it('that are well are well, also where the system says nothing', () => {
    expect(checkInterfaces({ usable: [eth0], machine: [facts()] })).toMatchObject([{ level: 'ok', interface: 'eth0', evidence: ['addresses 10.0.0.1/24'] }]);
    expect(checkInterfaces({ usable: [eth0], machine: undefined })).toMatchObject([{ level: 'ok' }]);
  });

  it('without multicast are a problem; a tunnel beside another is not', () => {
    expect(checkInterfaces({ usable: [eth0], machine: [facts({ multicast: false })] })).toMatchObject([{ level: 'problem', cause: 'no-multicast' }]);
    expect(checkInterfaces({ usable: [eth0, wg0], machine: [facts(), tunnel] })).toMatchObject([{ level: 'ok' }, { level: 'note', cause: 'no-multicast', interface: 'wg0' }]);
    expect(checkInterfaces({ usable: [wg0], machine: [tunnel] })).toMatchObject([{ level: 'problem', cause: 'no-multicast' }]);
  });

  it('that are down, unplugged or bare are told apart', () => {
    const of = (given: Partial<MachineInterface>, only?: readonly string[]) => checkInterfaces({ usable: [], machine: [facts(given)], ...(only ? { only } : {}) });
    expect(of({ up: false, carrier: false })).toMatchObject([{ cause: 'link-down', evidence: ['eth0 is switched off'], advice: expect.stringContaining('ip link set eth0 up') }]);
    expect(of({ carrier: false })).toMatchObject([{ cause: 'link-down', evidence: ['eth0 is not connected to anything'], advice: expect.stringContaining('cable') }]);
    expect(of({})).toMatchObject([{ cause: 'no-interface', evidence: ['eth0 has no address'] }]);
    expect(of({}, ['eth7'])).toMatchObject([{ cause: 'no-interface', message: expect.stringContaining('eth7') }]);
    expect(checkInterfaces({ usable: [], machine: [] })).toMatchObject([{ cause: 'no-interface' }]);
  });

  it('that the box may not use do not count', () => {
    expect(checkInterfaces({ usable: [eth0, wg0], machine: [facts(), tunnel], only: ['eth0'] })).toMatchObject([{ level: 'ok', interface: 'eth0' }]);
  });
});

describe('the port of discovery', () => {
  const avahi = { program: 'avahi-daemon', pid: 612 };
  const check = (holders: { program: string; pid: number }[], failure?: string) => checkDiscoveryPort({ holders: () => Promise.resolve(holders), asking: failure === 'EADDRINUSE', failure: () => Promise.resolve(failure) });

  it('may be shared', async () => {
    expect(await check([avahi, { program: 'node', pid: process.pid }])).toMatchObject([{ level: 'ok', evidence: ['shared with avahi-daemon (process 612)'] }]);
  });

  it('may be held, by somebody who is named if that is known', async () => {
    expect(await check([avahi], 'EADDRINUSE')).toMatchObject([{ cause: 'port-held', message: expect.stringMatching(/^avahi-daemon \(process 612\) holds/), evidence: [expect.any(String), 'avahi-daemon (process 612) has it open', expect.stringContaining('not found')] }]);
    expect(await check([], 'EADDRINUSE')).toMatchObject([{ cause: 'port-held', message: expect.stringMatching(/^Another program holds/), advice: expect.stringContaining('ss -ulpn') }]);
  });

  it('may be forbidden', async () => {
    expect(await check([], 'EACCES')).toMatchObject([{ cause: 'port-held', message: expect.stringContaining('does not let this program'), advice: expect.stringContaining('security profile') }]);
  });
});
