import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import express from 'express';
import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express';
import type { Log } from '../core/connector.ts';
import type { Once } from '../core/gateway.ts';
import { parseJson } from '../core/json.ts';
import { credentialsOf, isOwnOrigin } from './access.ts';
import type { Access, Actor } from './access.ts';
import type { Idempotency } from './idempotency.ts';
import type { Answer, Operation } from './operation.ts';
import { ApiError, parsed, toProblem } from './problem.ts';
import { allows } from './scopes.ts';
import { sendFile } from './send-file.ts';

export const BASE = '/api/v1';
const MAX_BYTES = 1_000_000;

export interface Mounting {
  readonly gateway: { readonly publicUrl: string; readonly log: Log };
  readonly access: Access;
  readonly idempotency: Idempotency;
  /** Runs once it is known who asks. */
  readonly limit: RequestHandler;
}

/** Gives every request an id that its answer and the log share. What the caller sends as one is ignored. */
export const giveRequestId: RequestHandler = (_request, response, next) => {
  const id = `req_${randomBytes(8).toString('hex')}`;
  response.locals.requestId = id;
  response.set('x-request-id', id);
  next();
};

/** Finds out who asks; refuses cookies on requests that another site may have made. */
export function identify({ gateway, access }: Mounting): RequestHandler {
  return async (request, response, next) => {
    const credentials = credentialsOf(request.headers, gateway.publicUrl);
    response.locals.actor = await access.identify(credentials);
    const safe = request.method === 'GET' || request.method === 'HEAD';
    if (credentials.session !== undefined && !safe && !isOwnOrigin(request.headers, gateway.publicUrl)) {
      throw new ApiError(403, 'origin_refused', 'With a session, only pages of this installation may do that.');
    }
    next();
  };
}

/** Throws 401 unless somebody known asks, 403 unless he has the scope. */
export function requireScope(actor: Actor | undefined, scope: string): Actor {
  if (!actor) {
    throw new ApiError(401, 'unauthorized', 'A valid API key or session is needed.', {
      headers: { 'www-authenticate': 'Bearer' },
    });
  }
  if (scope !== 'any' && !allows(actor.scopes, scope)) {
    throw new ApiError(403, 'scope_missing', `This needs the scope ${scope}.`);
  }
  return actor;
}

/** Makes routes of operations: each path once, with 405 for the methods that it lacks. */
export function mountOperations(app: Express, operations: readonly Operation[], mounting: Mounting): void {
  const paths = [...new Set(operations.map(({ path }) => path))];
  for (const path of paths) {
    const route = app.route(BASE + path.replaceAll(/\{(\w+)\}/g, ':$1'));
    const here = operations.filter((operation) => operation.path === path);
    route.all(identify(mounting), mounting.limit);
    for (const operation of here) {
      const steps = [checkScope(operation), readBody(operation), carryOut(operation, mounting)];
      if (operation.method === 'GET') route.get(...steps);
      if (operation.method === 'POST') route.post(...steps);
      if (operation.method === 'PATCH') route.patch(...steps);
      if (operation.method === 'DELETE') route.delete(...steps);
    }
    const allow = here.map(({ method }) => method).join(', ');
    route.all((_request, response) => {
      requireScope(actorOf(response), 'any');
      throw new ApiError(405, 'method_not_allowed', `Here only ${allow}.`, { headers: { allow } });
    });
  }
  // An unknown path tells strangers nothing, not even that it is unknown.
  app.use(BASE, identify(mounting), mounting.limit, (_request, response) => {
    requireScope(actorOf(response), 'any');
    throw new ApiError(404, 'not_found', 'There is nothing here.');
  });
}

function actorOf(response: Response): Actor | undefined {
  return response.locals.actor as Actor | undefined;
}

function checkScope(operation: Operation): RequestHandler {
  return (_request, response, next) => {
    requireScope(actorOf(response), operation.scope);
    next();
  };
}

/** The bytes of a body that is JSON and sent as it is; nothing is ever decompressed. */
function readBody(operation: Operation): RequestHandler {
  const read = express.raw({ inflate: false, limit: operation.maxBytes ?? MAX_BYTES, type: () => true });
  return (request, response, next) => {
    if (operation.method === 'GET') return next();
    const type = request.headers['content-type'];
    const json = type === undefined ? !hasBody(request) : /^application\/json(; *charset="?utf-8"?)?$/i.test(type);
    if (!json) throw new ApiError(415, 'unsupported_media_type', 'The body must be application/json in UTF-8.');
    read(request, response, next);
  };
}

function hasBody({ headers }: Request): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function carryOut(operation: Operation, { idempotency }: Mounting): RequestHandler {
  return async (request, response) => {
    const actor = requireScope(actorOf(response), operation.scope);
    const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const handle = (once?: Once) =>
      operation.handle({
        params: parsed(operation.params, request.params, '/path'),
        query: parsed(operation.query, request.query, '/query'),
        body: parsed(operation.body, bytes.length === 0 ? {} : parseJson(bytes), ''),
        actor,
        ifVersion: operation.ifMatch ? versionOf(request.headers['if-match']) : undefined,
        once,
        signal: gone.signal,
      });
    const status = operation.status ?? 200;

    const key = request.headers['idempotency-key'];
    const isAct = operation.method === 'POST' && operation.effect !== 'none';
    if (!isAct || typeof key !== 'string') return send(response, status, await handle());
    const what = `${request.method} ${request.originalUrl}`;
    const result = await idempotency.once({ actor: actor.id, key, what, body: bytes }, async (once) => {
      const answer = await handle(once);
      return { status, kept: JSON.stringify(answer.kept ?? answer.body ?? null), answer };
    });
    if ('first' in result) return send(response, status, result.first.answer);
    response.set('idempotent-replayed', 'true');
    return send(response, result.repeated.status, { body: JSON.parse(result.repeated.kept) as unknown });
  };
}

/** The version that `If-Match` names; undefined where any will do. */
function versionOf(header: string | undefined): number | undefined {
  if (header === undefined || header === '*') return undefined;
  const version = /^"(\d{1,15})"$/.exec(header)?.[1];
  if (version === undefined) throw new ApiError(400, 'invalid_request', 'If-Match must be one ETag of this ticket.');
  return Number(version);
}

async function send(response: Response, status: number, answer: Answer): Promise<void> {
  response.status(status).set({ 'cache-control': 'no-store', ...answer.headers });
  if (answer.file) return sendFile(response, answer.file);
  if (answer.stream) return sendStream(response, answer.stream);
  if (status === 204) return void response.end();
  response.type('application/json').end(JSON.stringify(answer.body));
}

/** Whoever reads slowly is waited for; one that breaks in the middle ends the connection, so that nobody takes it for whole. */
async function sendStream(response: Response, stream: () => AsyncIterable<string>): Promise<void> {
  response.type('application/json');
  if (response.req.method === 'HEAD') return void response.end();
  await pipeline(Readable.from(stream()), response);
}

/** The end of every request that failed, in the API and beside it. */
export function answerErrors(log: Log): ErrorRequestHandler {
  // Express knows error handlers by their four parameters.
  return (error: unknown, _request: Request, response: Response, _next: unknown) => {
    // Half an answer is out: only breaking off tells the other side.
    if (response.headersSent) return void response.destroy();
    const requestId = String(response.locals.requestId);
    const { status, headers, body } = toProblem(error, requestId);
    if (status >= 500)
      log.error({ requestId, error: error instanceof Error ? error.stack : String(error) }, 'a request failed');
    response.status(status).set({ 'cache-control': 'no-store', ...headers });
    response.type('application/problem+json').end(JSON.stringify(body));
  };
}
