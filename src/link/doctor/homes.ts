import type { Finding, HomeStatus } from '../../api.ts';
import { listed, note, ok, problem } from './finding.ts';
import { shellWord } from './shell-word.ts';

const CHECK = 'home';

/** How the homes are. They have nothing to do with who is seen on the link, so one that is away is only noted. */
export function checkHomes(homes: readonly HomeStatus[]): Finding[] {
  return homes.map((home) => (home.state === 'online'
    ? ok(CHECK, `The home ${home.jid} is reached.`)
    : note(CHECK, 'home-offline', { message: `The home ${home.jid} is not reached; what is meant for it waits.`, evidence: facts(home), advice: advice(home) })));
}

/** Which road leads to a person with an account at some XMPP server. */
export function checkRoadTo(jid: string, homes: readonly HomeStatus[], onLink: boolean): Finding[] {
  const where = { peer: jid };
  const online = homes.filter(({ state }) => state === 'online');
  if (online.length > 0) return [ok(CHECK, `The road to ${jid} is the home ${listed(online.map((home) => home.jid))}, which is reached.`, [], where)];
  if (homes.length === 0) {
    return [problem(CHECK, 'no-home', {
      ...where,
      message: `There is no road to ${jid}: it is an account at an XMPP server, and this box has none.`,
      evidence: ['no home is configured', ...onLink ? [`a peer of that name is on the link: it is addressed as link:${jid}`] : []],
      advice: onLink ? `If you mean the peer on the link, write link:${jid}. Otherwise add an account: \`lanpost home add JID --password-file F\`.`
        : 'Add an account: `lanpost home add JID --password-file F`. Messages wait for it until they expire.',
    })];
  }
  return homes.map((home) => problem(CHECK, 'home-offline', {
    ...where,
    message: `The only road to ${jid} is the home ${home.jid}, which is not reached now; messages wait for it.`, evidence: facts(home), advice: advice(home),
  }));
}

function facts(home: HomeStatus): string[] {
  return [`it is ${home.state}`, ...home.reason === undefined ? [] : [home.reason], `${home.queued} ${home.queued === 1 ? 'item waits' : 'items wait'}`];
}

function advice({ state, jid }: HomeStatus): string {
  return state === 'refused' ? `The server does not accept the account: correct the password with \`lanpost home add ${shellWord(jid)} --password-file F\`.`
    : 'It is tried again by itself. See whether this machine reaches the internet, and whether the server runs; `lanpost home list` says how it goes on.';
}
