import type { NodeAPI } from 'node-red';
import type { Box } from '../../src/index.ts';
import { send, withBox } from './box-routes.ts';
import { homesOf, removeHome } from './left-homes.ts';

const REFUSED = {
  deployed: { status: 409, reason: 'a node that is deployed has this account' },
  unknown: { status: 404, reason: 'there is no such home account' },
} as const;

/** The home accounts of a box, those that no node has among them, and how one of these is removed: for the box's dialog. */
export function serveHomes(RED: NodeAPI, embedding: Box | undefined): void {
  RED.httpAdmin.get('/lanpost/boxes/:box/homes', RED.auth.needsPermission('lanpost.read'), (request, response) => {
    send(response, withBox(RED, embedding, request, async (box) => ({ status: 200, body: { homes: await homesOf(RED, box) } })));
  });
  RED.httpAdmin.delete('/lanpost/boxes/:box/homes/:jid', RED.auth.needsPermission('lanpost.write'), (request, response) => {
    send(response, withBox(RED, embedding, request, async (box) => {
      const done = await removeHome(RED, box, String(request.params['jid']));
      if (done === 'removed') return { status: 200, body: {} };
      const { status, reason } = REFUSED[done];
      return { status, body: { reason } };
    }));
  });
}
