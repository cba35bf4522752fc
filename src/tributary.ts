import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createApi } from './api/api.ts';
import { writeCard } from './card.ts';
import { examineMachine } from './cli/machine.ts';
import { createCarryOut } from './carry-out.ts';
import type { Config } from './config.ts';
import { connectors } from './connectors/index.ts';
import { createRunner } from './connectors/runner.ts';
import { systemClock, type Clock } from './core/clock.ts';
import type { Log } from './core/connector.ts';
import { PermanentError } from './core/errors.ts';
import type { Gateway } from './core/gateway.ts';
import { createIds, timeOf } from './core/id.ts';
import { ANSWERS_KEY } from './core/mail-address.ts';
import { Secret } from './core/secret.ts';
import { createVault, endpointKey } from './core/vault.ts';
import { destinationTypes } from './dispatch/index.ts';
import { routingOf, targetsOf } from './dispatch/routes.ts';
import { announceEnding } from './dispatch/settled.ts';
import { askForTranscript } from './dispatch/transcribe.ts';
import { createEndpoints } from './endpoints.ts';
import { createFeed } from './feed.ts';
import { createFiler } from './filer.ts';
import { noFront, openFront } from './front.ts';
import { createHttp } from './http/http.ts';
import { startError } from './listen.ts';
import { createLog } from './log.ts';
import { createAnnouncer } from './normalizer/announce.ts';
import { createDesk } from './normalizer/desk.ts';
import { createIntake } from './normalizer/receive.ts';
import { createOffload } from './offload.ts';
import { createOutbox } from './outbox.ts';
import { enterProcesses, type Processes } from './processes.ts';
import { openQueue } from './queue/open.ts';
import { createWorker } from './queue/worker.ts';
import { createRetention } from './retention.ts';
import { roles as allRoles, type Role } from './roles.ts';
import { createRoutes } from './routes.ts';
import { loadSecretKey } from './secret-key.ts';
import { openStore, type OpenDatabase } from './store/open.ts';
import { undoAll } from './undo.ts';
import { VERSION } from './version.ts';
import { createRefusals } from './webhooks/refusals.ts';
import { createWebhooks } from './webhooks/webhooks.ts';

/** A gateway that is running in this process. */
export interface RunningGateway {
  /** Where it listens, if it does, without a slash at the end. */
  readonly url: string;
  readonly roles: readonly Role[];
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

export interface GatewayOptions {
  readonly config: Config;
  /** All when left out. Fewer need others on the same PostgreSQL database that do the rest. */
  readonly roles?: readonly Role[];
  readonly clock?: Clock;
  readonly log?: Log;
  /** How the database file is opened; tests make one that fails at a chosen moment. */
  readonly openDatabase?: OpenDatabase;
  /** How often a process looks what the others do, milliseconds; tests are in a hurry. */
  readonly lookMs?: number;
}

/**
 * Puts the parts together; the only file that knows all of them. Throws `PermanentError` with a hint
 * when it can't start. `clock` and `log` are the system's when left out.
 */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const { config, roles = allRoles, clock = systemClock, log = createLog(config.log) } = options;
  // Undone in reverse, whether it stops or can't start.
  const undo: (() => Promise<void> | void)[] = [];
  try {
    assertShared(config, roles);
    return await start({ ...options, roles, clock, log }, undo);
  } catch (error) {
    await undoAll(undo, log);
    throw startError(error, config.dataDir, config.server);
  }
}

