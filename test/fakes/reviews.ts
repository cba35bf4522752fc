import type { Channel } from '../../src/core/connector.ts';
import type { LedgerEvent, Message, Ticket } from '../../src/core/ticket.ts';
import { createHttp } from '../../src/http/http.ts';
import { fakeContext } from './context.ts';
import type { FakeContext } from './context.ts';
import { openOutgoing, type Outgoing } from './outgoing.ts';

const AGENT = 'user:usr_1';
const ID = 'shop';

/** A channel of reviews on the real way in and out, whose vendor is a stand-in; time is the test's. */
export interface Bench {
  readonly out: Outgoing;
  readonly channel: Channel;
  readonly context: FakeContext;
  /** What stands for the next poll. */
  cursor: string | undefined;
  /** Polls until there is no more, letting the time pass that the channel waits; files it all, and counts it. */
  poll(): Promise<number>;
  tickets(): Promise<readonly Ticket[]>;
  messages(ticketId?: string): Promise<readonly Message[]>;
  events(): Promise<readonly LedgerEvent[]>;
  answer(ticketId: string, text: string): Promise<string>;
  close(): Promise<void>;
}

export async function openReviews(open: (context: FakeContext) => Channel | Promise<Channel>): Promise<Bench> {
  const egress = createHttp({ allow: ['127.0.0.1'] });
  let asleep = 0;
  // The way in brings the clock, and wants the channel first.
  const clock = {
    now: () => out.clock.now(),
    sleep(ms: number, until?: AbortSignal) {
      asleep++;
      return out.clock.sleep(ms, until).finally(() => asleep--);
    },
    advance: (ms: number) => out.clock.advance(ms),
    jump: (ms: number) => out.clock.jump(ms),
    get sleepers() {
      return out.clock.sleepers;
    },
  };
  const context = fakeContext({ id: ID, clock, http: egress.for({ hosts: [] }) });
  const channel = await open(context);
  const out: Outgoing = await openOutgoing([], { idempotent: true }, channel);
  out.addChannel(ID, channel);
  const page = { limit: 200 };

  const bench: Bench = {
    out,
    channel,
    context,
    cursor: undefined,
    async poll() {
      let count = 0;
      for (;;) {
        const polling = channel.poll!(bench.cursor, new AbortController().signal);
        const isOver = polling.then(
          () => true,
          () => true,
        );
        while (!(await Promise.race([isOver, turn().then(() => false)]))) {
          if (asleep > 0) await out.clock.advance(1000);
        }
        const { items, cursor, more } = await polling;
        for (const { body, headers = {} } of items) {
          const receivedAt = out.clock.now();
          const payload = { endpointId: ID, receivedAt, method: 'POLL', url: '', headers, body } as const;
          await out.intake.receive(payload);
        }
        bench.cursor = cursor;
        count += items.length;
        if (!more) return count;
      }
    },
    tickets: async () => (await out.store.read.tickets({}, page)).data.toReversed(),
    async messages(ticketId) {
      const id = ticketId ?? (await bench.tickets())[0]?.id;
      return id === undefined ? [] : (await out.store.read.messages(id, page)).data;
    },
    events: async () => (await out.store.read.events({}, page)).data.toReversed(),
    async answer(ticketId, text) {
      const { messageId } = await out.desk.reply(ticketId, { text }, AGENT);
      for (let i = 0; i < 40 && (await stateOf(messageId)) === 'waiting'; i++) await out.pass(1000);
      return messageId;
    },
    async close() {
      await out.close();
      egress.close();
    },
  };
  const stateOf = async (id: string) => (await out.store.read.message(id))?.delivery?.state;
  return bench;
}

/** Long enough for an answer of a stand-in on this machine to come. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 5));
