import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createApi } from './api/api.ts';
import type { Config } from './config.ts';
import { connectors } from './connectors/index.ts';
import { createRunner } from './connectors/runner.ts';
import { systemClock, type Clock } from './core/clock.ts';
import type { Log } from './core/connector.ts';
import { textOf } from './core/errors.ts';
import type { Gateway } from './core/gateway.ts';
import { createIds, timeOf } from './core/id.ts';
import { Secret } from './core/secret.ts';
import { createVault } from './core/vault.ts';
import { createDeliver, createNotify, createUpdate } from './dispatch/deliver.ts';
import { createDownload, openAttachment } from './dispatch/files.ts';
import { destinationTypes } from './dispatch/index.ts';
import { createProfile } from './dispatch/profile.ts';
import { createReply } from './dispatch/reply.ts';
import { targetsOf } from './dispatch/routes.ts';
import { announceEnding } from './dispatch/settled.ts';
import { createEndpoints } from './endpoints.ts';
import { createFeed } from './feed.ts';
import { createHttp } from './http/http.ts';
import { closeServer, listen, startError } from './listen.ts';
import { createLog } from './log.ts';
import { createAnnouncer } from './normalizer/announce.ts';
import { cleanLine } from './normalizer/canonical.ts';
import { createDesk } from './normalizer/desk.ts';
import { settleEarly } from './normalizer/early.ts';
import { createIntake } from './normalizer/receive.ts';
import { ticketProof } from './normalizer/thread.ts';
import { createOffload } from './offload.ts';
import { createOutbox } from './outbox.ts';
import { openQueue } from './queue/open.ts';
import { createWorker } from './queue/worker.ts';
import { createRetention } from './retention.ts';
import { createRoutes } from './routes.ts';
import { loadSecretKey } from './secret-key.ts';
import { openStore, type OpenDatabase } from './store/open.ts';
import { VERSION } from './version.ts';
import { createRefusals } from './webhooks/refusals.ts';
import { hardenServer, httpServerOptions } from './webhooks/server.ts';
import { createWebhooks } from './webhooks/webhooks.ts';

/** A gateway that is running in this process. */
export interface RunningGateway {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  readonly gateway: Gateway;
  /** The link that makes the first admin; undefined when there is one. */
  setupLink(): Promise<string | undefined>;
  /** A key with every scope, for this run only: what the command line uses. */
  readonly token: string;
  /** Takes nothing in any more, finishes what is in flight, hands back the rest. */
  close(): Promise<void>;
}

/** Tasks of one endpoint that are worked on at the same time. */
const PER_ENDPOINT = 8;

/**
 * Puts the parts together; the only file that knows all of them. Throws `PermanentError` with a hint
 * when it can't start. `clock` and `log` are the system's when left out.
 */
export async function startGateway(options: {
  readonly config: Config;
  readonly clock?: Clock;
  readonly log?: Log;
  /** How the database file is opened; tests make one that fails at a chosen moment. */
  readonly openDatabase?: OpenDatabase;
}): Promise<RunningGateway> {
  const { config, clock = systemClock, log = createLog(config.log), openDatabase } = options;
  const { dataDir, server: address } = config;
  // Undone in reverse, whether it stops or can't start.
  const undo: (() => Promise<void> | void)[] = [];
  try {
    return await start({ config, clock, log, openDatabase }, undo);
  } catch (error) {
    await undoAll(undo, log);
    throw startError(error, dataDir, address);
  }
}

