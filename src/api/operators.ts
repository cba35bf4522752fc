import type { Express, Request } from 'express';
import type { Gateway } from '../core/gateway.ts';
import { credentialsOf } from './access.ts';
import type { Access } from './access.ts';
import type { Metrics } from './metrics.ts';
import { requireScope } from './mount.ts';

/** What watches the installation asks for: alive, ready, how much. */
export function mountOperators(
  app: Express,
  {
    gateway,
    access,
    metrics,
    ready,
  }: {
    readonly gateway: Gateway;
    readonly access: Access;
    readonly metrics: Metrics;
    readonly ready: () => Promise<{ readonly ok: boolean; readonly detail: object }>;
  },
): void {
  app.get('/healthz', (_request, response) => {
    response.set('cache-control', 'no-store').type('application/json').end('{"status":"ok"}');
  });

  app.get('/readyz', async (request, response) => {
    const { ok, detail } = await ready().catch(() => ({ ok: false, detail: {} }));
    const actor = await access.identify(credentialsOf(request.headers, gateway.publicUrl));
    // Strangers learn whether, not why.
    const body = { status: ok ? 'ready' : 'not_ready', ...((actor || isLocal(request)) && { detail }) };
    response.status(ok ? 200 : 503).set('cache-control', 'no-store');
    response.type('application/json').end(JSON.stringify(body));
  });

  app.get('/metrics', async (request, response) => {
    if (!isLocal(request)) {
      requireScope(await access.identify(credentialsOf(request.headers, gateway.publicUrl)), 'metrics:read');
    }
    response
      .set('cache-control', 'no-store')
      .type(metrics.contentType)
      .end(await metrics.text());
  });
}

/** From this machine and not through a proxy on it. */
function isLocal({ socket, headers }: Request): boolean {
  const local = ['127.0.0.1', '::1', '::ffff:127.0.0.1'].includes(socket.remoteAddress ?? '');
  const forwarded = Object.keys(headers).some((name) => /^(x-forwarded-|x-real-ip$|forwarded$|via$|cf-)/.test(name));
  return local && !forwarded;
}
