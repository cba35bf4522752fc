import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import express from 'express';
import type { RequestHandler } from 'express';
import { ipKeyGenerator, MemoryStore, rateLimit } from 'express-rate-limit';
import helmet from 'helmet';
import type { Check } from '../core/check.ts';
import type { Gateway } from '../core/gateway.ts';
import { createIds } from '../core/id.ts';
import type { NewId } from '../core/id.ts';
import type { Secret } from '../core/secret.ts';
import { createAccess } from './access.ts';
import type { Access, Actor } from './access.ts';
import { attachmentOperations } from './attachments.ts';
import { auditOperation } from './audit.ts';
import { catalogueOperations } from './catalogue.ts';
import { changeOperations } from './changes.ts';
import { mountChat } from './chat.ts';
import { mountConsole } from './console.ts';
import { callBackOperation } from './call-back.ts';
import { customerOperations } from './customers.ts';
import { deliveryOperations } from './deliveries.ts';
import { mountDocs } from './docs.ts';
import { doctorOperation } from './doctor.ts';
import { dryRunOperation, endpointOperations, previewOperation } from './endpoints.ts';
import { exportOperation } from './export.ts';
import { createIdempotency } from './idempotency.ts';
import { keyOperations } from './keys.ts';
import { ledgerOperations } from './ledger.ts';
import { createMetrics } from './metrics.ts';
import { answerErrors, giveRequestId, mountOperations } from './mount.ts';
import { toOpenApi } from './openapi.ts';
import type { Operation } from './operation.ts';
import { mountOperators } from './operators.ts';
import { ApiError } from './problem.ts';
import { reportOperation } from './reports.ts';
import { routeOperations } from './routes.ts';
import { sessionOperations } from './session.ts';
import { createSetUp } from './setup.ts';
import type { SetUp } from './setup.ts';
import { attachSockets } from './sockets.ts';
import { mountStatus } from './status.ts';
import { ticketOperations } from './tickets.ts';
import { userOperations } from './users.ts';

export interface ApiOptions {
  /** Keys with every scope that no store holds: from the environment, and this run's own for the command line. */
  readonly fullKeys: readonly Secret[];
  /** Where the built console lies. */
  readonly consoleDir: string;
  /** Whether store, queue and channels are usable. */
  ready(): Promise<{ readonly ok: boolean; readonly detail: object }>;
  /** Looks at the machine and at what was configured, as `tributary doctor` does. */
  examine(): readonly Check[];
  /** Addresses or CIDRs of proxies whose `X-Forwarded-For` counts; none when left out. */
  readonly trustProxy?: readonly string[];
  /** Most requests a minute: of one key or session, of one address without either, to the set-up page. */
  readonly perMinute?: {
    readonly known: number;
    readonly unknown: number;
    readonly setUp: number;
    /** Of one address, to conversations of web chats; many visitors may share it. */
    readonly chat?: number;
    /** Of one address, to pages of requests. */
    readonly status?: number;
  };
}

export interface Api {
  /** The Express application. Everything but webhooks and forms is its. */
  readonly app: express.Express & ((request: IncomingMessage, response: ServerResponse) => void);
  readonly operations: readonly Operation[];
  attachSockets(server: Server): { close(): Promise<void> };
  /** The one-time link that makes the first admin, or undefined when there is a user. */
  readonly setupLink: () => Promise<string | undefined>;
  readonly close: () => void;
}

const PER_MINUTE = { known: 6000, unknown: 300, setUp: 20, chat: 3000, status: 120 };

