import type { Trouble } from '../api.ts';
import { LanpostError } from '../errors.ts';
import { hasWildcard, matcher } from '../log/filter.ts';
import type { Log } from '../log/log.ts';
import { isInMemory } from '../pubsub/in-memory.ts';
import type { Account } from './account.ts';

/** Topics that are named of those that are many. */
const NAMED = 3;

/** A home reads durably, and topics in memory keep nothing for it: one that is named is refused, what a wider filter leaves out is said. */
export function checkKept({ jid, rules }: Pick<Account, 'jid' | 'rules'>, { log, trouble }: { readonly log: Pick<Log, 'topic' | 'topics'>; readonly trouble: (trouble: Trouble) => void }): void {
  for (const { filter } of rules) {
    if (!hasWildcard(filter) && isInMemory(log.topic(filter))) throw new LanpostError('unsupported', `${filter} is in memory only, and keeps nothing for a home: make it on disk, or leave it out`);
  }
  const fits = rules.map(({ filter }) => matcher(filter));
  const left = [...log.topics()].filter((topic) => isInMemory(topic) && fits.some((fit) => fit(topic.name))).map(({ name }) => name);
  if (left.length === 0) return;
  const named = left.slice(0, NAMED).join(', ');
  trouble({ kind: 'home.memory', message: `in memory only, so that nothing of it goes to ${jid}: ${named}${left.length > NAMED ? ` and ${left.length - NAMED} more topics` : ''}` });
}