async function start(
  {
    config,
    clock,
    log,
    openDatabase,
  }: { config: Config; clock: Clock; log: Log; openDatabase: OpenDatabase | undefined },
  undo: (() => Promise<void> | void)[],
): Promise<RunningGateway> {
  const vault = createVault(loadSecretKey(config.secretKey, config.dataDir));
  const typeOf = (id: string) => endpoints?.get(id)?.type ?? id;
  const { path: file, url: database } = config.store;
  const store = await openStore({ folder: config.dataDir, file, url: database, log, typeOf, openDatabase });
  undo.push(() => store.close());
  // Ids keep their order over restarts too, also when the clock was set back meanwhile.
  const newest = [
    (await store.read.events({}, { limit: 1 })).data[0],
    (await store.read.deliveries({}, { limit: 1 })).data[0],
  ];
  const newId = createIds(clock, Math.max(0, ...newest.map((each) => (each ? timeOf(each.id) : 0))));

  const server = createServer(httpServerOptions);
  hardenServer(server, { trustProxy: config.server.trustProxy });
  // It must listen before its address is known; until everything stands, whoever calls is asked to come back.
  let handle = (_request: IncomingMessage, response: ServerResponse): void => {
    response.writeHead(503, { 'retry-after': '1' }).end();
  };
  server.on('request', (request, response) => {
    handle(request, response);
  });
  const url = await listen(server, config.server);
  undo.push(() => closeServer(server));
  const publicUrl = config.server.publicUrl ?? url;

  const egress = createHttp({ allow: config.egress.allow, clock, userAgent: `Tributary/${VERSION}` });
  undo.push(() => {
    egress.close();
  });
  const offload = createOffload({ log });
  undo.push(() => offload.close());
  const endpoints = await createEndpoints(
    {
      connectors,
      destinationTypes,
      publicUrl,
      clock,
      log,
      vault,
      egress,
      store,
      offload: (work, lane) => offload.run(work, lane),
    },
    config,
  );
  undo.push(() => endpoints.close());
  const routes = await createRoutes({ store, newId, clock, endpoints }, config.routes);

  // Installations that share a Redis have different keys.
  const prefix = `tributary:${vault.key('queue').toString('hex', 0, 8)}`;
  const queue = await openQueue({ url: config.queue, prefix, perEndpoint: PER_ENDPOINT, log });
  const feed = createFeed({ read: store.read, log });
  const announced = (due: Parameters<typeof queue.push>[0]) => {
    queue.push(due);
    feed.poke();
  };
  const endpointOf = endpoints.get;
  const destinationTypeOf = (type: string) => destinationTypes.find((each) => each.type === type);
  const announcing = {
    newId,
    clock,
    store,
    announced,
    endpointOf,
    targetsOf: (facts: Parameters<typeof targetsOf>[0]) =>
      targetsOf(facts, { routes: routes.all(), endpointOf, destinationTypeOf }),
  };
  const policy = config.tickets;
  const proofKey = vault.key('ticket numbers');
  const intake = createIntake({
    ...announcing,
    log,
    policy,
    country: config.country,
    proofKey,
    threadsOf: (type) => connectors.find((each) => each.type === type)?.capabilities.threads ?? 'person',
    wake: (id) => {
      runner.wake(id);
    },
  });
  const runner = createRunner({
    endpoints,
    intake,
    store,
    clock,
    log,
    random: Math.random,
    announce: async (tx, endpoint, health) => {
      const announcer = createAnnouncer(tx, announcing);
      await announcer.change({ type: 'channel.health_changed', version: 0, extra: { endpoint, health } });
      return announcer.due;
    },
    announced,
  });
  endpoints.onChange(runner.follow);
  const desk = createDesk({ ...announcing, country: config.country });

  const delivering = {
    newId,
    store,
    clock,
    endpointOf,
    destinationTypeOf,
    openAttachment: (id: string) => openAttachment(store, id),
  };
  const worker = createWorker({
    store,
    queue,
    clock,
    log,
    random: Math.random,
    carryOut: {
      notify: createNotify(delivering),
      deliver: createDeliver(delivering),
      update: createUpdate(delivering),
      reply: createReply({
        ...delivering,
        proofOf: (number) => ticketProof(proofKey, number),
        isIdempotent: (type) => connectors.find((each) => each.type === type)?.capabilities.idempotent ?? false,
        settleEarly: async (tx, endpointId, externalId) => {
          const source = { endpointId, receivedAt: clock.now() };
          await settleEarly(tx, createAnnouncer(tx, announcing), source, externalId);
        },
      }),
      download: createDownload(delivering),
      profile: createProfile({
        ...delivering,
        cleanName: cleanLine,
        announce: (tx) => createAnnouncer(tx, announcing).change,
      }),
    },
    settled: async (tx, ending) => {
      const announcer = createAnnouncer(tx, announcing);
      await announceEnding(tx, announcer, ending);
      return announcer.due;
    },
    announced,
  });

  const refusals = createRefusals(clock);
  const gateway: Gateway = {
    version: VERSION,
    publicUrl,
    clock,
    log,
    store,
    intake,
    desk,
    endpoints,
    routes,
    outbox: createOutbox({ store, clock, announced, resumed: runner.retry }),
    refusals,
    onChange: feed.listen,
  };
  const token = `trb_${randomBytes(32).toString('base64url')}`;
  const api = createApi(gateway, {
    fullKeys: [new Secret(token), ...(config.adminApiKey ? [config.adminApiKey] : [])],
    consoleDir: fileURLToPath(new URL('./console', import.meta.url)),
    trustProxy: config.server.trustProxy,
    ready: async () => ({ ok: true, detail: await store.health() }),
  });
  undo.push(() => {
    api.close();
  });
  const webhooks = createWebhooks({ endpoints, intake, refusals, clock, log, trustProxy: config.server.trustProxy });
  handle = (request, response) => {
    if (!webhooks(request, response)) api.app(request, response);
  };
  const sockets = api.attachSockets(server);
  undo.push(() => sockets.close());

  worker.start();
  runner.start();
  undo.push(async () => {
    await Promise.all([worker.stop(), runner.stop()]);
  });
  const retention = createRetention({ store, clock, log, limits: config.retention });
  undo.push(() => retention.stop());

  const card = join(config.dataDir, 'gateway.json');
  writeFileSync(card, `${JSON.stringify({ url, token, pid: process.pid })}\n`, { mode: 0o600 });
  undo.push(() => {
    rmSync(card, { force: true });
  });
  // The first to be undone: nobody comes in any more while the rest stops.
  undo.push(() => {
    server.close();
    server.closeIdleConnections();
  });
  return { url, gateway, setupLink: api.setupLink, token, close: () => undoAll(undo, log) };
}

async function undoAll(undo: (() => Promise<void> | void)[], log: Log): Promise<void> {
  for (let step = undo.pop(); step; step = undo.pop()) {
    try {
      await step();
    } catch (error) {
      log.warn({ error: textOf(error) }, 'a part did not stop cleanly');
    }
  }
}
