import type { NodeAPI } from 'node-red';
import type { Box } from '../../src/index.ts';
import { isBoxNode } from './box-node.ts';
import { choicesOf } from './choices.ts';
import { inWords } from './in-words.ts';

/** Of a request that a dialog makes; all of it is text. */
export interface Asked {
  readonly params: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
}

/** What a dialog is answered: JSON, with the HTTP status that says what it is. */
export interface Answer {
  readonly status: number;
  readonly body: object;
}

/** The routes by which dialogs ask a running box, all behind Node-RED's own login. */
export function serveBox(RED: NodeAPI, embedding: Box | undefined): void {
  const read = RED.auth.needsPermission('lanpost.read');
  RED.httpAdmin.get('/lanpost/boxes/:box/choices/:kind', read, (request, response) => {
    send(response, withBox(RED, embedding, request, async (box) => {
      const { q, at } = request.query;
      const answer = await choicesOf(box, String(request.params['kind']), typeof q === 'string' ? q : '', typeof at === 'string' ? at : '');
      return answer ? { status: 200, body: answer } : { status: 404, body: { reason: 'no such list' } };
    }));
  });
}

/** Gives a dialog its answer. */
export function send(response: { status(code: number): { json(body: object): unknown } }, answer: Promise<Answer>): void {
  void answer.then(({ status, body }) => response.status(status).json(body));
}

/** Asks the box that the request names; what fails is an answer, too. */
export async function withBox(RED: NodeAPI, embedding: Box | undefined, { params }: Asked, ask: (box: Box) => Promise<Answer>): Promise<Answer> {
  const found = openBox(RED, String(params['box']), embedding);
  if (found === undefined) return { status: 404, body: { reason: 'this box does not run here yet: deploy first' } };
  if ('reason' in found) return { status: 503, body: found };
  try {
    return await ask(found.box);
  } catch (error) {
    return { status: 503, body: { reason: inWords(error) } };
  }
}

/** By the id of its config node; `embedded` is the box that runs the editor. */
function openBox(RED: NodeAPI, id: string, embedding: Box | undefined): { readonly box: Box } | { readonly reason: string } | undefined {
  if (id === 'embedded') return embedding && { box: embedding };
  const node = RED.nodes.getNode(id);
  if (!node || !isBoxNode(node)) return undefined;
  const { state } = node.connection;
  if (state.phase === 'open') return { box: state.box };
  return { reason: state.phase === 'failed' ? state.reason : 'the box is not open yet' };
}
