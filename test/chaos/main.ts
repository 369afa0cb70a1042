// `npm run chaos -- [--rounds N] [--seed S] [--server prosody|ejabberd]`: as root, on Debian with both servers. Schedules repeat with their seed.
import { parseArgs } from 'node:util';
import { runChaos, type ServerKind } from './chaos.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '11' }, seed: { type: 'string', default: '1' }, server: { type: 'string', multiple: true } } });
const kinds: readonly ServerKind[] = (['prosody', 'ejabberd'] as const).filter((kind) => values.server?.includes(kind) ?? true);
for (const kind of kinds) {
  const report = await runChaos({ kind, rounds: Number(values.rounds), seed: Number(values.seed), say: console.log });
  console.log(JSON.stringify({ ...report, rounds: report.rounds.length, seconds: report.rounds.reduce((sum, { seconds }) => sum + seconds, 0) }));
}