/** The REST API, its description, the console and its sockets, over what the gateway lends. */
export function createApi(gateway: Gateway, options: ApiOptions): Api {
  const newId = createIds(gateway.clock);
  const access = createAccess(gateway, options.fullKeys);
  const setUp = createSetUp(gateway, access, newId);
  const operations = operationsOf(gateway, { access, setUp, newId, options });
  const metrics = createMetrics(gateway);
  const perMinute = { ...PER_MINUTE, ...options.perMinute };
  const counts = [new MemoryStore(), new MemoryStore(), new MemoryStore(), new MemoryStore()] as const;

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  // Flat: `a[b]=1` is a parameter of that name.
  app.set('query parser', 'simple');
  app.set('trust proxy', [...(options.trustProxy ?? [])]);
  app.use(giveRequestId, metrics.count, secureHeaders(gateway), noteAtDebug(gateway));
  mountOperators(app, { gateway, access, metrics, ready: () => options.ready() });
  mountOperations(app, operations, {
    gateway,
    access,
    idempotency: createIdempotency(gateway),
    limit: limit(counts[0], (actor) => (actor ? perMinute.known : perMinute.unknown)),
  });
  mountDocs(app, () => toOpenApi(operations, gateway.version));
  setUp.mount(
    app,
    limit(counts[1], () => perMinute.setUp),
  );
  mountChat(
    app,
    gateway,
    limit(counts[2], () => perMinute.chat),
  );
  mountStatus(
    app,
    gateway,
    limit(counts[3], () => perMinute.status),
  );
  mountConsole(app, gateway, access, options.consoleDir);
  app.use(answerErrors(gateway.log));

  return {
    app,
    operations,
    attachSockets: (server) => attachSockets(server, gateway, access),
    setupLink: () => setUp.link(),
    close() {
      for (const count of counts) count.shutdown();
    },
  };
}

/** Every route of the API. The order counts where one path fits into another one's parameter. */
function operationsOf(
  gateway: Gateway,
  {
    access,
    setUp,
    newId,
    options,
  }: {
    readonly access: Access;
    readonly setUp: SetUp;
    readonly newId: NewId;
    readonly options: Pick<ApiOptions, 'ready' | 'examine'>;
  },
): Operation[] {
  return [
    ...ticketOperations(gateway),
    ...attachmentOperations(gateway),
    ...customerOperations(gateway),
    exportOperation(gateway),
    callBackOperation(gateway),
    ...ledgerOperations(gateway),
    ...deliveryOperations(gateway),
    ...catalogueOperations(gateway),
    ...endpointOperations(gateway, 'channel'),
    dryRunOperation(gateway),
    ...endpointOperations(gateway, 'destination'),
    previewOperation(gateway),
    ...routeOperations(gateway),
    reportOperation(gateway),
    ...changeOperations(gateway),
    ...keyOperations(gateway, access, newId),
    ...sessionOperations(gateway, access, setUp),
    ...userOperations(gateway, { access, setUp, newId }),
    auditOperation(gateway),
    doctorOperation(gateway, options),
  ];
}

function secureHeaders({ publicUrl }: Gateway): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'self'"],
        'img-src': ["'self'", 'data:', 'blob:'],
        'connect-src': ["'self'"],
        'object-src': ["'none'"],
        'base-uri': ["'none'"],
        'form-action': ["'self'"],
        'frame-ancestors': ["'none'"],
        'require-trusted-types-for': ["'script'"],
      },
    },
    strictTransportSecurity: publicUrl.startsWith('https:') ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    // With `no-referrer`, forms would say `Origin: null`, and we check it.
    referrerPolicy: { policy: 'same-origin' },
    xFrameOptions: { action: 'deny' },
  });
}

function limit(store: MemoryStore, most: (actor: Actor | undefined) => number): RequestHandler {
  const actorOf = (response: express.Response) => response.locals.actor as Actor | undefined;
  return rateLimit({
    windowMs: 60_000,
    store,
    limit: (_request, response) => most(actorOf(response)),
    keyGenerator: (request, response) => actorOf(response)?.id ?? ipKeyGenerator(request.ip ?? 'unknown'),
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    // The forwarded header of a proxy that isn't configured is ignored; that is no mistake to warn about.
    validate: { xForwardedForHeader: false, forwardedHeader: false },
    handler: (_request, _response, next) =>
      next(new ApiError(429, 'rate_limited', 'Too many requests: wait, then go on.')),
  });
}

/** Without address parameters, headers and the addresses of customers' pages: they may hold secrets. */
function noteAtDebug({ log }: Gateway): RequestHandler {
  return (request, response, next) => {
    const { method } = request;
    const path = request.path.replace(/^(\/status\/)[^]+/i, '$1…');
    response.on('finish', () => {
      const requestId = String(response.locals.requestId);
      log.debug({ requestId, method, path, status: response.statusCode }, 'answered');
    });
    next();
  };
}
