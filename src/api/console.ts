import { existsSync } from 'node:fs';
import { join } from 'node:path';
import express from 'express';
import type { Express, Request, RequestHandler, Response } from 'express';
import type { Gateway } from '../core/gateway.ts';
import { credentialsOf } from './access.ts';
import type { Access } from './access.ts';
import { sendPage } from './pages.ts';
import { ApiError } from './problem.ts';
import { SIGN_IN } from './setup.ts';

/** The console: its files are no secret, but its page is only for those who are signed in. */
export function mountConsole(app: Express, gateway: Gateway, access: Access, consoleDir: string): void {
  const index = join(consoleDir, 'index.html');

  const page = async (request: Request, response: Response): Promise<void> => {
    const { session } = credentialsOf(request.headers, gateway.publicUrl);
    const actor = session === undefined ? undefined : await access.identify({ session });
    if (!actor) return sendPage(response, 401, SIGN_IN);
    if (!existsSync(index)) return sendPage(response, 503, NOT_BUILT);
    response.set('cache-control', 'no-store');
    response.sendFile(index, { cacheControl: false });
  };

  app.get(['/', '/index.html'], page);
  app.use(
    express.static(consoleDir, { index: false, redirect: false, dotfiles: 'ignore', cacheControl: false, setHeaders }),
  );
  // The console has addresses of its own: each of them is the same page.
  app.get('/{*path}', onlyPages, page);
  app.use(() => {
    throw new ApiError(404, 'not_found', 'There is nothing here.');
  });
}

/** Names under `assets/` carry a hash of the contents, so they never change. */
function setHeaders(response: { setHeader(name: string, value: string): unknown }, path: string): void {
  const hashed = /[/\\]assets[/\\]/.test(path);
  response.setHeader('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
}

const onlyPages: RequestHandler = (request, _response, next) => {
  const isPage = /^[\w/-]{1,500}$/.test(request.path) && request.accepts(['json', 'html']) === 'html';
  next(isPage ? undefined : 'route');
};

const NOT_BUILT = {
  title: 'The console is not built',
  body: '<p>Run this where Tributary is installed, then reload:</p><p><code>npm run build</code></p>',
};
