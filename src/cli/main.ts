#!/usr/bin/env node
// No static imports: this must parse and speak on any Node, however old.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`lanpost needs Node.js 20.19 or newer (22 or 24 recommended); this is ${process.version}.`);
  process.exit(1);
}
void import('./run.ts').then(
  async ({ run }) => process.exit(await run(process.argv.slice(2))),
  (error: unknown) => {
    console.error(`lanpost: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
