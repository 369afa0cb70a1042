/** One number; the text format of Prometheus, version 0.0.4. */
export interface Sample { readonly labels?: Readonly<Record<string, string>>; readonly value: number }
export interface Family { readonly name: string; readonly type: 'gauge' | 'counter'; readonly help: string; readonly samples: readonly Sample[] }

export function exposition(families: readonly Family[]): string {
  return families.filter(({ samples }) => samples.length > 0).map(({ name, type, help, samples }) => [
    `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(({ labels = {}, value }) => `${name}${labelled(labels)} ${numbered(value)}`),
  ].join('\n')).map((family) => `${family}\n`).join('');
}

function labelled(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

/** Backslash, quote and line feed are escaped; a name may have any other character, a lone surrogate excepted. */
function escaped(value: string): string {
  return Buffer.from(value).toString().replaceAll(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`));
}

function numbered(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}
