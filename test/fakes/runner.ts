import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { createRunner, type Runner } from '../../src/connectors/runner.ts';
import type { Channel, Raw } from '../../src/core/connector.ts';
import type { ItemInput } from '../../src/core/envelope.ts';
import type { Endpoint } from '../../src/core/gateway.ts';
import type { InboundState } from '../../src/core/rows.ts';
import type { Store } from '../../src/core/store.ts';
import type { LedgerEvent } from '../../src/core/ticket.ts';
import { fakeLog, type FakeLog } from './context.ts';
import { message, openFiling, type Filing } from './filing.ts';
import { PATIENCE_MS } from './until.ts';

/** Loops over channels that a test makes up, with the real way in and a real store; time stands still. */
export interface Host {
  readonly filing: Filing;
  readonly runner: Runner;
  readonly log: FakeLog;
  readonly channels: Map<string, Channel>;
  /** What the store does with a transaction; by default, what it should. */
  write: (store: Store, ...call: Parameters<Store['write']>) => Promise<unknown>;
  /** A channel whose payloads are items; its vendor answers as the test says. */
  add(id: string, channel: Omit<Channel, 'normalize'>): void;
  /** The runner of another process on the same store, which has entered. */
  beside(processId: string): Promise<Runner>;
  /** Also what ignores that it should. */
  stop(): Promise<void>;
  /** As a process that was killed leaves it: nothing is written any more, then another one starts. */
  killAndRestart(): Promise<void>;
  /** Lets everything run until it is so; the clock stands still meanwhile. */
  until(what: () => unknown, why: string): Promise<void>;
  /** Long enough for whatever would happen without time passing. */
  settle(): Promise<void>;
  eventsOf(endpoint: string): Promise<readonly LedgerEvent[]>;
  outcomesOf(endpoint: string): Promise<readonly string[]>;
  /** External ids of what became messages, in order. */
  filedOf(endpoint: string): Promise<readonly (string | null)[]>;
  /** The states of health that others were told of. */
  alarms(): Promise<readonly unknown[]>;
  inboundOf(endpoint: string): Promise<InboundState>;
  close(): Promise<void>;
}

export async function openHost(): Promise<Host> {
  const channels = new Map<string, Channel>();
  const log = fakeLog();
  const asItShould: Host['write'] = (store, ...call) => store.write(...call);
  const filing = await openFiling({
    log,
    wake: (id) => {
      host.runner.wake(id);
    },
    around: (store) => ({ ...store, write: ((...call) => host.write(store, ...call)) as Store['write'] }),
  });
  let processId = 'first';
  let runner = newRunner();

  function newRunner(idOf = () => processId): Runner {
    const endpointOf = (id: string): Endpoint | undefined => {
      const channel = channels.get(id);
      const about = { type: 'test', name: id, enabled: true, source: null, settings: {}, problem: null };
      return channel && { id, role: 'channel', ...about, channel };
    };
    return createRunner({
      processId: idOf,
      endpoints: { all: () => [...channels.keys()].map((id) => endpointOf(id)!), get: endpointOf },
      intake: filing.intake,
      store: filing.store,
      clock: filing.clock,
      log,
      random: () => 0.5,
      announce: async (tx, endpoint, health) => {
        const extra = { endpoint, health };
        await tx.insertChange({ type: 'channel.health_changed', at: filing.clock.now(), version: 0, extra });
        return [];
      },
      announced: () => undefined,
    });
  }

  const host: Host = {
    filing,
    log,
    channels,
    get runner() {
      return runner;
    },
    write: asItShould,
    add(id, channel) {
      channels.set(id, { normalize: () => [], ...channel });
    },
    async beside(id) {
      await filing.store.write([], (tx) => tx.enterProcess(id));
      return newRunner(() => id);
    },
    async stop() {
      const stopped = runner.stop();
      await filing.clock.advance(10_000);
      await stopped;
    },
    async killAndRestart() {
      await host.stop();
      host.write = asItShould;
      const gone = processId;
      processId += ' again';
      await filing.store.write([], async (tx) => {
        await tx.endProcess(gone);
        await tx.enterProcess(processId);
      });
      runner = newRunner();
      runner.start();
    },
    async until(what, why) {
      const end = performance.now() + PATIENCE_MS;
      while (!(await what())) {
        if (performance.now() > end) assert.fail(`never happened: ${why}`);
        await nextTurn();
      }
    },
    async settle() {
      for (let i = 0; i < 50; i++) await nextTurn();
    },
    eventsOf: async (endpoint) => (await filing.store.read.events({ endpoint }, { limit: 200 })).data.toReversed(),
    outcomesOf: async (endpoint) => (await host.eventsOf(endpoint)).map(({ outcome }) => outcome),
    filedOf: async (endpoint) =>
      (await host.eventsOf(endpoint))
        .filter(({ outcome }) => outcome === 'ticket_created' || outcome === 'appended')
        .map(({ externalId }) => externalId),
    alarms: async () =>
      (await filing.store.read.changes(0, 1000))
        .filter(({ type }) => type === 'channel.health_changed')
        .map(({ data }) => data['health']),
    inboundOf: (endpoint) => filing.store.write([], async (tx) => (await tx.endpointState(endpoint)).inbound),
    async close() {
      await host.stop();
      await filing.close();
    },
  };
  await filing.store.write([], (tx) => tx.enterProcess(processId));
  return host;
}

/** What a vendor hands over: items, as a channel of `openHost` reads them. */
function raw(...items: readonly ItemInput[]): Raw {
  return { body: Buffer.from(JSON.stringify(items)) };
}

/** A message with that id. */
export function said(externalId: string): Raw {
  return raw(message('chat|anna', { externalId }));
}
