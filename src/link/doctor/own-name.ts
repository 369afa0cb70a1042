import type { Finding } from '../../api.ts';
import type { KnownPeer } from '../peers.ts';
import { listed, note, ok, problem } from './finding.ts';

const CHECK = 'name';

export interface NameFacts {
  readonly name: string;
  /** What it would be called if nobody had that name. */
  readonly wanted: string;
  /** Who has that name now. */
  readonly holder: Pick<KnownPeer, 'name' | 'host' | 'addresses'> | undefined;
  readonly fingerprint: string | undefined;
}

/** RFC 6762 §9: who finds its name taken takes another. */
export function checkOwnName({ name, wanted, holder, fingerprint }: NameFacts): Finding[] {
  if (name === wanted) return [ok(CHECK, `This box is called ${name}, as it should be.`)];
  const [user, machine] = [wanted.slice(0, wanted.lastIndexOf('@')), wanted.slice(wanted.lastIndexOf('@') + 1)];
  const sameUser = name.startsWith(`${user}@`);
  const advice = sameUser
    ? `Two machines are called "${machine}": give one of them another host name (\`hostnamectl set-hostname NAME\`), then start the box again.`
    : 'Two boxes have one name: start one of them with another, `lanpost start --name NAME`.';
  if (holder) {
    return [problem(CHECK, 'renamed', {
      message: `This box is called ${name} on the link, because another machine had the name ${wanted} first; who looks for ${wanted} finds that one.`,
      evidence: [`${wanted} is at ${listed(holder.addresses.map(({ address }) => address))} (${holder.host})`, ...fingerprint === undefined ? [] : [`its key is ${fingerprint.slice(0, 16)}`]],
      advice,
    })];
  }
  return [note(CHECK, 'renamed', {
    message: `This box is called ${name} on the link: when it took its name, another machine had ${wanted}, which is not there now.`,
    evidence: [`the name it should have: ${wanted}`],
    advice: sameUser ? `To be ${wanted} again, be sure that no other machine is called "${machine}", and give this box a new name once (\`--name\`).` : 'It keeps the new name, so that others find it again; start it with `--name NAME` to choose one.',
  })];
}
