import { createTestClock } from '../../src/clock.ts';
import { settled, SimulatedLan } from '../support/simulated-network.ts';
import { describeNetwork } from './network-suite.ts';

for (const family of [4, 6] as const) {
  describeNetwork(`simulated, IPv${family}`, () => {
    const clock = createTestClock();
    const host = new SimulatedLan(clock).host('h1');
    return {
      first: host.network(), second: host.network(), interface: 'eth0', address: host.address(family), family,
      async pass() {
        clock.advance(10);
        await settled();
      },
    };
  });
}
