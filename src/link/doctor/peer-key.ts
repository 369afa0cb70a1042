import type { Finding, TrustLevel } from '../../api.ts';
import { LanpostError } from '../../errors.ts';
import type { KnownPeer } from '../peers.ts';
import { Refusal } from '../streams/refusal.ts';
import type { ProvenPeer } from '../streams-port.ts';
import { note, ok, problem } from './finding.ts';
import { shellWord } from './shell-word.ts';

const CHECK = 'peer-key';

export interface KeyFacts {
  readonly peer: KnownPeer;
  /** Whose the name was before the peer was asked for its key. */
  readonly before: string | undefined;
  readonly proven: ProvenPeer | { readonly error: unknown };
  readonly level: (fingerprint: string | undefined) => TrustLevel;
}

const short = (fingerprint: string): string => fingerprint.slice(0, 16);

/** Is the peer the one that this box knows by that name? */
export function checkPeerKey({ peer, before, proven, level }: KeyFacts): Finding[] {
  const where = { peer: peer.name };
  if ('error' in proven) return [failure(peer, before, proven.error)];
  const { fingerprint } = proven;
  const paired = level(fingerprint) === 'paired';
  const evidence = [`its key is ${short(fingerprint)}, ${paired ? 'paired' : 'seen, not paired'}`];
  if (paired) return [ok(CHECK, `${peer.name} is the box that was paired.`, evidence, where)];
  if (before === undefined || before === fingerprint) return [ok(CHECK, `A stream to ${peer.name} comes about, with ${before === undefined ? 'a' : 'the same'} key${before === undefined ? '' : ' as before'}.`, evidence, where)];
  return [note(CHECK, 'key-changed', {
    ...where,
    message: `${peer.name} has another key than the one seen before: it was set up anew, or another machine took its name.`,
    evidence: [...evidence, `before, it was ${short(before)}`],
    advice: `To be sure whom you have there: \`lanpost pair ${shellWord(peer.name)}\`.`,
  })];
}

function failure(peer: KnownPeer, before: string | undefined, error: unknown): Finding {
  const { name } = peer;
  const where = { peer: name };
  const cause = error instanceof Error ? error.cause : undefined;
  const why = error instanceof Error ? error.message : String(error);
  if (error instanceof LanpostError && error.code === 'impostor') {
    return problem(CHECK, 'key-changed', {
      ...where,
      message: `${name} is not the box that was paired under that name: it has another key, so nothing is sent to it.`,
      evidence: [...before === undefined ? [] : [`the paired key is ${short(before)}`], why],
      advice: `If that machine was set up anew (or its data directory was lost), take the old key back, \`lanpost trust revoke ${before === undefined ? shellWord(name) : short(before)}\`, and pair again, \`lanpost pair ${shellWord(name)}\`. `
        + 'If not, another machine pretends to be it: find out which, and do not pair.',
    });
  }
  if (cause instanceof Refusal && cause.kind === 'downgrade') {
    return problem(CHECK, 'in-the-clear', {
      ...where,
      message: `${name} has shown a key before, and now would speak only in the clear: this box does not.`,
      evidence: [...before === undefined ? [] : [`its key was ${short(before)}`], why],
      advice: `If another program has taken that name on purpose, \`lanpost trust revoke ${shellWord(name)}\`; otherwise find out who answers there.`,
    });
  }
  if (cause instanceof Refusal && cause.kind === 'refused' && cause.message.includes('not-authorized')) {
    return problem(CHECK, 'key-refused', {
      ...where,
      message: `${name} does not accept the key of this box: it knows another box by this name.`,
      evidence: [why],
      advice: 'If this box was set up anew, take its old key back on the other machine (`lanpost trust list`, `lanpost trust revoke FINGERPRINT`) and pair again; otherwise give this box another name.',
    });
  }
  return problem(CHECK, 'no-stream', {
    ...where, message: `${name} answers the call, but no stream comes about.`, evidence: [why],
    advice: 'Try again in a minute; if it stays so, look at `lanpost status` on both machines (troubles), and whether both run the same version.',
  });
}
