import { afterEach, describe, expect, it } from 'vitest';
import { LanpostError } from '../../src/errors.ts';
import type { Channel, Family, Network, Source } from '../../src/mdns/network.ts';

export interface NetworkSetup {
  /** Two programs on one host. */
  readonly first: Network;
  readonly second: Network;
  readonly interface: string;
  /** Address of that host there. */
  readonly address: string;
  readonly family: Family;
  /** Time for what was sent to arrive. */
  pass(): Promise<void>;
}

interface Heard { readonly text: string; readonly from: Source }

/** What the engine relies on, whichever network it is given. */
export function describeNetwork(name: string, setup: () => NetworkSetup): void {
  describe(`network: ${name}`, () => {
    const channels: Channel[] = [];
    afterEach(async () => { await Promise.all(channels.splice(0).map((channel) => channel.close())); });

    const open = async (network: Network, { interface: iface, family }: NetworkSetup, asking = false): Promise<{ channel: Channel; heard: Heard[] }> => {
      const heard: Heard[] = [];
      // The machine's other programs may speak, too.
      const channel = await network.open(iface, family, (bytes, from) => {
        const text = Buffer.from(bytes).toString();
        if (text.startsWith('suite')) heard.push({ text, from });
      }, asking);
      channels.push(channel);
      return { channel, heard };
    };

    it('has interfaces with addresses and the length of their prefixes', () => {
      const { first, interface: iface, address } = setup();
      const found = first.interfaces().find((one) => one.name === iface);
      expect(found?.addresses.find((own) => own.address === address)?.prefix).toBeGreaterThan(0);
    });

    it('carries what one program multicasts to the others on its host, and not back to itself', async () => {
      const at = setup();
      const [a, b] = [await open(at.first, at), await open(at.second, at)];
      a.channel.send(Buffer.from('suite one'));
      await at.pass();
      expect(b.heard).toEqual([{ text: 'suite one', from: { address: at.address, port: 5353 } }]);
      expect(a.heard).toEqual([]);
      expect(a.channel.counts()).toMatchObject({ sent: 1, echoed: 1, failed: 0 });
    });

    it('lets one ask from a port of its own: the question reaches all, the answer only it', async () => {
      const at = setup();
      const [a, b] = [await open(at.first, at, true), await open(at.second, at)];
      a.channel.send(Buffer.from('suite question'));
      await at.pass();
      const [question] = b.heard;
      expect(question).toMatchObject({ text: 'suite question', from: { address: at.address } });
      expect(question?.from.port).not.toBe(5353);
      b.channel.send(Buffer.from('suite answer'), question?.from);
      b.channel.send(Buffer.from('suite to all'));
      await at.pass();
      expect(a.heard).toEqual([{ text: 'suite answer', from: { address: at.address, port: 5353 } }]);
    });

    it('is silent after it was closed; sending then is harmless', async () => {
      const at = setup();
      const [a, b] = [await open(at.first, at), await open(at.second, at)];
      await b.channel.close();
      b.channel.send(Buffer.from('suite late'));
      a.channel.send(Buffer.from('suite later'));
      await at.pass();
      expect([a.heard, b.heard]).toEqual([[], []]);
      channels.splice(channels.indexOf(b.channel), 1);
    });

    it('rejects an interface that is not there', async () => {
      const { first, family } = setup();
      await expect(first.open('nowhere0', family, () => undefined)).rejects.toBeInstanceOf(LanpostError);
    });
  });
}
