// Run before packing, when all is built: an edge box does with one space where the compiler indents by four, and that is a tenth of what it gets.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

for (const one of readdirSync('dist', { recursive: true, withFileTypes: true })) {
  if (!one.isFile() || !one.name.endsWith('.js')) continue;
  const file = join(one.parentPath, one.name);
  const text = readFileSync(file, 'utf8');
  // Lines of a template are text: a file in which one goes over the end of a line stays as it is.
  if (text.split('\n').some((line) => line.split('`').length % 2 === 0)) continue;
  writeFileSync(file, text.replaceAll(/^(?: {4})+/gm, (indent) => ' '.repeat(indent.length / 4)));
}