async function start(
  {
    config,
    roles,
    clock,
    log,
    openDatabase,
    lookMs,
  }: GatewayOptions & Required<Pick<GatewayOptions, 'roles' | 'clock' | 'log'>>,
  undo: (() => Promise<void> | void)[],
): Promise<RunningGateway> {
  const vault = createVault(loadSecretKey(config.secretKey, config.dataDir));
  const typeOf = (id: string) => endpoints?.get(id)?.type ?? id;
  const { path: file, url: database } = config.store;
  const store = await openStore({ folder: config.dataDir, file, url: database, log, clock, typeOf, openDatabase });
  undo.push(() => store.close());
  // Ids keep their order over restarts too, also when the clock was set back meanwhile.
  const newest = [
    (await store.read.events({}, { limit: 1 })).data[0],
    (await store.read.deliveries({}, { limit: 1 })).data[0],
  ];
  const after = Math.max(0, ...newest.map((each) => (each ? timeOf(each.id) : 0)));
  const newId = createIds(clock, after);

  const front = roles.includes('web') ? await openFront(config.server) : noFront(config.server);
  undo.push(() => front.close());
  const { url } = front;
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
      dataDir: config.dataDir,
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
  const routes = await createRoutes({ store, newId, clock, endpoints, destinationTypes }, config.routes);

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
  const routing = () => routingOf(routes.all(), endpoints.all(), destinationTypes);
  const announcing = {
    newId,
    clock,
    store,
    announced,
    endpointOf,
    targetsOf: (facts: Parameters<typeof targetsOf>[0]) => targetsOf(facts, routing()),
  };
  const policy = config.tickets;
  const proofKey = vault.key('ticket numbers');
  const statusPages = { key: vault.key('status pages'), publicUrl, ...config.statusPage };
  const filer = createFiler({ store, newId, policy, proofKey, after, routing });
  undo.push(() => filer.close());
  const intake = createIntake({
    ...announcing,
    file: (filing) => filer.file(filing),
    log,
    policy,
    country: config.country,
    proofKey,
    statusPages,
    awaiting: () => endpoints.all('destination').map(({ id }) => ({ id, key: endpointKey(vault, id, ANSWERS_KEY) })),
    threadsOf: (type) => connectors.find((each) => each.type === type)?.capabilities.threads ?? 'person',
    wake: (id) => {
      runner.wake(id);
    },
  });
  const runner = createRunner({
    endpoints,
    processId: () => processes.id(),
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

  const worker = createWorker({
    store,
    queue,
    clock,
    log,
    random: Math.random,
    processId: () => processes.id(),
    carryOut: createCarryOut({
      newId,
      store,
      clock,
      endpointOf,
      destinationTypeOf,
      connectors,
      announcing,
      policy,
      proofKey,
      transcripts: config.transcripts,
      outTo: (host) => egress.for({ hosts: [host] }),
    }),
    settled: async (tx, ending) => {
      const announcer = createAnnouncer(tx, announcing);
      await announceEnding(tx, announcer, ending);
      if (config.transcripts) await askForTranscript(tx, announcer, ending);
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
    outbox: createOutbox({ store, clock, announced, resumed: runner.retry, endpointOf: endpoints.get }),
    refusals,
    statusPages,
    onChange: feed.listen,
  };
  const token = `trb_${randomBytes(32).toString('base64url')}`;
  const api = createApi(gateway, {
    fullKeys: [new Secret(token), ...(config.adminApiKey ? [config.adminApiKey] : [])],
    consoleDir: fileURLToPath(new URL('./console', import.meta.url)),
    trustProxy: config.server.trustProxy,
    ready: async () => ({ ok: true, detail: await store.health() }),
    examine: () => examineMachine({ loaded: { config }, dataDir: config.dataDir, cwd: process.cwd(), clock }),
  });
  undo.push(api.close);
  const webhooks = createWebhooks({ endpoints, intake, refusals, clock, log, trustProxy: config.server.trustProxy });
  front.serve((request, response) => {
    if (!webhooks(request, response)) api.app(request, response);
  });
  if (front.server) {
    const sockets = api.attachSockets(front.server);
    undo.push(() => sockets.close());
  }
  const card = front.server && writeCard(config.dataDir, { url, token });
  undo.push(() => card?.remove());

  const processes: Processes = await enterProcesses({
    store,
    clock,
    log,
    lookMs,
    onLook: async () => {
      card?.renew();
      await Promise.all([endpoints.look(), routes.look()]);
      await runner.look();
    },
  });
  undo.push(() => processes.stop());
  if (roles.includes('channels')) runner.start();
  if (roles.includes('worker')) {
    worker.start();
    const retention = createRetention({ store, clock, log, limits: config.retention });
    undo.push(() => retention.stop());
  }
  undo.push(async () => {
    await Promise.all([worker.stop(), runner.stop()]);
  });
  // The first to be undone: nobody comes in any more while the rest stops.
  undo.push(() => {
    front.leave();
  });
  return { url, roles, gateway, setupLink: api.setupLink, token, close: () => undoAll(undo, log) };
}

function assertShared({ store }: Config, roles: readonly Role[]): void {
  if (store.url !== undefined || allRoles.every((role) => roles.includes(role))) return;
  throw new PermanentError('one process does everything on SQLite', {
    hint: 'Leave out --role, or set DATABASE_URL to a PostgreSQL database that several processes can share.',
  });
}
