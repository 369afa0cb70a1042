import type { NodeAPI } from 'node-red';
import type { Box, PairingDesk } from '../../src/index.ts';
import { type Answer, send, withBox } from './box-routes.ts';

/** Pairing with words, for the box's dialog: what was begun goes on when the dialog is closed. */
export function servePairings(RED: NodeAPI, embedding: Box | undefined): void {
  const [read, write] = [RED.auth.needsPermission('lanpost.read'), RED.auth.needsPermission('lanpost.write')];
  const desks = new WeakMap<Box, Promise<PairingDesk>>();
  const deskOf = (box: Box): Promise<PairingDesk> => {
    let desk = desks.get(box);
    if (!desk) desks.set(box, desk = openDesk(box));
    return desk;
  };

  RED.httpAdmin.get('/lanpost/boxes/:box/pairings', read, (request, response) => send(response, withBox(RED, embedding, request, async (box) => {
    // Nobody is made a desk by being looked at.
    const desk = await desks.get(box);
    return desk ? listed(desk) : { status: 200, body: { pairings: [] } };
  })));
  RED.httpAdmin.post('/lanpost/boxes/:box/pairings', write, (request, response) => send(response, withBox(RED, embedding, request, async (box) => {
    const { peer } = said(request.is('json') ? request.body : undefined);
    if (typeof peer !== 'string' || peer === '') return { status: 400, body: { reason: 'say with whom' } };
    const desk = await deskOf(box);
    desk.start(peer.replace(/^link:/, ''));
    return listed(desk);
  })));
  RED.httpAdmin.post('/lanpost/boxes/:box/pairings/:id', write, (request, response) => send(response, withBox(RED, embedding, request, async (box) => {
    const { words, same } = said(request.is('json') ? request.body : undefined);
    if (!Array.isArray(words) || !words.every((word) => typeof word === 'string') || typeof same !== 'boolean') return { status: 400, body: { reason: 'say of which words, and whether they are the same' } };
    const desk = await deskOf(box);
    await desk.answer(String(request.params['id']), words, same);
    return listed(desk);
  })));
  RED.httpAdmin.delete('/lanpost/boxes/:box/pairings/:id', write, (request, response) => send(response, withBox(RED, embedding, request, async (box) => {
    const desk = await deskOf(box);
    desk.stop(String(request.params['id']));
    return listed(desk);
  })));
}

function listed(desk: PairingDesk): Answer {
  return { status: 200, body: { pairings: desk.list() } };
}

async function openDesk(box: Box): Promise<PairingDesk> {
  // Loaded when first used, as all of the library.
  const { PairingDesk: Desk } = await import('../../src/index.ts');
  return new Desk({ box });
}

function said(body: unknown): { readonly [name: string]: unknown } {
  return typeof body === 'object' && body !== null ? { ...body } : {};
}
