import type { Channel } from '../../src/core/connector.ts';
import type { Destination, DestinationType } from '../../src/core/destination.ts';
import type { ItemInput } from '../../src/core/envelope.ts';
import type { Endpoint } from '../../src/core/gateway.ts';
import { createIds } from '../../src/core/id.ts';
import type { Store } from '../../src/core/store.ts';
import type { Change, DeliveryView, TaskState } from '../../src/core/ticket.ts';
import { createDeliver, createNotify, createUpdate } from '../../src/dispatch/deliver.ts';
import { createDownload, openAttachment } from '../../src/dispatch/files.ts';
import { createProfile } from '../../src/dispatch/profile.ts';
import { createReply } from '../../src/dispatch/reply.ts';
import { announceEnding } from '../../src/dispatch/settled.ts';
import type { AwaitedDeps } from '../../src/normalizer/awaited.ts';
import { cleanLine } from '../../src/normalizer/canonical.ts';
import { settleEarly } from '../../src/normalizer/early.ts';
import { replaceOthers } from '../../src/normalizer/replaced.ts';
import { createHangUp } from '../../src/normalizer/hang-up.ts';
import { createAnnouncer } from '../../src/normalizer/announce.ts';
import type { Target } from '../../src/core/gateway.ts';
import { createEmbeddedQueue } from '../../src/queue/embedded.ts';
import { createWorker } from '../../src/queue/worker.ts';
import { fakeLog } from './context.ts';
import { openFiling, POLICY, PROOF_KEY, type Filing } from './filing.ts';

const SECOND = 1000;

/** The way out without HTTP: what is filed goes to destinations, and answers to channels, that are values. */
export interface Outgoing extends Filing {
  /** Endpoints by id; a test puts them there, changes and removes them. */
  readonly endpoints: Map<string, Endpoint>;
  /** Stands in for the store while tries are made. */
  on: Store;
  addDestination(id: string, destination: Destination | undefined, given?: Partial<Endpoint>): void;
  addChannel(id: string, channel: Partial<Channel>): void;
  /** Lets time pass while the worker works. */
  pass(ms: number, step?: number): Promise<void>;
  /** Lets time pass until something has happened, for what takes real time: files. */
  until(happened: () => boolean): Promise<void>;
  deliveries(filter?: { destination?: string; state?: TaskState }): Promise<readonly DeliveryView[]>;
  /** The newest delivery to a destination of a state. */
  error(destination: string): Promise<string | null>;
  changes(): Promise<readonly Change[]>;
}

/** `targets`: the destinations that everything goes to; `channel`: what comes in knows it as its channel; `awaiting`: see `openFiling`. */
export async function openOutgoing(
  targets: readonly Target[],
  capabilities: Partial<DestinationType['capabilities']> = {},
  channel?: Partial<Channel>,
  awaiting?: AwaitedDeps['awaiting'],
): Promise<Outgoing> {
  const normalize = (payload: { body: Buffer }) => JSON.parse(payload.body.toString()) as ItemInput[];
  const endpoints = new Map<string, Endpoint>();
  const filing = await openFiling({
    targets,
    destinationOf: (id) => (endpoints.get(id)?.role === 'destination' ? endpoints.get(id) : undefined),
    ...(channel && { channel: { normalize, ...channel } }),
    ...(awaiting && { awaiting }),
  });
  const { store, clock } = filing;
  const type = {
    capabilities: { carries: 'tickets', idempotent: false, localhost: true, proven: [], ...capabilities },
  } as unknown as DestinationType;
  const base = { type: 'test', enabled: true, source: null, settings: {}, problem: null };
  const queue = createEmbeddedQueue({ perEndpoint: 4 });
  const lent: Store = {
    ...store,
    write: (locks, work) => outgoing.on.write(locks, work),
  };
  const endpointOf = (id: string) => endpoints.get(id);
  const deps = {
    newId: createIds(clock),
    store: lent,
    clock,
    endpointOf,
    destinationTypeOf: () => type,
    openAttachment: (id: string) => openAttachment(store, id),
  };
  const announcing = { newId: createIds(clock), clock, targetsOf: () => targets };
  const worker = createWorker({
    store: lent,
    queue,
    clock,
    log: fakeLog(),
    processId: () => 'this',
    random: () => 0.5,
    carryOut: {
      deliver: createDeliver(deps),
      update: createUpdate(deps),
      notify: createNotify(deps),
      reply: createReply({
        ...deps,
        proofOf: (number) => `proof-of-${number}`,
        isIdempotent: () => capabilities.idempotent ?? false,
        settleEarly: (tx, endpointId, externalId) =>
          settleEarly(tx, createAnnouncer(tx, announcing), { endpointId, receivedAt: clock.now() }, externalId),
        replaceOthers: (tx, messageId) =>
          replaceOthers(tx, createAnnouncer(tx, announcing), messageId, { receivedAt: clock.now() }),
      }),
      download: createDownload(deps),
      hang_up: createHangUp({
        ...deps,
        ...announcing,
        policy: POLICY,
        proofKey: PROOF_KEY,
        announced: () => undefined,
      }),
      transcribe: async () => undefined,
      profile: createProfile({
        ...deps,
        cleanName: cleanLine,
        announce: (tx) => createAnnouncer(tx, announcing).change,
      }),
    },
    settled: async (tx, ending) => {
      const announcer = createAnnouncer(tx, announcing);
      await announceEnding(tx, announcer, ending);
      return announcer.due;
    },
    announced: (due) => queue.push(due),
  });
  worker.start();

  const outgoing: Outgoing = {
    ...filing,
    endpoints,
    on: store,
    addDestination(id, destination, given = {}) {
      endpoints.set(id, { ...base, id, name: id, role: 'destination', destination, ...given });
    },
    addChannel(id, channel) {
      endpoints.set(id, { ...base, id, name: id, role: 'channel', channel: { normalize, ...channel } });
    },
    async pass(ms, step = SECOND) {
      for (let left = ms; left > 0; left -= step) {
        const short = Math.min(SECOND, left);
        clock.jump(Math.min(step, left) - short);
        await clock.advance(short);
        // Files are read and written beside the event loop, so that turns alone don't do.
        for (let i = 0; i < 12; i++) await new Promise(setImmediate);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
    async until(happened) {
      for (let i = 0; i < 200 && !happened(); i++) await outgoing.pass(100);
    },
    deliveries: async (filter = {}) => (await store.read.deliveries(filter, { limit: 200 })).data,
    async error(destination) {
      return (await outgoing.deliveries({ destination })).find((each) => each.error !== null)?.error ?? null;
    },
    changes: () => store.read.changes(0, 1000),
    async close() {
      const stopped = worker.stop();
      await outgoing.pass(11 * SECOND);
      await stopped;
      await filing.close();
    },
  };
  return outgoing;
}
