import { inspect } from 'node:util';
import type { Box, Trouble } from '../index.ts';

interface LogEntry {
  readonly level: number;
  readonly msg?: unknown;
  readonly type?: string;
  readonly name?: string;
  readonly id?: string;
}

/** Node-RED warns of these, and both are meant: no projects, and no credentials before the first are saved. */
const EXPECTED = ['storage.localfilesystem.projects.disabled', 'nodes.credentials.encryptedNotFound'];

/** Node-RED's settings for the embedded editor: nothing leaves the machine, nothing installs itself. */
export function nodeRedSettings(options: {
  readonly box: Box;
  readonly userDir: string;
  readonly packageRoot: string;
  readonly port: number;
  readonly credentialSecret: string;
  /** Node-RED's own words for a key of its catalogue. */
  readonly words: (key: string) => string;
  readonly trouble: (trouble: Trouble) => void;
}): Record<string, unknown> {
  const report = (entry: LogEntry): void => {
    if (!EXPECTED.some((key) => entry.msg === options.words(key))) options.trouble(asTrouble(entry));
  };
  return {
    uiHost: '127.0.0.1',
    uiPort: options.port,
    httpAdminRoot: '/',
    httpNodeRoot: '/api',
    userDir: options.userDir,
    flowFile: 'flows.json',
    flowFilePretty: true,
    // The folder of a package with a "node-red" section: its nodes load under the package's own name and version.
    nodesDir: [options.packageRoot],
    credentialSecret: options.credentialSecret,
    functionExternalModules: false,
    externalModules: { autoInstall: false, palette: { allowInstall: false, allowUpload: false }, modules: { allowInstall: false } },
    telemetry: { enabled: false, updateNotification: false },
    diagnostics: { enabled: true, ui: true },
    runtimeState: { enabled: false, ui: false },
    // Ours first: who opens this editor came for them.
    paletteCategories: ['lanpost', 'subflows', 'common', 'function', 'network', 'sequence', 'parser', 'storage'],
    editorTheme: {
      tours: false,
      projects: { enabled: false },
      page: { title: 'lanpost' },
      header: { title: 'lanpost' },
    },
    logging: {
      lanpost: { level: 'warn', metrics: false, audit: false, handler: () => report },
    },
    // Where `lanpost box` finds the box that embeds the editor: RED.settings.lanpost.box
    lanpost: { box: options.box },
  };
}

function asTrouble(entry: LogEntry): Trouble {
  const where = entry.type === undefined ? '' : `[${entry.type}${entry.name || entry.id ? ` ${entry.name || entry.id}` : ''}] `;
  return { kind: 'editor.node-red', message: where + textOf(entry.msg) };
}

function textOf(message: unknown): string {
  if (typeof message === 'string') return message;
  if (message instanceof Error) return message.message;
  if (typeof message === 'object' && message !== null && 'message' in message) return String(message.message);
  // As Node-RED's own log has it: JSON of what a flow warns with (all of a message, its request in it) throws where that holds itself.
  return inspect(message, { depth: 3, breakLength: Infinity, maxStringLength: 1000 });
}
