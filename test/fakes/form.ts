import assert from 'node:assert/strict';
import type { z } from 'zod';
import { FormConfig } from '../../src/connectors/form/config.ts';
import { form } from '../../src/connectors/form/form.ts';
import type { Channel } from '../../src/core/connector.ts';
import { Item } from '../../src/core/envelope.ts';
import type { Envelope } from '../../src/core/envelope.ts';
import { BadPayloadError } from '../../src/core/errors.ts';
import type { HttpAnswer, Receipt, WebhookRequest } from '../../src/core/payload.ts';
import { fakeClock } from './clock.ts';
import { fakeContext } from './context.ts';

export const OWN = 'https://desk.example.com';
export const SHOP = 'https://shop.example.com';
const START = Date.parse('2026-11-22T10:00:00Z');
/** What a visitor fills in. */
export const good = { email: 'olena@example.com', message: 'Де моє замовлення?' };

/** What became of a post. */
export interface Sent {
  readonly status: number;
  readonly answer: HttpAnswer;
  /** What the answer says. */
  readonly page: string;
  readonly item?: Item;
}

/** A form with a still clock, and ways to post to it as the host would pass it on. */
export async function openForm(
  config: z.input<typeof FormConfig> = {},
  key?: () => Buffer,
  made: Partial<Receipt['items'][number]> = {},
) {
  const clock = fakeClock(START);
  const context = fakeContext({ id: 'contact', clock, ...(key && { key }) });
  const channel: Channel = await form.open(FormConfig.parse(config), context);
  const webhook = channel.webhook!;

  function request(given: Partial<WebhookRequest>): WebhookRequest {
    return {
      endpointId: 'contact',
      receivedAt: clock.now(),
      method: 'POST',
      url: '/forms/contact',
      headers: {},
      body: Buffer.alloc(0),
      remoteAddress: '203.0.113.7',
      ...given,
    };
  }

  /** As the host does it: verify, normalize, answer. */
  async function send(given: Partial<WebhookRequest>): Promise<Sent> {
    const post = request(given);
    try {
      await webhook.verify(post);
    } catch (error) {
      assert.ok(error instanceof BadPayloadError, String(error));
      const answer = webhook.refuse!(post, error)!;
      return { status: answer.status, answer, page: String(answer.body) };
    }
    const [input] = await channel.normalize(post);
    const item = Item.parse(input);
    const items =
      item.kind === 'form' ? [{ outcome: 'ticket_created', ticketNumber: 1042, ...made }] : [{ outcome: item.kind }];
    const answer = webhook.respond!(post, { items });
    return { status: answer.status, answer, page: String(answer.body), item };
  }

  async function get(url = '/forms/contact', headers: Record<string, string> = {}): Promise<HttpAnswer> {
    const answer = await webhook.challenge!(request({ method: 'GET', url, headers }));
    return answer!;
  }

  return {
    channel,
    webhook,
    clock,
    request,
    send,
    get,
    json: (body: object, headers: Record<string, string> = {}, more: Partial<WebhookRequest> = {}) =>
      send({
        headers: { 'content-type': 'application/json', ...headers },
        body: Buffer.from(JSON.stringify(body)),
        ...more,
      }),
    post: (body: Record<string, string> | string, headers: Record<string, string> = {}) =>
      send({
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: Buffer.from(typeof body === 'string' ? body : new URLSearchParams(body).toString()),
      }),
    multipart: (body: string | Buffer, boundary: string | undefined = 'b') =>
      send({
        headers: { 'content-type': `multipart/form-data${boundary ? `; boundary=${boundary}` : ''}` },
        body: typeof body === 'string' ? Buffer.from(body) : body,
      }),
    async token(): Promise<string> {
      return /name="_token" value="([^"]+)"/.exec(String((await get()).body))![1]!;
    },
  };
}

export const part = (head: string, body: string) => `--b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${body}\r\n`;
/** The parts of a multipart body, without its end. */
export const parts = (values: Record<string, string>) =>
  Object.entries(values)
    .map(([name, value]) => part(`name="${name}"`, value))
    .join('');
export const envelopeOf = (sent: Sent): Envelope => {
  assert.equal(sent.item?.kind, 'form', `not filed: ${JSON.stringify(sent.item ?? sent.page)}`);
  return sent.item;
};
export const assertRejected = (sent: Sent, reason: RegExp): void => {
  assert.ok(sent.item?.kind === 'rejected', `not rejected: ${sent.item?.kind ?? sent.status}`);
  assert.match(sent.item.reason, reason);
  assert.ok(sent.item.envelope, 'an operator can bring it back');
};
