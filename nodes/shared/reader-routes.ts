import type { NodeAPI } from 'node-red';
import type { Box } from '../../src/index.ts';
import { send, withBox } from './box-routes.ts';
import { dropReader, readersOf } from './left-readers.ts';

const REFUSED = {
  open: { status: 409, reason: 'a node or a program reads with it now' },
  unknown: { status: 404, reason: 'there is no such reader' },
} as const;

/** The durable readers of a box, those that nobody has open among them, and how one is dropped: for the box's dialog. */
export function serveReaders(RED: NodeAPI, embedding: Box | undefined): void {
  RED.httpAdmin.get('/lanpost/boxes/:box/readers', RED.auth.needsPermission('lanpost.read'), (request, response) => {
    send(response, withBox(RED, embedding, request, async (box) => ({ status: 200, body: { readers: await readersOf(box) } })));
  });
  RED.httpAdmin.delete('/lanpost/boxes/:box/readers/:name', RED.auth.needsPermission('lanpost.write'), (request, response) => {
    send(response, withBox(RED, embedding, request, async (box) => {
      const done = await dropReader(box, String(request.params['name']));
      if (done === 'dropped') return { status: 200, body: {} };
      const { status, reason } = REFUSED[done];
      return { status, body: { reason } };
    }));
  });
}
