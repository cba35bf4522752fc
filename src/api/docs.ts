import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Express } from 'express';

const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];

/** The page draws with inline styles and builds markup from strings, so it can't live under the console's policy. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE =
  '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tributary API</title>' +
  '<link rel="icon" href="/docs/api/favicon-32x32.png"><link rel="stylesheet" href="/docs/api/swagger-ui.css"></head>' +
  '<body><div id="swagger-ui"></div><script src="/docs/api/swagger-ui-bundle.js"></script><script src="/docs/api/start.js"></script></body></html>';
const START =
  "SwaggerUIBundle({ url: '/openapi.json', dom_id: '#swagger-ui', deepLinking: true, validatorUrl: null });\n";

/** The API described: the document for machines, a page for people. Both work offline. */
export function mountDocs(app: Express, describe: () => object): void {
  // Takes a while to make, and starting must not wait for it.
  let document: string | undefined;
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve('swagger-ui-dist/package.json'));

  app.get('/openapi.json', (_request, response) => {
    response
      .set('cache-control', 'no-cache')
      .type('application/json')
      .end((document ??= JSON.stringify(describe())));
  });
  app.get('/docs/api', (_request, response) => {
    response.set({ 'content-security-policy': POLICY, 'cache-control': 'no-cache' }).type('html').end(PAGE);
  });
  app.get('/docs/api/start.js', (_request, response) => {
    response.set('cache-control', 'no-cache').type('text/javascript').end(START);
  });
  for (const file of FILES) {
    app.get(`/docs/api/${file}`, (_request, response) => response.sendFile(join(folder, file), { maxAge: '1h' }));
  }
}
