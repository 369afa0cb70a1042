import type { Log } from '../log/log.ts';
import { itemId } from './delivery.ts';

/** Items looked at with one question. */
const PAGE = 100;

/** XEP-0060 §16.4.4, `purge_offline`: where a topic's owner wants it, what a publisher published goes when it does. */
export async function purgeOffline(log: Log, fingerprint: string): Promise<void> {
  const wanting = [...log.topics()].filter(({ deleted, settings }) => !deleted && settings['purgeOffline'] === true);
  for (const { name } of wanting) {
    for (let after: number | undefined = 0; after !== undefined;) {
      const page = await log.items(name, { after, limit: PAGE });
      const its = page.filter(({ extra }) => typeof extra === 'object' && extra !== null && 'key' in extra && extra.key === fingerprint);
      await Promise.all(its.map((item) => log.append({ topic: name, kind: 'retract', id: itemId(item) })));
      after = page.length < PAGE ? undefined : page.at(-1)?.seq;
    }
  }
}
