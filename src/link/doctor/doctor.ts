import type { Finding, HomeStatus } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import { type Check, examine } from './examination.ts';
import { awaitCalls, examineFarPeer } from './far-peers.ts';
import { note, problem } from './finding.ts';
import { checkHomes, checkRoadTo } from './homes.ts';
import { NetworkChecks } from './network-checks.ts';
import { checkOwnClock } from './own-clock.ts';
import { checkOwnName } from './own-name.ts';
import type { Instruments, Patient } from './patient.ts';
import { checkPeerName } from './peer-name.ts';
import { MAX_PEERS, whom } from './whom.ts';

/** Why a peer is not seen, or not reached; without one, all that are seen are tried. */
export async function* doctor(o: { instruments: Instruments; patient: Patient; homes: readonly HomeStatus[]; peer?: string | undefined; signal?: AbortSignal | undefined }): AsyncGenerator<Finding> {
  const { instruments, patient, homes, peer, signal = new AbortController().signal } = o;
  await awaitCalls(patient.far, peer, instruments.clock, signal);
  const network = new NetworkChecks(instruments, patient);
  const asked = (check: Check): Check => (peer === undefined ? check : network.asked(check));
  const meant = whom(peer, patient, homes);
  yield* examine(instruments.clock, {
    ...network.checks(),
    clock: async (emit) => emit(checkOwnClock(instruments.clock)),
    name: async (emit) => {
      const holder = patient.peers.get(patient.wanted);
      emit(checkOwnName({ name: patient.self(), wanted: patient.wanted, holder, fingerprint: holder && patient.fingerprintOf(holder.name) }));
    },
    homes: async (emit) => emit(meant.jid === undefined ? checkHomes(homes) : checkRoadTo(meant.jid, homes, patient.peers.get(meant.jid) !== undefined)),
    ...(meant.address === undefined ? {} : { address: network.address(meant.address) }),
    ...(meant.unknown === undefined ? {} : { 'peer-name': unknown(meant.unknown, patient, instruments.clock) }),
    ...Object.fromEntries(meant.peers.map((known) => [known.name, asked(network.peer(known, peer !== undefined))])),
    ...Object.fromEntries(meant.far.map((entry) => [entry.peer, asked(async (emit) => emit(await examineFarPeer(entry, patient.tcp)))] satisfies [string, Check])),
    ...(meant.left > 0 ? { peers: async (emit) => emit([leftOut(meant.left)]) } : {}),
  }, signal);
}

/** What can be said of this machine when no box runs, or its link is off. */
export function machineDoctor(instruments: Instruments, signal?: AbortSignal): AsyncGenerator<Finding> {
  return examine(instruments.clock, { ...new NetworkChecks(instruments, undefined).checks(), clock: async (emit) => emit(checkOwnClock(instruments.clock)) }, signal);
}

export function linkOff(): Finding {
  return problem('box', 'link-off', {
    message: 'This box was started without the link, so it neither sees nor is seen by anybody on the local network.',
    evidence: ['its option `link` is false'], advice: 'Start it with the link: leave out `link: false`.',
  });
}

function unknown(asked: string, patient: Patient, clock: Clock): Check {
  return async (emit) => emit(checkPeerName({
    asked, self: patient.self(), present: patient.peers.all().map(({ name }) => name), keys: patient.trust.list(), lastHeard: patient.lastHeard(asked), now: clock.wall(),
  }));
}

function leftOut(count: number): Finding {
  return note('peers', 'peers-left-out', {
    message: `${count} more ${count === 1 ? 'peer was' : 'peers were'} not tried.`, evidence: [`at most ${MAX_PEERS} are tried at once`], advice: 'Name the one you mean: `lanpost doctor PEER`.',
  });
}
