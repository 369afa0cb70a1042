import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { MdnsState } from '../../src/mdns/mdns.ts';
import { readJsonLines, type WaitOptions } from '../support/json-lines.ts';
import type { Lan } from '../support/lan.ts';
import { ROOT } from '../support/root.ts';

export interface AgentOptions {
  readonly host?: string;
  readonly user?: string;
  readonly port?: number;
  readonly txt?: readonly (readonly [string, string])[];
  /** Only browse. */
  readonly publish?: boolean;
  /** This many services. */
  readonly count?: number;
  readonly quiet?: boolean;
}

export interface AgentLine {
  readonly event: string;
  readonly ms?: number;
  readonly instance?: string;
  readonly host?: string;
  readonly port?: number;
  readonly up?: number;
  readonly rss?: number;
  readonly kind?: string;
  readonly links?: MdnsState['links'];
  readonly offers?: MdnsState['offers'];
  readonly cpu?: NodeJS.CpuUsage;
  readonly txt?: Readonly<Record<string, string | true>>;
  readonly addresses?: readonly { readonly address: string; readonly family: number; readonly interface: string }[];
}

/** lanpost's mDNS alone, in a process of its own on one host of a LAN. */
export class Agent {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #output: ReturnType<typeof readJsonLines<AgentLine>>;

  constructor(lan: Lan, host: number, options: AgentOptions = {}) {
    const settings = { host: lan.hostName(host), ...options };
    this.child = lan.exec(host, process.execPath, [join(ROOT, 'test/interop/mdns-agent.mjs'), JSON.stringify(settings)]);
    this.#output = readJsonLines<AgentLine>(this.child, `agent on host ${host}`);
  }

  get lines(): readonly AgentLine[] {
    return this.#output.lines;
  }

  wait(fits: (line: AgentLine) => boolean, options?: WaitOptions): Promise<AgentLine> {
    return this.#output.wait(fits, options);
  }

  /** The first event of a kind about an instance. */
  event(kind: string, instance: string, options?: WaitOptions): Promise<AgentLine> {
    return this.wait((line) => line.event === kind && line.instance === instance, options);
  }

  tell(command: { readonly op: string; readonly [key: string]: unknown }): void {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
  }

  async state(): Promise<AgentLine> {
    const after = this.lines.length;
    this.tell({ op: 'state' });
    return this.wait(({ event }) => event === 'state', { after });
  }

  /** Goodbye. */
  async close(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const closed = once(this.child, 'close');
    this.tell({ op: 'close' });
    await closed;
  }

  async kill(): Promise<void> {
    const closed = once(this.child, 'close');
    // The child of `ip netns exec` is node itself: the shell has replaced itself.
    this.child.kill('SIGKILL');
    await closed;
  }
}
