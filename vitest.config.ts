import { defineConfig } from 'vitest/config';

/** Tests that start real programs and measure time: one file at a time, or they starve each other. */
const REAL = ['support', 'interop', 'scenarios', 'faults'].map((room) => `test/${room}/**/*.test.ts`).concat('test/**/*-real.test.ts', 'test/{editor,front,web}/{browser,*-browser}.test.ts');
/** Of those, the ones that spend their time waiting for what a LAN or a home does: five at once starve nobody. */
const LAN = ['interop/{link,files}-*', 'interop/mdns-{avahi,faults,interfaces,zeroconf}', 'interop/{pubsub,commands}-slixmpp', 'faults/{link-*,files}', 'faults/home-{chaos,small-node}-*', 'scenarios/{crossing-calls,doctor,examples,nodes-at-peer,nodes-attached,nodes-on-lan,nodes-reading-there,nodes-redeployed,pairing,renamed,two-links}', 'scenarios/{home-{prosody,ejabberd,down},buddy-road-*,jid-proof,nearest-road}', 'support/*', 'mdns/*-real', '{home,nodes,cli}/*-real', 'home/{recorded,rehearsal}/*-real'].map((name) => `test/${name}.test.ts`);
/** And the ones that kill what they started themselves, and work as fast as they can. */
const CRASH = ['faults/{log,subscription}-*', 'faults/{box,home-held,flow,memory}-kill', 'scenarios/nothing-lost'].map((name) => `test/${name}.test.ts`);
/** Tests that load the whole of Node-RED, each in a process of its own. */
const EDITOR = ['test/editor/**/*.test.ts'];
/** Of a whole test: so that one that hangs ends, on a machine however busy. No test claims a time by it; some that do much say more. */
const LIMIT = { testTimeout: 150_000, hookTimeout: 150_000 };
const ONE_BY_ONE = { ...LIMIT, fileParallelism: false, maxWorkers: 1 };

export default defineConfig({
  test: {
    globalSetup: ['test/support/missing-peers.ts'],
    pool: 'forks',
    maxWorkers: 2,
    teardownTimeout: 20_000,
    // A second is too little for what is polled on a busy machine.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      { extends: true, test: { name: 'fast', include: ['test/**/*.test.ts'], exclude: [...REAL, ...EDITOR], ...LIMIT, maxWorkers: 3, sequence: { groupOrder: 0 } } },
      { extends: true, test: { name: 'editor', include: EDITOR, exclude: REAL, ...ONE_BY_ONE, sequence: { groupOrder: 1 } } },
      { extends: true, test: { name: 'lan', include: LAN, ...LIMIT, maxWorkers: 5, sequence: { groupOrder: 2 } } },
      { extends: true, test: { name: 'crash', include: CRASH, ...LIMIT, maxWorkers: 2, sequence: { groupOrder: 3 } } },
      { extends: true, test: { name: 'real', include: REAL, exclude: [...LAN, ...CRASH], ...ONE_BY_ONE, sequence: { groupOrder: 4 } } },
    ],
  },
});
