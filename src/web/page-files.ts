import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { languageOf } from './language.ts';

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript', '.svg': 'image/svg+xml' };

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const HEADERS = {
  'content-security-policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
  'cache-control': 'no-cache',
} as const;

/** English is what the page itself says. */
const LANGUAGES = ['en', 'de'] as const;
/** Where it asks for the words of the language that the browser prefers. */
const WORDS = 'words.json';

interface PageFile { readonly body: Buffer; readonly type: string; readonly tag: string }

/** The files of the page, all of them read at once: there is no way from a request to another file. */
export class PageFiles {
  readonly #files: Map<string, PageFile>;

  constructor(folder: string = fileURLToPath(new URL('./page', import.meta.url))) {
    this.#files = new Map(readdirSync(folder).flatMap((name): [string, PageFile][] => {
      const type = TYPES[extname(name)];
      if (type === undefined) return [];
      return [[name, fileOf(type, readFileSync(join(folder, name)))]];
    }));
    for (const language of LANGUAGES) {
      const words: unknown = language === 'en' ? {} : JSON.parse(readFileSync(join(folder, 'locales', `${language}.json`), 'utf8'));
      this.#files.set(`${WORDS} ${language}`, fileOf('application/json', Buffer.from(JSON.stringify({ language, words }))));
    }
  }

  /** Whether there is that file. */
  serve(name: string, request: IncomingMessage, response: ServerResponse): boolean {
    const isWords = name === WORDS;
    const file = this.#files.get(isWords ? `${WORDS} ${languageOf(request.headers['accept-language'], LANGUAGES)}` : name === '' ? 'index.html' : name);
    if (!file) return false;
    const headers = { ...HEADERS, ...(isWords ? { vary: 'Accept-Language' } : {}), etag: file.tag, 'content-type': `${file.type}; charset=utf-8` };
    if (request.headers['if-none-match'] === file.tag) {
      response.writeHead(304, headers).end();
      return true;
    }
    response.writeHead(200, { ...headers, 'content-length': file.body.length });
    response.end(request.method === 'HEAD' ? undefined : file.body);
    return true;
  }
}

function fileOf(type: string, body: Buffer): PageFile {
  return { body, type, tag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"` };
}
