// Several ways out of one flow, while the path to their servers is dead for a minute: what is lost, doubled, caught, and what their nodes say meanwhile.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type OutageResult, sendThroughOutage, type Shown, untrue } from '../../scenarios/outage.ts';
import { needs } from '../../support/needs.ts';
import type { Row } from '../figures.ts';

const MESSAGES = 1000;
const CUT = 60_000;
/** What TCP sends again comes up to 43 s after the path is there again. */
const QUIET = 75_000;

export async function benchOutage(): Promise<Row[]> {
  if (!needs('root', 'prosody', 'mosquitto')) return [{ what: 'a flow through an outage', ours: 'not measured', peer: 'needs root, prosody and mosquitto' }];
  const dir = mkdtempSync(join(tmpdir(), 'lanpost-bench-'));
  try {
    const xmppNodes = xmppNodesDir(dir);
    if (xmppNodes === undefined) console.log('xmpp out: not measured. npm gave no node-red-node-xmpp; LANPOST_XMPP_NODES=DIR names a folder in which it is installed');
    // A Node-RED that starts without a path to its server is ended by xmpp out 0.7: a socket that closes before it connects is a rejection that nobody awaits.
    return [...await outageRows(xmppNodes, false), ...await outageRows(undefined, true)];
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function outageRows(xmppNodes: string | undefined, killed: boolean): Promise<Row[]> {
  const results = await sendThroughOutage({ messages: MESSAGES, cut: CUT, quiet: QUIET, killed, ...(xmppNodes === undefined ? {} : { xmppNodes }) });
  for (const { road, shown, completed, last } of results) {
    console.log(`${road.title}: the last that came ${last.toFixed(1)} s after; ${completed} completed, and never came; meanwhile it said`);
    for (const line of inShort(shown)) console.log(`  ${line}`);
  }
  const [ours, ...peers] = results;
  const row = (what: string, of: (result: OutageResult) => number): Row => ({
    what: `${what} ${MESSAGES} sent in ${CUT / 1000} s without a path${killed ? ', in the middle of which Node-RED was killed and started again' : ''}`, ours: ours ? String(of(ours)) : '', peer: peers.map((one) => `${one.road.title}: ${of(one)}`).join('; '), target: '0', met: ours !== undefined && of(ours) === 0,
  });
  return [
    row('lost of', (result) => result.lost), row('doubled of', (result) => result.doubled), row('Catch fired of', (result) => result.caught),
    row('what a status said and was not so, with', (result) => untrue(result.shown).length),
  ];
}

/** What it said, one line for each kind of text, with the first and the last of it. */
export function inShort(shown: readonly Shown[]): string[] {
  const lines: { node: string; kind: string; from: number; first: string; last: string }[] = [];
  for (const { node, from, text } of shown) {
    const kind = text.replaceAll(/\d+( min| s)?/g, 'N');
    const before = lines.at(-1);
    if (before?.node === node && before.kind === kind) before.last = text;
    else lines.push({ node, kind, from, first: text, last: text });
  }
  return lines.map(({ node, from, first, last }) => `${node} from ${from.toFixed(1)} s: ${first}${last === first ? '' : ` … ${last}`}`);
}

/** A folder in which `node-red-node-xmpp` is installed, if it can be had: the one that is named, or this. */
function xmppNodesDir(dir: string): string | undefined {
  const given = process.env['LANPOST_XMPP_NODES'];
  if (given !== undefined && given !== '') return given;
  try {
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--silent', '--prefix', dir, 'node-red-node-xmpp'], { stdio: 'ignore', timeout: 120_000 });
    return dir;
  } catch {
    return undefined; // no network, or no such package where npm asks
  }
}
