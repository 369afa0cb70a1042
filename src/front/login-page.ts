import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { LOGIN } from './door.ts';

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2624; --ground: #f3f1ec; --card: #fffefb; --line: #c9c4b8; --accent: #12665c; --fault: #a8281c }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ece9; --ground: #101514; --card: #182020; --line: #45524f; --accent: #6cc7b6; --fault: #ff9b8e } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground) }
form { box-sizing: border-box; width: min(22rem, 92vw); padding: 2rem; background: var(--card); border-radius: .875rem; box-shadow: 0 6px 20px rgb(40 35 20 / .06) }
h1 { margin: 0 0 1rem; font-size: 1.25rem }
input, button { box-sizing: border-box; width: 100%; padding: .65rem .75rem; font: inherit; border-radius: .4rem; border: 1px solid var(--line) }
input { margin: .25rem 0 1rem; color: inherit; background: transparent }
button { border: 0; color: var(--card); background: var(--accent); font-weight: 600; cursor: pointer }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
[role=alert] { margin: 0 0 1rem; color: var(--fault) }
`;

/** Asks for the password. Of what is in it, nothing comes from elsewhere and nothing runs. */
export function loginPage(response: ServerResponse, status: number, { next, fault }: { readonly next: string; readonly fault?: string }): void {
  const nonce = randomBytes(16).toString('base64');
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': `default-src 'none'; img-src data:; style-src 'nonce-${nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    'cache-control': 'no-store', 'referrer-policy': 'same-origin', 'x-content-type-options': 'nosniff', connection: 'close',
  });
  response.end(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>lanpost: sign in</title><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<style nonce="${nonce}">${STYLE}</style></head>
<body><form method="post" action="${LOGIN}"><h1>lanpost</h1>
${fault === undefined ? '' : `<p role="alert">${escaped(fault)}</p>\n`}<input type="hidden" name="next" value="${escaped(next)}">
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button></form></body></html>
`);
}

export function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
