import type { Finding } from '../../api.ts';
import type { InterfaceInfo } from '../../mdns/network.ts';
import { listed, note, ok, problem } from './finding.ts';
import type { MachineInterface } from './machine.ts';

const CHECK = 'interfaces';

export interface InterfaceFacts {
  /** Those that have an address and are up. */
  readonly usable: readonly InterfaceInfo[];
  /** What the system says of all; undefined when it says nothing. */
  readonly machine: readonly MachineInterface[] | undefined;
  /** The only ones that the box may use. */
  readonly only?: readonly string[] | undefined;
}

/** Is there a network interface at all, and may it multicast? */
export function checkInterfaces({ usable, machine = [], only }: InterfaceFacts): Finding[] {
  const used = usable.filter(({ name }) => !only || only.includes(name));
  const unused = machine.filter(({ name }) => (!only || only.includes(name)) && !used.some((one) => one.name === name));
  if (used.length === 0) return [nothingToUse(unused, only)];
  return used.map((iface) => {
    const addresses = iface.addresses.map(({ address, prefix }) => `${address}/${prefix}`);
    const facts = machine.find(({ name }) => name === iface.name);
    const evidence = [`addresses ${listed(addresses)}`];
    const where = { interface: iface.name };
    if (!facts || facts.multicast) return ok(CHECK, `${iface.name} is up and has an address.`, evidence, where);
    const said = {
      ...where,
      evidence: [...evidence, 'the flag MULTICAST is not set'],
      advice: `Switch it on with \`ip link set ${iface.name} multicast on\` (as root); if it is off again after a restart, look into what configures the network.`,
    };
    // A tunnel has no use for it, and does not count while there is something else.
    return facts.broadcast || used.length === 1
      ? problem(CHECK, 'no-multicast', { ...said, message: `Multicast is switched off on ${iface.name}, and without it nobody can be found there.` })
      : note(CHECK, 'no-multicast', { ...said, message: `${iface.name} cannot multicast, as is usual for a tunnel: nobody is looked for there.` });
  });
}

function nothingToUse(unused: readonly MachineInterface[], only: readonly string[] | undefined): Finding {
  const down = unused.filter(({ up }) => !up);
  const unplugged = unused.filter(({ up, carrier }) => up && !carrier);
  const bare = unused.filter(({ up, carrier }) => up && carrier);
  const evidence = [
    ...(only ? [`the box may use ${listed(only)} only`] : []),
    ...down.map(({ name }) => `${name} is switched off`),
    ...unplugged.map(({ name }) => `${name} is not connected to anything`),
    ...bare.map(({ name }) => `${name} has no address`),
  ];
  if (unplugged.length > 0 || down.length > 0) {
    const names = listed([...unplugged, ...down].map(({ name }) => name));
    return problem(CHECK, 'link-down', {
      message: `This machine is not connected to any network: ${names} ${unplugged.length + down.length > 1 ? 'are' : 'is'} down.`,
      evidence,
      advice: unplugged.length > 0
        ? 'Plug in the cable, or join the Wi-Fi; look at the light of the socket at both ends.'
        : `Switch it on with \`ip link set ${down[0]?.name ?? ''} up\` (as root), or in the system's network settings.`,
    });
  }
  return problem(CHECK, 'no-interface', {
    message: only ? `There is no network interface of the name ${listed(only)} with an address.` : 'This machine has no network interface with an address.',
    evidence: evidence.length > 0 ? evidence : ['only the loopback interface is there'],
    advice: only ? 'Give `lanpost start` an interface that `ip address` shows, with --interface, or none to use them all.'
      : 'Connect this machine to the network, and see that it is given an address (`ip address` shows it).',
  });
}
