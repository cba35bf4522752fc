import assert from 'node:assert/strict';
import type { LedgerEvent, Message, Ticket } from '../../src/core/ticket.ts';
import { readLine, SECRET, startLine, TOKEN } from './line.ts';
import type { FakeLine } from './line.ts';
import { until } from './until.ts';
import { startWhole } from './whole.ts';
import type { Whole } from './whole.ts';

type List<T> = { readonly data: readonly T[] };

/** Where the gateway says that it is. */
export const PUBLIC = 'https://desk.example.com';
/** Who writes. */
export const OLENA = 'U7001aaaa0000000000000000000000aa';

/** A whole gateway: a customer writes through LINE, and help desks get it. */
export interface LineDesk {
  readonly whole: Whole;
  readonly line: FakeLine;
  /** The customer writes. */
  write(text: string): Promise<void>;
  /** The address to which a destination is told what happened there. */
  webhookOf(destination: string): string;
  ticket(): Promise<Ticket>;
  messages(): Promise<readonly Message[]>;
  /** Deliveries that are not done. */
  waiting(): Promise<number>;
  /**
   * Behind a conversation of six messages, two of them answers that went out, which was solved here: however often the
   * destination is asked what happened there, nothing comes back that the gateway did itself.
   */
  staysSo(destination: string, tell: () => Promise<unknown>): Promise<void>;
  /** Ends it; fails where something didn't fit LINE's description. */
  close(): Promise<void>;
}

/** `destinations`: the settings of each by its id, as in the configuration; everything goes to all of them. */
export async function startLineDesk(
  destinations: Readonly<Record<string, string>>,
  description = readLine(),
): Promise<LineDesk> {
  const line = await startLine(description);
  const rows = Object.entries(destinations).map(([id, settings]) => `  - { id: ${id}, ${settings} }\n`);
  const whole = await startWhole({
    yaml: `  - { id: line, type: line, channelSecret: "${SECRET}", channelAccessToken: "${TOKEN}", apiRoot: "${line.root}" }
destinations:
${rows.join('')}routes:
  - { to: [${Object.keys(destinations).join(', ')}] }
`,
    env: { PUBLIC_URL: PUBLIC },
  });
  await until(() => line.webhook.endpoint.includes('desk.example'), 'it has begun');
  let next = 1;

  const desk: LineDesk = {
    whole,
    line,
    async write(text) {
      const event = {
        type: 'message',
        timestamp: Date.now(),
        mode: 'active',
        webhookEventId: `01KAQ7Z0000000000000000${100 + next++}`,
        deliveryContext: { isRedelivery: false },
        source: { type: 'user', userId: OLENA },
        message: { id: String(next), type: 'text', text, quoteToken: 'q' },
      };
      assert.equal(await line.deliver(`${whole.running.url}/webhooks/line`, [event]), 200);
    },
    webhookOf: (destination) => `${whole.running.url}/webhooks/${destination}`,
    ticket: async () => (await whole.api<List<Ticket>>('/tickets')).data[0]!,
    messages: async () =>
      (await whole.api<List<Message>>(`/tickets/${(await desk.ticket()).id}/messages?limit=200`)).data,
    async waiting() {
      const { data } = await whole.api<List<{ state: string }>>('/deliveries?limit=200');
      return data.filter(({ state }) => state !== 'delivered').length;
    },
    async staysSo(destination, tell) {
      for (let i = 0; i < 3; i++) {
        await tell();
        await new Promise((resolve) => setTimeout(resolve, 300));
      }
      assert.equal((await desk.ticket()).status, 'solved');
      assert.equal((await desk.messages()).length, 6);
      const [, ...later] = line.delivered.map(({ text }) => text);
      assert.deepEqual(later, ['Answered here.'], 'behind the answer that was given there');
      assert.equal(await desk.waiting(), 0);
      const { data } = await whole.api<List<LedgerEvent>>(`/events?endpoint=${destination}&limit=200`);
      const wrong = data.filter(({ outcome }) => outcome === 'quarantined' || outcome === 'duplicate');
      assert.deepEqual(wrong, []);
    },
    async close() {
      await whole.close();
      await line.close();
      assert.deepEqual(line.violations, []);
    },
  };
  return desk;
}
