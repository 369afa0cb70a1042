// `npm run chaos -- [--rounds N] [--seed S] [--server prosody|ejabberd]… [--fault NAME]…`: as root, on Debian with both servers. Schedules repeat with their seed.
import { parseArgs } from 'node:util';
import { runChaos, type ServerKind } from './chaos.ts';
import { NAMES } from './faults.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '13' }, seed: { type: 'string', default: '1' }, server: { type: 'string', multiple: true }, fault: { type: 'string', multiple: true } } });
const faults = NAMES.filter((name) => values.fault?.includes(name) ?? true);
const kinds: readonly ServerKind[] = (['prosody', 'ejabberd'] as const).filter((kind) => values.server?.includes(kind) ?? true);
for (const kind of kinds) {
  const report = await runChaos({ kind, rounds: Number(values.rounds), seed: Number(values.seed), faults, say: console.log });
  console.log(JSON.stringify({ ...report, rounds: report.rounds.length, seconds: report.rounds.reduce((sum, { seconds }) => sum + seconds, 0) }));
}
