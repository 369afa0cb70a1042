import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Connections, MOST_CONNECTIONS, MOST_OF_ONE } from '../../src/front/connections.ts';

class Caller extends EventEmitter {
  readonly remoteAddress: string;
  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }
  destroy(): this {
    this.emit('close');
    return this;
  }
}
const come = (connections: Connections, address: string, times: number): Caller[] => Array.from({ length: times }, () => new Caller(address)).filter((caller) => connections.admit(caller));

describe('connections', () => {
  it('of one address leave room for others, and those of one IPv6 network count as one', () => {
    const connections = new Connections();
    const held = come(connections, '10.0.0.1', MOST_OF_ONE + 1);
    expect(held).toHaveLength(MOST_OF_ONE);
    expect(come(connections, '::ffff:10.0.0.1', 1)).toHaveLength(0);
    expect(come(connections, '10.0.0.2', 1)).toHaveLength(1);
    held[0]?.destroy();
    expect(come(connections, '10.0.0.1', 2)).toHaveLength(1);
    expect(come(connections, '2001:db8::1', MOST_OF_ONE)).toHaveLength(MOST_OF_ONE);
    expect(come(connections, '2001:db8::2', 1)).toHaveLength(0);
    expect(come(connections, '2001:db8:0:1::2', 1)).toHaveLength(1);
  });

  it('of others are bounded together, and take nothing from this machine', () => {
    const connections = new Connections();
    const others = Array.from({ length: 9 }, (_, at) => come(connections, `10.0.1.${at}`, MOST_OF_ONE)).flat();
    expect(others).toHaveLength(MOST_CONNECTIONS);
    const here = come(connections, '127.0.0.1', MOST_CONNECTIONS + 1);
    expect(here).toHaveLength(MOST_CONNECTIONS);
    for (const caller of others) caller.destroy();
    expect(come(connections, '10.0.2.1', 1)).toHaveLength(1);
    expect(come(connections, '::1', 1)).toHaveLength(0);
  });
});
