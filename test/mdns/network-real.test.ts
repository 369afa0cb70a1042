import { setTimeout } from 'node:timers/promises';
import { describe } from 'vitest';
import { createSocketNetwork } from '../../src/mdns/socket-network.ts';
import { describeNetwork } from './network-suite.ts';

// On whatever network this machine has.
const [iface] = createSocketNetwork().interfaces().filter(({ addresses }) => addresses.some(({ family }) => family === 4));

describe.skipIf(!iface)('beside whatever else speaks on this machine', () => {
  describeNetwork('sockets', () => ({
    first: createSocketNetwork(), second: createSocketNetwork(), interface: iface?.name ?? '',
    address: iface?.addresses.find(({ family }) => family === 4)?.address ?? '', family: 4,
    // Nothing tells that a packet will not come.
    pass: async () => { await setTimeout(300); },
  }));
});
