import type { Finding } from '../../api.ts';
import type { Clock } from '../../clock.ts';
import { EventSource } from '../../event-stream.ts';
import { listed, note } from './finding.ts';

/** All of it, in ms. */
const DEADLINE = 12_000;

/** One thing that is looked at; it tells what it finds as soon as it does. */
export type Check = (emit: (findings: readonly Finding[]) => void, signal: AbortSignal) => Promise<void>;

/** Runs the checks side by side. Leaving the iteration, or aborting, ends them. */
export async function* examine(clock: Clock, checks: Readonly<Record<string, Check>>, signal?: AbortSignal): AsyncGenerator<Finding> {
  const source = new EventSource<Finding>();
  const leaving = new AbortController();
  const ended = signal ? AbortSignal.any([signal, leaving.signal]) : leaving.signal;
  const emit = (findings: readonly Finding[]): void => { for (const found of findings) source.emit(found); };
  const findings = source.follow({ signal });
  const running = new Set(Object.keys(checks));
  const one = async ([name, check]: [string, Check]): Promise<void> => {
    try {
      await check(emit, ended);
    } catch (error) {
      if (!ended.aborted) emit([unfinished([name], error instanceof Error ? error.message : String(error))]);
    } finally {
      running.delete(name);
    }
  };
  const timer = clock.after(DEADLINE, () => {
    if (running.size > 0) emit([unfinished([...running], `no more than ${DEADLINE / 1_000} s are taken`)]);
    source.close();
  });
  void Promise.all(Object.entries(checks).map(one)).then(() => source.close());
  try {
    yield* findings;
  } finally {
    timer.stop();
    leaving.abort();
  }
}

function unfinished(names: readonly string[], why: string): Finding {
  return note('examination', 'not-finished', {
    message: `Not everything could be looked at: ${listed(names)} did not come to an end.`, evidence: [why], advice: 'Run it again.',
  });
}
