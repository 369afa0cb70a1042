import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { PLAIN_ENV } from './packed.ts';

export interface PlainNodeRed extends AsyncDisposable {
  /** Where its editor is. */
  readonly url: string;
  /** All that it has printed. */
  readonly output: string;
}

/** Of loopback only, without its tour for newcomers, and with nothing that it would ask its makers. */
const SETTINGS = ['uiHost=127.0.0.1', 'editorTheme.tours=false', 'editorTheme.palette.catalogues=[]', 'telemetry.enabled=false', 'telemetry.updateNotification=false'];

/** Node-RED's own program over a user directory, with the settings file that it makes itself. */
export async function startPlainNodeRed(userDir: string): Promise<PlainNodeRed> {
  const program = createRequire(import.meta.url).resolve('node-red/red.js');
  const child = spawn(process.execPath, [program, '--userDir', userDir, '--port', '0', ...SETTINGS.flatMap((one) => ['-D', one])], { env: PLAIN_ENV, cwd: userDir, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const url = await new Promise<string>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        const [, at] = /Server now running at (http:\S+)[^]*Started flows|Started flows[^]*Server now running at (http:\S+)/.exec(output)?.filter(Boolean) ?? [];
        if (at !== undefined) resolve(at);
      });
    }
    child.once('close', () => reject(new Error(output)));
  });
  return {
    url,
    get output() { return output; },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null) return;
      child.kill('SIGINT');
      await once(child, 'close');
    },
  };
}
