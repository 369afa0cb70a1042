import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Front, Visitor } from '../front/front.ts';
import { PairingDesk, type Box } from '../index.ts';
import { ACTIONS, readBody, statusOf } from './actions.ts';
import { WEB_LIMITS, type WebLimits } from './limits.ts';
import { METRICS_TYPE, Metrics } from './metrics.ts';
import { PageFiles } from './page-files.ts';
import { Watch } from './watch.ts';
import { Watcher } from './watcher.ts';

export const STATUS_PATH = '/status';

export interface StatusPageOptions {
  /** Not closed by the page. */
  readonly box: Box;
  /** What the page and the numbers are mounted on. */
  readonly front: Front;
  /** Whether the editor is there as well, to be led to. Default false. */
  readonly editor?: boolean;
  readonly limits?: Partial<WebLimits>;
}

export interface StatusPage {
  /** Opens it; carries the token. */
  readonly url: string;
  /** Ends what is open. Idempotent. */
  close(): void;
}

/** The status page at /status/, and /metrics for Prometheus. */
export function openStatusPage({ box, front, editor = false, limits: changed = {} }: StatusPageOptions): StatusPage {
  const limits = { ...WEB_LIMITS, ...changed };
  const files = new PageFiles();
  const watch = new Watch(box, limits);
  const desk = new PairingDesk({ box, limits, changed: () => watch.show({ pairings: desk.list() }) });
  const metrics = new Metrics(box, limits);
  let closed = false;

  const follow = (request: IncomingMessage, response: ServerResponse, visitor: Visitor, query: URLSearchParams): void => {
    if (watch.full || closed) return answer(response, 503, 'Too many status pages are open: close one.');
    const watcher = new Watcher(response, (query.get('topics') ?? '').slice(0, limits.valueCharacters));
    response.write(`event: visitor\ndata: ${JSON.stringify({ session: visitor.session, editor })}\n\n`);
    watcher.show({ pairings: desk.list() });
    watch.add(watcher);
    request.once('close', () => watch.remove(watcher));
    response.once('close', () => watch.remove(watcher));
  };

  const act = async (name: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const given = await readBody(request, limits.bodyBytes);
      await ACTIONS[name]?.(given, { box, desk });
      watch.now();
      answerJson(response, 200, {});
    } catch (error) {
      answerJson(response, statusOf(error), { message: error instanceof Error ? error.message : String(error) });
    }
  };

  front.mount(STATUS_PATH, (request, response, visitor) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://box');
    const name = pathname.slice(STATUS_PATH.length + 1);
    const reading = request.method === 'GET' || request.method === 'HEAD';
    if (pathname === STATUS_PATH && reading) {
      response.writeHead(308, { location: `${STATUS_PATH}/` }).end();
    } else if (Object.hasOwn(ACTIONS, name)) {
      if (request.method === 'POST') void act(name, request, response);
      else answer(response, 405, 'This is asked for with POST.', { allow: 'POST' });
    } else if (!reading) answer(response, 405, 'This is only read.', { allow: 'GET, HEAD' });
    else if (name === 'events' && request.method === 'GET') follow(request, response, visitor, searchParams);
    else if (!files.serve(name, request, response)) answer(response, 404, 'There is nothing here: the status page is at /status/.');
  });
  front.mount('/metrics', (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'This is only read.', { allow: 'GET, HEAD' });
    void tell(metrics, response, request.method === 'HEAD');
  });

  // Alone, it is what one comes for.
  if (!editor) {
    front.serve((request, response) => {
      if (request.url === '/' && request.method === 'GET') response.writeHead(302, { location: `${STATUS_PATH}/` }).end();
      else answer(response, 404, 'There is nothing here: the status page is at /status/.');
    });
  }

  return {
    url: front.url(`${STATUS_PATH}/`),
    close() {
      closed = true;
      desk.close();
      watch.close();
    },
  };
}

async function tell(metrics: Metrics, response: ServerResponse, headOnly: boolean): Promise<void> {
  try {
    const text = await metrics.text();
    response.writeHead(200, { 'content-type': METRICS_TYPE, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    response.end(headOnly ? undefined : text);
  } catch (error) {
    answer(response, 503, error instanceof Error ? error.message : String(error));
  }
}

function answer(response: ServerResponse, status: number, reason: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', ...headers });
  response.end(`lanpost: ${reason}\n`);
}

function answerJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
  response.end(JSON.stringify(body));
}
