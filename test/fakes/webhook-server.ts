import { createServer } from 'node:http';
import type { Server, ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log, Receipt, Webhook } from '../../src/core/connector.ts';
import { BadPayloadError } from '../../src/core/errors.ts';
import type { Endpoint } from '../../src/core/gateway.ts';
import type { HttpAnswer, Payload } from '../../src/core/payload.ts';
import { hmac, matchesSignature } from '../../src/core/signature.ts';
import { createRefusals } from '../../src/webhooks/refusals.ts';
import { hardenServer, httpServerOptions } from '../../src/webhooks/server.ts';
import type { ServerLimits } from '../../src/webhooks/server.ts';
import { createWebhooks } from '../../src/webhooks/webhooks.ts';
import type { WebhookLimits } from '../../src/webhooks/webhooks.ts';
import { fakeClock } from './clock.ts';
import type { FakeClock } from './clock.ts';
import { call } from './raw-http.ts';
import type { RawAnswer } from './raw-http.ts';

export const SECRET = 'the secret of the channel';

/** The signature of a body, as `signedWebhook` expects it. */
export function sign(body: string | Buffer, secret = SECRET): string {
  return hmac('sha256', secret, body).toString('hex');
}

/** A vendor who signs the bytes with HMAC in `x-signature`. */
export function signedWebhook(more: Partial<Webhook> = {}, secret = SECRET): Webhook {
  return {
    verify(request) {
      const given = request.headers['x-signature'];
      if (given === undefined) throw new BadPayloadError('not signed');
      if (!matchesSignature(hmac('sha256', secret, request.body), given, 'hex')) {
        throw new BadPayloadError('the signature does not match the body');
      }
    },
    ...more,
  };
}

export interface WebhookServer {
  readonly port: number;
  readonly server: Server;
  readonly clock: FakeClock;
  /** What was stored, in order. */
  readonly stored: Payload[];
  /** Everything that was logged, as text. */
  readonly logged: string[];
  readonly refusals: ReturnType<typeof createRefusals>;
  /** Puts an endpoint there, or another one with the same id in its place. */
  add(endpoint: Partial<Endpoint> & { readonly id: string }): void;
  /** What storing does from now on. */
  onReceive(receive: (payload: Payload) => Promise<Receipt>): void;
  /** An honest request that must be stored. */
  honest(): Promise<RawAnswer>;
  close(): Promise<void>;
}

export interface WebhookServerOptions {
  readonly trustProxy?: readonly string[];
  readonly limits?: WebhookLimits;
  readonly http?: ServerOptions;
  readonly connections?: ServerLimits;
}

/** A server on a port of its own with the endpoint `honest`, whose webhooks are signed. Other addresses answer 418. */
export async function startWebhookServer(options: WebhookServerOptions = {}): Promise<WebhookServer> {
  const clock = fakeClock();
  const refusals = createRefusals(clock);
  const endpoints = new Map<string, Endpoint>();
  const stored: Payload[] = [];
  const logged: string[] = [];
  let receive = async (payload: Payload): Promise<Receipt> => {
    stored.push(payload);
    return { items: [{ outcome: 'ticket_created', ticketId: 'tkt_1', ticketNumber: 1 }] };
  };
  const write = (fields: object, text: string): void => void logged.push(`${text} ${JSON.stringify(fields)}`);
  const log: Log = { debug: write, info: write, warn: write, error: write };
  const webhooks = createWebhooks({
    endpoints,
    intake: { receive: (payload) => receive(payload) },
    refusals,
    clock,
    log,
    trustProxy: options.trustProxy ?? [],
    ...(options.limits ? { limits: options.limits } : {}),
  });
  const server = createServer({ ...httpServerOptions, ...options.http }, (request, response) => {
    if (!webhooks(request, response)) response.writeHead(418).end('somebody else');
  });
  hardenServer(server, options.connections);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;

  const add: WebhookServer['add'] = (endpoint) => {
    const webhook = 'webhook' in endpoint ? endpoint.webhook : signedWebhook();
    endpoints.set(endpoint.id, {
      role: 'channel',
      type: 'webhook',
      name: endpoint.id,
      enabled: true,
      source: null,
      settings: {},
      problem: null,
      ...endpoint,
      ...(webhook ? { webhook } : {}),
    });
  };
  add({ id: 'honest' });

  return {
    port,
    server,
    clock,
    stored,
    logged,
    refusals,
    add,
    onReceive: (next) => void (receive = next),
    honest: () => call(port, { path: '/webhooks/honest', headers: { 'x-signature': sign('hello') }, body: 'hello' }),
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

/** An answer with a text, for `challenge` and `refuse`. */
export function page(status: number, body: string): HttpAnswer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body };
}
