import { createHash } from 'node:crypto';
import type { Response } from 'express';

/** The few pages that must work without the console: plain, without scripts. */

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:32rem;margin:15vh auto;padding:0 1rem;color-scheme:light dark}' +
  'input,button{font:inherit;padding:.5rem .75rem}label{display:block;margin:1rem 0}code{font-size:1em}';
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;

/** Sends a page; `body` is markup, so whatever comes from outside goes through `escapeHtml` first. */
export function sendPage(
  response: Response,
  status: number,
  page: { readonly title: string; readonly body: string },
): void {
  response.status(status).set({ 'cache-control': 'no-store', 'content-security-policy': POLICY });
  response
    .type('html')
    .end(
      `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">` +
        `<meta name="robots" content="noindex"><title>${page.title} · Tributary</title><style>${STYLE}</style></head>` +
        `<body><main><h1>${page.title}</h1>${page.body}</main></body></html>`,
    );
}
