import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AutoReply } from '../../src/core/auto-reply.ts';
import type { Channel, Log } from '../../src/core/connector.ts';
import type { EnvelopeInput, ItemInput } from '../../src/core/envelope.ts';
import type { Endpoint, Intake, RouteFacts } from '../../src/core/gateway.ts';
import { createIds } from '../../src/core/id.ts';
import type { Store } from '../../src/core/store.ts';
import type { Target } from '../../src/core/gateway.ts';
import type { AwaitedDeps } from '../../src/normalizer/awaited.ts';
import { createDesk } from '../../src/normalizer/desk.ts';
import { file } from '../../src/normalizer/filing.ts';
import { createIntake } from '../../src/normalizer/receive.ts';
import { openStore } from '../../src/store/open.ts';
import { fakeClock, type FakeClock } from './clock.ts';
import { placeOf } from './status-pages.ts';
import type { Desk } from '../../src/core/gateway.ts';

const HOUR = 3_600_000;
export const PROOF_KEY = Buffer.alloc(32, 9);
export const POLICY = { joinWithinMs: 24 * HOUR, reopenWithinMs: 7 * 24 * HOUR, calls: 'missed' } as const;

/** The way in without HTTP: a real store, and channels whose payloads are the items themselves. */
export interface Filing {
  readonly store: Store;
  readonly intake: Intake;
  readonly desk: Desk;
  readonly clock: FakeClock;
  readonly folder: string;
  /** Files items as one payload of a channel; answers with one outcome each. */
  file(
    items: ItemInput | readonly ItemInput[],
    channel?: string,
  ): Promise<readonly { outcome: string; ticketId?: string; ticketNumber?: number }[]>;
  close(): Promise<void>;
}

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

export async function openFiling(
  options: {
    readonly targets?: readonly Target[];
    /** Hears what routes are asked with. */
    readonly routed?: (facts: RouteFacts | undefined) => void;
    readonly threads?: 'person' | 'topic';
    readonly autoReply?: AutoReply;
    /** Which calls open a ticket; `missed` when left out. */
    readonly calls?: 'missed' | 'inbound' | 'all';
    /** One that is open already. */
    readonly store?: Store;
    readonly log?: Log;
    readonly wake?: (endpointId: string) => void;
    /** Destinations that await answers by mail. */
    readonly awaiting?: AwaitedDeps['awaiting'];
    /** The destination of an id; every other id is a channel's. */
    readonly destinationOf?: (id: string) => Endpoint | undefined;
    /** Instead of one whose payloads are the items themselves. */
    readonly channel?: Channel;
    /** Puts something between the way in and its store: one that fails at a chosen moment. */
    readonly around?: (store: Store) => Store;
  } = {},
): Promise<Filing> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-filing-'));
  const clock = fakeClock();
  const opened = options.store ?? (await openStore({ folder, log: silent, typeOf: () => 'test' }));
  const store = options.around?.(opened) ?? opened;
  const newId = createIds(clock);
  const channelOf = (id: string): Endpoint => ({
    id,
    role: 'channel',
    type: 'test',
    name: id,
    enabled: true,
    autoReply: options.autoReply,
    source: null,
    settings: {},
    problem: null,
    channel: options.channel ?? {
      normalize: (payload) => JSON.parse(payload.body.toString()) as ItemInput[],
      reply: async () => undefined,
    },
  });
  const endpointOf = (id: string) => options.destinationOf?.(id) ?? channelOf(id);
  const announcing = {
    newId,
    clock,
    store,
    endpointOf,
    announced: () => undefined,
    targetsOf: (facts: RouteFacts | undefined) => {
      options.routed?.(facts);
      return options.targets ?? [];
    },
  };
  const policy = { ...POLICY, ...(options.calls && { calls: options.calls }) };
  const filing = { ...announcing, policy, proofKey: PROOF_KEY };
  const intake = createIntake({
    ...filing,
    file: (one) => file(store, one, filing),
    log: options.log ?? silent,
    threadsOf: () => options.threads ?? 'person',
    country: 'UA',
    statusPages: placeOf().statusPages,
    wake: options.wake ?? (() => undefined),
    awaiting: options.awaiting ?? (() => []),
  });
  return {
    store,
    intake,
    clock,
    folder,
    desk: createDesk({ ...announcing, country: 'UA' }),
    async file(items, channel = 'chat') {
      const body = Buffer.from(JSON.stringify(Array.isArray(items) ? items : [items]));
      const payload = {
        endpointId: channel,
        receivedAt: clock.now(),
        method: 'POST',
        url: `/webhooks/${channel}`,
        headers: {},
        body,
      };
      return (await intake.receive(payload)).items;
    },
    async close() {
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

let count = 0;

/** A message of a person; `from` are identifiers as `kind|value|trust`. */
export function message(
  from: string | readonly string[],
  rest: Partial<Omit<EnvelopeInput, 'kind'>> = {},
): EnvelopeInput {
  const identifiers = [from].flat().map((each) => {
    const [kind = '', value = '', trust = 'verified'] = each.split('|');
    return { kind, value, trust: trust as 'verified' };
  });
  return {
    kind: 'message',
    externalId: `m-${++count}`,
    occurredAt: Date.parse('2026-11-22T10:00:00Z'),
    sender: { identifiers },
    text: 'Де моє замовлення?',
    ...rest,
  };
}
