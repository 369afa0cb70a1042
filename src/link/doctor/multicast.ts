// What passes on a link, and what does not: judged by who answers a question to everybody, and how.
import type { Finding } from '../../api.ts';
import type { LinkState } from '../../mdns/state.ts';
import { listed, note, ok, problem, type Said } from './finding.ts';
import type { Neighbour } from './machine.ts';
import type { Sounded } from './soundings.ts';

const CHECK = 'multicast';

/**
 * `likely`: others say to all what was asked for, but perhaps not because it was asked here.
 * `idle`: others are heard, who answer nothing; perhaps they have nothing to offer.
 */
export type Verdict = 'deaf' | 'refused' | 'works' | 'likely' | 'idle' | 'one-way-in' | 'one-way-out' | 'nobody';

export interface MulticastFacts {
  readonly sounded: readonly Sounded[];
  readonly states: readonly LinkState[];
  /** Somebody is there, but of another network, or spoken to alone: that is told elsewhere. */
  readonly elsewhere: boolean;
  /** Peers on this very machine: they are heard without any network. */
  readonly here: readonly string[];
  readonly neighbours: readonly Neighbour[];
  readonly routers: readonly Neighbour[];
}

/** The worst first: of two families that both fail, that one is told. */
const WORST: readonly Verdict[] = ['refused', 'one-way-in', 'one-way-out', 'nobody', 'idle'];

/** Where nothing can be done about the network. */
export const AROUND = 'If the network cannot be changed, let the boxes call each other: `lanpost peers add ADDRESS` on both, with the address of the other.';

export function judge({ deaf, mute, echo, hosts, known, alive }: Sounded): Verdict {
  if (deaf !== undefined) return 'deaf';
  if (mute !== undefined) return 'refused';
  const others = hosts.filter(({ onLink }) => onLink);
  const heard = others.some(({ multicast }) => multicast > 0);
  const answered = others.some(({ answersUs }) => answersUs);
  if (heard && answered) return 'works';
  // What this host sends to all must come back to it; then the others' does not get in either.
  if (!echo || answered) return 'one-way-in';
  // Who answers when it is asked alone, or is a peer and speaks, would answer if the question to all had reached it.
  if (alive.length > 0 || others.some(({ address, multicast }) => multicast > 0 && known.includes(address))) return 'one-way-out';
  if (others.some(({ answersAll }) => answersAll)) return 'likely';
  return heard ? 'idle' : 'nobody';
}

export function checkMulticast(facts: MulticastFacts): Finding[] {
  const names = [...new Set(facts.sounded.map((one) => one.interface.name))];
  const links = names.map((name) => {
    const families = facts.sounded.filter((one) => one.interface.name === name).map((sounded) => ({ sounded, verdict: judge(sounded) }));
    return { name, families };
  });
  const somewhere = links.some(({ families }) => families.some(({ verdict }) => verdict === 'works' || verdict === 'likely'));
  return links.flatMap(({ name, families }) => {
    const said = sayings(name, families, facts);
    const broken = families.filter(({ verdict }) => ['refused', 'one-way-in', 'one-way-out'].includes(verdict));
    const works = families.some(({ verdict }) => verdict === 'works' || (verdict === 'likely' && broken.length === 0));
    const worst = WORST.find((verdict) => families.some((family) => family.verdict === verdict));
    if (works) {
      return [
        ok(CHECK, `Others are found on ${name}, and hear this machine.`, said.evidence, { interface: name }),
        ...broken.flatMap(({ sounded, verdict }) => {
          const found = said.of(verdict);
          return found ? [note(CHECK, found.cause, { ...found.said, message: `Over IPv${sounded.family} alone: ${lowerFirst(found.said.message)}` })] : [];
        }),
      ];
    }
    // That the port is taken is told where the port is looked at.
    if (worst === undefined) return families.every(({ sounded }) => sounded.deaf === 'EADDRINUSE') ? [] : [deafness(name, families.map(({ sounded }) => sounded))];
    if (worst === 'idle') return [ok(CHECK, `Others are heard on ${name}; none of them offers anything.`, said.evidence, { interface: name })];
    const found = worst === 'nobody' && facts.elsewhere ? undefined : said.of(worst);
    if (!found) return [];
    return [worst === 'nobody' && (somewhere || facts.here.length > 0) ? note(CHECK, found.cause, found.said) : problem(CHECK, found.cause, found.said)];
  });
}

interface Family { readonly sounded: Sounded; readonly verdict: Verdict }

