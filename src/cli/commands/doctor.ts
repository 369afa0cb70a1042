import { examineMachine, LanpostError, type Box, type Finding, type FindingLevel } from '../../index.ts';
import type { Command, Context } from '../command.ts';
import { whereToRun } from '../hint.ts';
import type { Output, Style } from '../output.ts';
import { printable } from '../printable.ts';

export const doctor: Command = {
  name: 'doctor',
  takes: ['[PEER]'],
  summary: 'Say why a peer is not seen or not reached, by trying it',
  options: {},
  notes: [
    'PEER is a name on the link, the address of a machine there, or an account at an XMPP server (xmpp:JID); without',
    'one, all that are seen are tried. It takes up to 12 seconds. Each problem comes with what it is taken from and',
    'what to do. Exit code 1 when there is one.',
  ],
  examples: ['lanpost doctor', 'lanpost doctor desk@pc', 'lanpost doctor desk@pc --json'],
  async run(context) {
    const { args, out, signal } = context;
    const [peer] = args.positionals;
    const advice: string[] = [];
    const count: Record<FindingLevel, number> = { ok: 0, note: 0, problem: 0 };
    const tell = async (finding: Finding): Promise<void> => {
      count[finding.level] += 1;
      if (finding.advice !== undefined) advice.push(finding.advice);
      await out.print(finding, () => inWords(finding, out));
    };
    const box = await running(context);
    if (!box) await tell(notRunning(context.dir));
    for await (const finding of box ? box.doctor(peer, { signal }) : examineMachine({ signal })) await tell(finding);
    const where = whereToRun(context.dir, advice);
    if (where !== undefined && !out.json) await out.line(`\n${where}`);
    await out.print({ verdict: count.problem > 0 ? 'problems' : 'healthy', problems: count.problem, notes: count.note }, () => verdict(count, out));
    return count.problem > 0 ? 1 : 0;
  },
};

async function running({ attach }: Context): Promise<Box | undefined> {
  try {
    return await attach();
  } catch (error) {
    if (error instanceof LanpostError && error.code === 'not-found') return undefined;
    throw error;
  }
}

function notRunning(dir: string): Finding {
  return {
    check: 'box', level: 'problem', cause: 'box-not-running', evidence: [`nobody answers in ${dir}`],
    message: 'No box is running here, so nobody can see it; what follows is about this machine alone.',
    advice: `Start one with \`lanpost start --dir ${dir}\`, or give the --dir of the one that runs.`,
  };
}

const MARKS: Readonly<Record<FindingLevel, { readonly word: string; readonly style: Style }>> = {
  ok: { word: 'ok', style: 'green' }, note: { word: 'note', style: 'yellow' }, problem: { word: 'problem', style: 'red' },
};

/** The sentence; below it, unless all is well, what it is taken from and what to do. */
function inWords({ level, message, evidence, advice }: Finding, out: Output): string {
  const { word, style } = MARKS[level];
  const head = `${out.style(style, word.padEnd(7))}  ${printable(message)}`;
  if (level === 'ok') return head;
  return [
    head,
    ...evidence.map((fact) => out.style('dim', `         - ${printable(fact)}`)),
    ...advice === undefined ? [] : [`         → ${printable(advice)}`],
  ].join('\n');
}

function verdict({ problem, note }: Readonly<Record<FindingLevel, number>>, out: Output): string {
  if (problem > 0) return `\n${out.style('bold', problem === 1 ? 'There is one problem' : `There are ${problem} problems`)}: see what to do above.`;
  return `\n${out.style('bold', 'No problem was found')}${note > 0 ? '; see the notes above' : ''}.`;
}
