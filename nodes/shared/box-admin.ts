import { resolve } from 'node:path';
import type { NodeAPI } from 'node-red';
import type { Box, Right } from '../../src/index.ts';
import { type Answer, send, withBox } from './box-routes.ts';
import { inWords } from './in-words.ts';

/** What the dialog shows of a box that runs. */
export async function boxSummary(box: Box): Promise<object> {
  const { name, fingerprint, version, dir, link, peers, log, homes } = await box.status();
  return { name, fingerprint, version, dir, link: { state: link.state, interfaces: link.interfaces, ...(link.reason === undefined ? {} : { reason: link.reason }) }, peers, log, homes };
}

/** How the owner sees and steers a box that runs, from its dialog: behind Node-RED's own login, changes behind `lanpost.write`. */
export function serveAdmin(RED: NodeAPI, embedding: Box | undefined, userDir: string | undefined): void {
  const [read, write] = [RED.auth.needsPermission('lanpost.read'), RED.auth.needsPermission('lanpost.write')];
  RED.httpAdmin.get('/lanpost/boxes/:box/status', read, (request, response) => send(response, withBox(RED, embedding, request, async (box) => ok(await boxSummary(box)))));
  RED.httpAdmin.get('/lanpost/boxes/:box/trust', read, (request, response) => send(response, withBox(RED, embedding, request, async (box) => {
    const [entries, classes, accounts] = await Promise.all([box.trust.list(), box.trust.classes(), box.trust.accounts()]);
    return ok({ entries, classes, accounts });
  })));
  RED.httpAdmin.post('/lanpost/boxes/:box/trust', write, (request, response) => send(response, withBox(RED, embedding, request, async (box) => {
    if (!request.is('json')) return { status: 415, body: { reason: 'JSON is wanted' } };
    const { peer, right, filter, what } = textsOf(request.body);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- checked by the box, with words
    return ok(await box.trust[what === 'deny' ? 'deny' : 'allow'](peer ?? '', right as Right, filter || undefined));
  })));
  RED.httpAdmin.delete('/lanpost/boxes/:box/trust/:peer', write, (request, response) => send(response, withBox(RED, embedding, request, async (box) => {
    await box.trust.revoke(String(request.params['peer']));
    return ok({});
  })));
  /** Of one that runs elsewhere, before it is deployed. */
  RED.httpAdmin.post('/lanpost/test', write, (request, response) => send(response, (async (): Promise<Answer> => {
    const { dir } = request.is('json') ? textsOf(request.body) : {};
    if (!dir) return { status: 400, body: { reason: 'say which data directory the running box has' } };
    try {
      const { attachBox } = await import('../../src/index.ts');
      const box = await attachBox({ dir: resolve(userDir ?? '.', dir) });
      try {
        return ok(await boxSummary(box));
      } finally {
        await box.close();
      }
    } catch (error) {
      return { status: 503, body: { reason: inWords(error) } };
    }
  })()));
}

function ok(body: object): Answer {
  return { status: 200, body };
}

/** Of what a dialog sent, the texts. */
function textsOf(body: unknown): Readonly<Record<string, string | undefined>> {
  if (typeof body !== 'object' || body === null) return {};
  return Object.fromEntries(Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