function sayings(name: string, families: readonly Family[], facts: MulticastFacts): { evidence: string[]; of(verdict: Verdict): { cause: 'multicast-refused' | 'one-way-in' | 'one-way-out' | 'nobody-heard'; said: Said } | undefined } {
  const evidence = families.map(({ sounded }) => seen(sounded));
  const where = { interface: name };
  const history = facts.states.filter((state) => state.interface === name && state.heard.lastAgo !== undefined)
    .map(({ family, heard }) => `since the box runs it has heard ${heard.packets} packets over IPv${family}, the last ${Math.round((heard.lastAgo ?? 0) / 1_000)} s ago`);
  return {
    evidence,
    of(verdict) {
      switch (verdict) {
        case 'refused': {
          const code = families.find(({ sounded }) => sounded.mute !== undefined)?.sounded.mute ?? '';
          return {
            cause: 'multicast-refused',
            said: {
              ...where, evidence,
              message: ['ENETUNREACH', 'EHOSTUNREACH'].includes(code) ? `This machine knows no way to send multicast out of ${name}, so nobody there learns of it.`
                : `This machine itself does not let multicast out of ${name}, so nobody there learns of it.`,
              advice: ['ENETUNREACH', 'EHOSTUNREACH'].includes(code) ? `Look at \`ip route\`: a rule there leads multicast elsewhere. \`ip route add 224.0.0.0/4 dev ${name}\` mends it.`
                : 'Look at this machine\'s firewall (`nft list ruleset`, `ufw status`): let UDP port 5353 to 224.0.0.251 and ff02::fb out.',
            },
          };
        }
        case 'one-way-in': {
          const own = families.some(({ sounded, verdict: one }) => one === 'one-way-in' && !sounded.echo);
          return {
            cause: 'one-way-in',
            said: {
              ...where,
              evidence: [...evidence, ...own ? ['even what this machine sends to all does not come back to it'] : []],
              message: own ? `Multicast does not get into this machine on ${name}: its own firewall stops it, so nobody is seen.`
                : `Others on ${name} hear this machine, but what they send to all does not arrive here, so nobody is seen.`,
              advice: own ? 'Look at this machine\'s firewall (`nft list ruleset`, `ufw status`): let UDP port 5353 to 224.0.0.251 and ff02::fb in.'
                : 'Look at what is between: a switch that filters multicast for this port (IGMP or MLD snooping without a querier: switch it off, or a querier on), '
                  + `an access point that does not pass multicast on ("multicast filter", "multicast to unicast"), or this machine's firewall. ${AROUND}`,
            },
          };
        }
        case 'one-way-out': {
          const alive = families.flatMap(({ sounded }) => sounded.alive);
          return {
            cause: 'one-way-out',
            said: {
              ...where,
              evidence: [...evidence, ...history, ...alive.length > 0 ? [`asked alone, ${listed(alive)} ${alive.length > 1 ? 'answer' : 'answers'}`] : []],
              message: `Others on ${name} are heard, but what this machine sends to all does not reach them, so they do not see it.`,
              advice: 'Look at the firewall of the other machine (UDP port 5353 must get in), at a switch that filters multicast (IGMP or MLD snooping without a querier: '
                + 'switch it off, or a querier on), at an access point with a multicast filter, and whether both have the same netmask. '
                + `Run \`lanpost doctor\` there too: it says whether multicast gets in. ${AROUND}`,
            },
          };
        }
        case 'nobody': return { cause: 'nobody-heard', said: { ...where, ...nobody(name, [...evidence, ...history], facts) } };
        default: return undefined;
      }
    },
  };
}

/** What looks alike from here, and what tells it apart. */
function nobody(name: string, evidence: readonly string[], { neighbours, routers, here: own }: MulticastFacts): Said {
  const here = neighbours.filter((one) => one.interface === name).map(({ address }) => address);
  const ways = routers.filter((one) => one.interface === name).map(({ address }) => address);
  const router = ways.filter((address) => here.includes(address));
  const machines = here.filter((address) => !ways.includes(address));
  const facts = [
    ...evidence,
    ...router.length > 0 ? [`the router ${listed(router)} is there`] : ways.length > 0 ? [`the router ${listed(ways)} does not answer either`] : [],
    ...own.length > 0 ? [`on this very machine: ${listed(own)}`] : [],
    ...machines.length > 0 ? [`other machines are there: ${listed(machines)}`] : ['no other machine on this network has answered this one'],
  ];
  if (machines.length > 0) {
    return {
      message: `Nobody ${other(own)}on ${name} answers, though other machines are there: either none of them runs such a program, or multicast does not pass.`,
      evidence: facts,
      advice: 'On the other machine, see that lanpost runs (`lanpost status`) and run `lanpost doctor` there too. If both hear nobody, look for a multicast filter in the switch or access point between them.',
    };
  }
  return {
    message: `Nobody ${other(own)}answers on ${name}: this machine is alone there, or the network keeps it apart from the others, or they are on another network; from here these look alike.`,
    evidence: facts,
    advice: 'To tell them apart, look at the address of the other machine (`ip address`). Does it begin like the one here? If not, they are on different networks (another VLAN, a guest Wi-Fi, another router): '
      + 'put both into one. If it does, run `lanpost doctor ADDRESS` with it: when nothing comes back, the switch or access point keeps them apart '
      + '("client isolation", "AP isolation", "isolated port", "guest network": switch it off), or the other machine is off.',
  };
}

function other(here: readonly string[]): string {
  return here.length > 0 ? 'but boxes of this machine itself ' : '';
}

function deafness(name: string, families: readonly Sounded[]): Finding {
  return problem(CHECK, 'multicast-refused', {
    interface: name,
    message: `This machine cannot listen for multicast on ${name}.`,
    evidence: families.map(({ family, deaf }) => `IPv${family}: the system answers ${deaf ?? 'nothing'}`),
    advice: 'If the interface has just come up, try again in some seconds; otherwise look at `ip address` and for a security profile that forbids it.',
  });
}

function seen({ family, deaf, mute, hosts }: Sounded): string {
  if (deaf !== undefined) return `IPv${family}: no listening (${deaf})`;
  if (mute !== undefined) return `IPv${family}: no sending (${mute})`;
  const others = hosts.filter(({ onLink }) => onLink);
  const count = (fits: (host: (typeof others)[number]) => boolean): number => others.filter(fits).length;
  if (others.length === 0) return `IPv${family}: nobody heard, nobody answered`;
  return `IPv${family}: ${count(({ multicast }) => multicast > 0)} heard by multicast, ${count(({ answersAll }) => answersAll)} answered to all, ${count(({ answersUs }) => answersUs)} to this machine alone`;
}

function lowerFirst(text: string): string {
  return text.slice(0, 1).toLowerCase() + text.slice(1);
}
