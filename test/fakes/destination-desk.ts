import assert from 'node:assert/strict';
import type { Destination, DestinationType } from '../../src/core/destination.ts';
import { createHttp } from '../../src/http/http.ts';
import { fakeContext, fakeLog, type FakeLog } from './context.ts';
import { message } from './filing.ts';
import { openOutgoing, type Outgoing } from './outgoing.ts';

/** The way out to a stand-in for a help desk, as one destination. */
export interface DestinationDesk {
  readonly out: Outgoing;
  readonly destination: Destination;
  /** What the destinations log. */
  readonly log: FakeLog;
  /** One with other settings. */
  open(given?: object): Destination;
  /** The same, for all that follows. */
  use(given: object): void;
  /** A customer writes; resolves with his ticket. */
  write(text: string, from?: Parameters<typeof message>[0], given?: Parameters<typeof message>[1]): Promise<string>;
  delivered(): Promise<number>;
  /** Lets time pass until so many deliveries are done. */
  settled(count: number): Promise<void>;
  close(): Promise<void>;
}

/** `settings` name the stand-in: it is on this machine. */
export async function openDestinationDesk(
  type: DestinationType,
  id: string,
  settings: object,
): Promise<DestinationDesk> {
  const out = await openOutgoing([{ id, carries: 'tickets' }]);
  const egress = createHttp({ allow: ['127.0.0.1'] });
  out.addChannel('chat', { reply: async () => undefined });
  const log = fakeLog();

  function open(given: object = {}): Destination {
    const context = fakeContext({ id, clock: out.clock, log, http: egress.for({ hosts: [] }) });
    return type.open(type.config.parse({ ...settings, ...given }), context) as Destination;
  }
  let destination = open();
  const desk: DestinationDesk = {
    out,
    log,
    get destination() {
      return destination;
    },
    open,
    use(given) {
      destination = open(given);
      out.addDestination(id, destination);
    },
    write: async (text, from = 'telegram|1', given = {}) =>
      (await out.file(message(from, { text, ...given })))[0]!.ticketId!,
    delivered: async () => (await out.deliveries()).filter(({ state }) => state === 'delivered').length,
    async settled(count) {
      for (let i = 0; i < 100 && (await desk.delivered()) < count; i++) await out.pass(100);
      assert.equal(await desk.delivered(), count);
    },
    async close() {
      await out.close();
      egress.close();
    },
  };
  desk.use({});
  return desk;
}
