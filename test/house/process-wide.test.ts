import { describe, expect, it } from 'vitest';
import { readSources, type Syntax, syntaxOf } from './sources.ts';

/**
 * What would change TLS, names or connections for everybody in the process: lanpost runs inside others' programs, Node-RED
 * above all. Whom a home believes and how a peer is checked is said to one socket, resolver or agent each time.
 */
const SWITCHES: ReadonlySet<string> = new Set([
  'NODE_TLS_REJECT_UNAUTHORIZED', 'NODE_EXTRA_CA_CERTS', 'NODE_OPTIONS', 'NODE_USE_ENV_PROXY', 'SSL_CERT_FILE', 'SSL_CERT_DIR',
  'DEFAULT_CIPHERS', 'DEFAULT_ECDH_CURVE', 'DEFAULT_MIN_VERSION', 'DEFAULT_MAX_VERSION', 'setDefaultCACertificates',
  'globalAgent', 'setGlobalDispatcher', 'setGlobalProxyFromEnv', 'setDefaultResultOrder', 'setServers',
  'setDefaultAutoSelectFamily', 'setDefaultAutoSelectFamilyAttemptTimeout', 'setEngine', 'setFips', 'setDefaultHighWaterMark',
]);

const isSyntax = (value: unknown): value is Syntax => typeof value === 'object' && value !== null && 'type' in value;

/** Of `a.b.c` the `a`, in whatever brackets. */
function rootOf(value: unknown): unknown {
  if (!isSyntax(value)) return undefined;
  if (value.type === 'Identifier') return value['name'];
  return rootOf(value['object'] ?? value['expression']);
}

/** What it names of these, and what it puts into a module of Node's, into `process.env`, or into what everything has. */
function switchesIn(text: string): string[] {
  const found: string[] = [];
  const modules = new Set<unknown>(['globalThis', 'global']);
  for (const piece of syntaxOf(text)) {
    const { type } = piece;
    if (type === 'ImportDeclaration') {
      const from = isSyntax(piece['source']) ? String(piece['source']['value']) : '';
      for (const one of Array.isArray(piece['specifiers']) ? piece['specifiers'] as Syntax[] : []) {
        if (from.startsWith('node:') && one.type !== 'ImportSpecifier' && isSyntax(one['local'])) modules.add(one['local']['name']);
      }
    }
    if (type === 'Identifier' && SWITCHES.has(String(piece['name']))) found.push(String(piece['name']));
    if (type === 'Literal' && SWITCHES.has(String(piece['value']))) found.push(String(piece['value']));
    const target = type === 'AssignmentExpression' ? piece['left'] : (type === 'UnaryExpression' && piece['operator'] === 'delete') ? piece['argument'] : undefined;
    if (!isSyntax(target) || target.type !== 'MemberExpression') continue;
    const written = text.slice(Number(target['start']), Number(target['end']));
    if (modules.has(rootOf(target)) || /^process\.env\b/.test(written)) found.push(written);
  }
  return found;
}

describe('a switch for the whole process', () => {
  it('is nowhere in what runs inside other programs', () => {
    const sources = [...readSources('src'), ...readSources('nodes')].filter(({ path }) => path.endsWith('.ts'));
    expect(sources.length).toBeGreaterThan(300);
    expect(sources.flatMap(({ path, text }) => switchesIn(text).map((name) => `${path}: ${name}`))).toEqual([]);
  });

  it('to believe any certificate is on the one socket to another box alone, whose key is compared', () => {
    const unverified = [...readSources('src'), ...readSources('nodes')].filter(({ text, path }) => path.endsWith('.ts') && [...syntaxOf(text)].some((piece) =>
      piece.type === 'Property' && isSyntax(piece['key']) && (piece['key']['name'] ?? piece['key']['value']) === 'rejectUnauthorized' && !(isSyntax(piece['value']) && piece['value']['value'] === true)));
    expect(unverified.map(({ path }) => path)).toEqual(['src/xmpp/tls.ts']);
  });

  it.each([
    "process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';", "process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';", "Object.assign(process.env, { NODE_TLS_REJECT_UNAUTHORIZED: '0' });",
    "process.env['ANYTHING'] = '1';", "import tls from 'node:tls'; tls.DEFAULT_MIN_VERSION = 'TLSv1';", "import * as tls from 'node:tls'; (tls as { connect: unknown }).connect = () => undefined;",
    "import https from 'node:https'; https.globalAgent.options.rejectUnauthorized = false;", "import { globalAgent } from 'node:https'; use(globalAgent);",
    "import { setDefaultResultOrder } from 'node:dns'; setDefaultResultOrder('ipv4first');", "import dns from 'node:dns'; dns.setServers(['127.0.0.1']);", "import dns from 'node:dns'; dns['setServers']([]);",
    "import net from 'node:net'; net.setDefaultAutoSelectFamily(false);", "import { setGlobalDispatcher } from 'undici'; setGlobalDispatcher(agent);", 'globalThis.fetch = other;', "delete process.env['HOME'];",
  ])('is seen: %s', (text) => {
    expect(switchesIn(text)).not.toEqual([]);
  });

  it.each(["agent.createConnection = make;", "const own = new Agent({ keepAlive: true }); own.maxSockets = 2;", "// tls.DEFAULT_MIN_VERSION\nread(process.env['NO_COLOR']);", "import { connect } from 'node:tls'; connect({ rejectUnauthorized: true });"])('is not taken for one: %s', (text) => {
    expect(switchesIn(text)).toEqual([]);
  });
});
