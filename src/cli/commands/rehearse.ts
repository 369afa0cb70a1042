import type { RehearsalEvent, RehearsalReport } from '../../index.ts';
import type { Command } from '../command.ts';
import { bytesInWords, spanInWords } from '../measure.ts';
import type { Output } from '../output.ts';
import { printable } from '../printable.ts';
import { parseSpan } from '../quantity.ts';
import { UsageError } from '../usage-error.ts';

export const rehearse: Command = {
  name: 'rehearse',
  takes: [],
  summary: 'Cut the road to a home for a while, and tell whether anything was lost',
  options: {
    outage: { type: 'string', value: 'SPAN', help: 'how long the road is cut, as 30s or 10m (required)' },
    home: { type: 'string', value: 'JID', help: 'account whose road it is, of a group the one in use (default the only one)' },
    rate: { type: 'string', value: 'N', help: 'records a second that are published meanwhile (default 10)' },
  },
  notes: [
    'The connection really ends, nobody calls again before the time is over, and all that is for this home waits as in any outage. What is',
    'published for it goes through the log to nodes of its own, one for each way in which the rules of the home send, and from there and here',
    'it goes again, also when the rehearsal is ended by Ctrl-C or by force. Of a group another home carries on. Exit code 1 when it has not',
    'passed.',
  ],
  examples: ['lanpost rehearse --outage 10m', 'lanpost rehearse --outage 30s --home box7@example.org --rate 100 --json'],
  async run({ args, out, attach, signal }) {
    const given = args.text('outage');
    if (given === undefined) throw new UsageError('--outage SPAN is missing: how long the road is cut, as 10m');
    const [home, rate] = [args.text('home'), args.number('rate', { least: 0.1, most: 1_000 })];
    const outage = parseSpan('--outage', given);
    const box = await attach();
    let report: RehearsalReport | undefined;
    for await (const event of box.homes.rehearse({ outage, signal, ...home === undefined ? {} : { home }, ...rate === undefined ? {} : { rate } })) {
      report = event.report ?? report;
      await printRehearsal(out, event);
    }
    return report?.passed === true ? 0 : 1;
  },
};

export async function printRehearsal(out: Output, event: RehearsalEvent): Promise<void> {
  if (out.json) return out.print({ event: 'rehearsal', ...event }, () => '');
  const text = event.report ? reportInWords(event.report, out) : printable(stepInWords(event));
  return event.report || !out.terminal ? out.line(text) : out.transient(text);
}

function stepInWords({ phase, home, sent, drained, left }: RehearsalEvent): string {
  const counts = `${sent} published, ${drained} arrived`;
  switch (phase) {
    case 'before': return `${home}: first with the road there: ${counts}`;
    case 'cut': return `${home}: the road is cut${left === undefined ? '' : ` for ${spanInWords(left)} more`}: ${counts}`;
    case 'draining': return `${home}: the road is there again: ${counts}`;
    case 'reading': return `${home}: it is asked for each of them`;
    default: return `${home}: what was made for this goes again`;
  }
}

function reportInWords({ home, outage, rate, passed, sent, stored, drained, lost, doubled, expired, repeated, budgetWait, peakBytes, kept, reconnected, emptied, why }: RehearsalReport, out: Output): string {
  const head = passed ? out.style('green', 'passed') : out.style('red', 'NOT PASSED');
  return [
    `${head}  ${printable(home)}, cut off for ${spanInWords(outage)}, ${rate} records/s`,
    `sent     ${sent}`, `stored   ${stored}`, `drained  ${drained}`, `lost     ${lost}`, `doubled  ${doubled}`,
    ...expired === undefined ? [] : [`expired  ${expired} had waited for longer than the rule's \`expire\``],
    ...repeated === undefined ? [] : [`repeated ${repeated} are at more than one home of the group, under the same record ids`],
    `peak     ${bytesInWords(peakBytes)} on disk`,
    ...budgetWait === undefined ? [] : [`budget   nothing could go for ${spanInWords(budgetWait)}`],
    ...reconnected === undefined ? [] : [`back     ${spanInWords(reconnected)} after the road was there again${emptied === undefined ? '' : `; nothing waited after ${spanInWords(emptied)}`}`],
    ...kept === undefined ? [] : [`kept     the home's node keeps ${kept}: the newest were looked for`],
    ...why.map((reason) => `         - ${printable(reason)}`),
  ].join('\n');
}
