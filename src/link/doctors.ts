// Doctors at work on this box: a few at once, loaded with the first.
import type { Finding, HomeStatus } from '../api.ts';
import type { Clock } from '../clock.ts';
import { LanpostError } from '../errors.ts';
import { late } from '../late.ts';
import type { Trust } from '../trust/trust.ts';
import type { Patient } from './doctor/patient.ts';
import type { Link } from './link.ts';

/** At once; each asks the whole link. */
const DOCTORS = 4;

export interface DoctorsParts {
  readonly clock: Clock;
  readonly trust: Trust;
  readonly refused: Patient['refused'];
}

export interface Case {
  /** Absent: the box itself is looked at. */
  readonly peer: string | undefined;
  readonly homes: readonly HomeStatus[];
  /** Absent: it is off. */
  readonly link: Link | undefined;
  readonly signal: AbortSignal | undefined;
}

export class Doctors {
  readonly #parts: DoctorsParts;
  #atWork = 0;

  constructor(parts: DoctorsParts) {
    this.#parts = parts;
  }

  async *examine(asked: Case): AsyncGenerator<Finding> {
    const code = await late('The doctor', () => import('./doctor/doctor.ts'));
    if (this.#atWork >= DOCTORS) throw new LanpostError('busy', `${DOCTORS} doctors are at work; wait for one to end.`);
    this.#atWork += 1;
    try {
      yield* this.#examined(code, asked);
    } finally {
      this.#atWork -= 1;
    }
  }

  async *#examined(code: typeof import('./doctor/doctor.ts'), { peer, homes, link, signal }: Case): AsyncGenerator<Finding> {
    const { clock, trust, refused } = this.#parts;
    if (!link) {
      yield code.linkOff();
      yield* code.machineDoctor({ clock }, signal);
      return;
    }
    const { tcp, wanted, only } = link.facts();
    yield* code.doctor({
      peer, homes, signal, instruments: { clock },
      patient: {
        tcp, wanted, only, trust, refused, peers: link.peers,
        self: () => link.name,
        state: () => link.facts().mdns,
        connected: (name) => link.peers.describe(name)?.connected === true,
        lastHeard: (name) => link.lastHeard(name),
        fingerprintOf: (name) => link.peers.describe(name)?.fingerprint,
        prove: (name, ended) => link.prove(name, ended),
        request: (name, iq, options) => link.request(name, iq, options),
        far: () => link.offLink.list(),
      },
    });
  }
}
