import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeLog } from './fakes/context.ts';
import { startViber, TOKEN } from './fakes/viber.ts';
import type { FakeViber } from './fakes/viber.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures/viber');
const PUBLIC = { PUBLIC_URL: 'https://desk.example.com' };
const AT = 1_795_341_600_123;

type List<T> = { readonly data: readonly T[] };

describe('Viber, through a whole gateway against a stand-in', () => {
  let api: FakeViber;
  let whole: Whole;
  const log = fakeLog();
  beforeEach(async () => {
    api = await startViber();
    const settings = `token: "${TOKEN}", senderName: Example Desk, welcome: Hello!, apiRoot: "${api.root}"`;
    whole = await startWhole({ yaml: `  - { id: viber, type: viber, ${settings} }\n`, env: PUBLIC, log });
    api.reach(whole.running.url);
    await until(() => api.webhook !== '', 'the webhook is registered');
  });
  afterEach(async () => {
    await whole.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  const ticketsOf = async () => (await whole.api<List<Ticket>>('/tickets')).data.toReversed();
  const messagesOf = async (ticketId: string) => (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
  const eventsOf = async () => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();
  const allMessages = async () => (await Promise.all((await ticketsOf()).map(({ id }) => messagesOf(id)))).flat();

  let next = 10;
  /** As Viber writes it: the digits of the token stand there as a number. */
  const written = (event: object, token = `59168376543883430${next++}`) =>
    `${JSON.stringify(event).slice(0, -1)},"message_token":${token}}`;
  const olena = { id: 'xy5/5y6O81+/kbWHpLhBoA==', name: 'Olena', language: 'uk', country: 'UA' };
  const message = (content: object, more: object = {}) => ({
    event: 'message',
    timestamp: AT,
    sender: olena,
    message: { type: 'text', ...content },
    ...more,
  });
  async function deliver(event: object, token?: string): Promise<string> {
    const { status, body } = await api.deliver(written(event, token));
    assert.equal(status, 200);
    return body;
  }

  async function answer(ticketId: string, text: string): Promise<Message> {
    const { id } = await whole.api<Message>(`/tickets/${ticketId}/replies`, { method: 'POST', body: { text } });
    return until(async () => {
      const found = (await messagesOf(ticketId)).find((each) => each.id === id);
      return found?.delivery?.state !== 'waiting' && found;
    }, 'the answer goes out');
  }

  it('registers its webhook, takes what is signed there and nothing else', async () => {
    assert.equal(api.webhook, 'https://desk.example.com/webhooks/viber');
    await deliver(message({ text: 'Where is my order?' }));
    const forged = await api.deliver(written(message({ text: 'forged' })), TOKEN.replace('44', '45'));
    assert.equal(forged.status, 401);
    const [ticket, ...more] = await ticketsOf();
    assert.equal(more.length, 0);
    assert.deepEqual([ticket!.customer.name, ticket!.language], ['Olena', 'uk']);
    assert.deepEqual(
      (await messagesOf(ticket!.id)).map(({ text }) => text),
      ['Where is my order?'],
    );
  });

  it('knows messages apart whose tokens differ in the last digit, and each of them when it comes again', async () => {
    await deliver(message({ text: 'one' }), '5916837654388343011');
    await deliver(message({ text: 'two' }), '5916837654388343012');
    await deliver(message({ text: 'two' }), '5916837654388343012');
    assert.deepEqual(
      (await allMessages()).map(({ text, externalId }) => [text, externalId]),
      [
        ['one', '5916837654388343011'],
        ['two', '5916837654388343012'],
      ],
    );
  });

  it('keeps the bytes of a picture, and shows the token nowhere', async () => {
    const bytes = Buffer.alloc(200_000, 'p');
    const media = `${api.addFile('a.jpg', bytes)}?Expires=1&Signature=s`;
    await deliver(message({ type: 'picture', text: 'broken', media }));
    await deliver(message({ type: 'file', media: 'https://evil.example.com/a.pdf', file_name: 'a.pdf', size: 5 }));
    const [picture, elsewhere] = await until(async () => {
      const files = (await allMessages()).flatMap(({ attachments }) => attachments);
      return files.every(({ state }) => state !== 'waiting') && files;
    }, 'the files are settled');
    assert.deepEqual([picture!.state, elsewhere!.state], ['stored', 'failed']);
    const got = await fetch(`${whole.running.url}${new URL(picture!.url, whole.running.url).pathname}`, {
      headers: { authorization: `Bearer ${whole.running.token}` },
    });
    const sha256 = (of: Buffer) => createHash('sha256').update(of).digest('hex');
    assert.equal(sha256(Buffer.from(await got.arrayBuffer())), sha256(bytes));
    const everything = JSON.stringify([
      await allMessages(),
      await eventsOf(),
      await whole.api('/deliveries'),
      await whole.api('/channels'),
      await whole.api('/channels/viber/health'),
      log.entries,
    ]);
    assert.ok(!everything.includes(TOKEN), 'the token is shown');
  });

  it('answers, learns what became of it, and files what the customer writes next with that ticket', async () => {
    await deliver(message({ text: 'Where is my order?' }));
    const [ticket] = await ticketsOf();
    const sent = await answer(ticket!.id, 'Tomorrow.');
    assert.equal(sent.delivery?.state, 'sent', sent.delivery?.error ?? '');
    const [call] = api.callsOf('send_message');
    assert.equal(call!['receiver'], olena.id);
    for (const [event, state] of [
      ['seen', 'read'],
      ['delivered', 'read'],
    ] as const) {
      await deliver({ event, timestamp: AT + 1, user_id: olena.id }, '5916837654388304100');
      const found = (await messagesOf(ticket!.id)).find(({ id }) => id === sent.id);
      assert.equal(found?.delivery?.state, state, event);
    }
    await deliver(message({ text: 'Thank you', tracking_data: call!['tracking_data'] }));
    const last = (await messagesOf(ticket!.id)).at(-1)!;
    assert.deepEqual([last.text, last.threadedBy.rule], ['Thank you', 'ticket_number']);
    assert.match(last.threadedBy.evidence, /with our proof/);
  });

  it('says of an answer that the customer does not take it, and that the token needs renewal', async () => {
    await deliver(message({ text: 'Hello' }));
    const [ticket] = await ticketsOf();
    api.end('send_message', { status: 6, message: 'notSubscribed' });
    const { delivery } = await answer(ticket!.id, 'Hello?');
    assert.equal(delivery?.state, 'failed');
    assert.match(delivery?.error ?? '', /notSubscribed/);
    api.end('send_message', { status: 2, message: 'invalidAuthToken' });
    await whole.api(`/tickets/${ticket!.id}/replies`, { method: 'POST', body: { text: 'Still there?' } });
    await until(
      async () => JSON.stringify(await whole.api('/channels/viber/health')).includes('needs_reauth'),
      'the channel needs a new token',
    );
    await deliver(message({ text: 'Anybody?' }));
    assert.equal((await messagesOf(ticket!.id)).at(-1)!.text, 'Anybody?');
  });

  it('greets whoever opens the conversation, and makes no ticket of that', async () => {
    const user = { ...olena, api_version: 10 };
    const greeting = await deliver({ event: 'conversation_started', timestamp: AT, user, subscribed: false });
    assert.equal((JSON.parse(greeting) as { text?: string }).text, 'Hello!');
    await deliver({ event: 'subscribed', timestamp: AT, user });
    await deliver({ event: 'unsubscribed', timestamp: AT, user_id: olena.id });
    assert.deepEqual(await ticketsOf(), []);
    assert.deepEqual(
      (await eventsOf()).map(({ outcome, reason }) => [outcome, reason]),
      [
        ['ignored', 'webhook: Viber tries whether the address answers'],
        ['ignored', 'conversation_started: Olena opened the conversation'],
        ['ignored', 'subscribed: Olena takes messages from the bot'],
        ['ignored', `unsubscribed: ${olena.id} takes no messages from the bot any more`],
      ],
    );
  });

  it("takes Viber's own samples, each as what it says", async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    const node = readFileSync(join(SHARED, 'viber-bot-node/payloads.json'), 'utf8')
      // As collected they all share one token, and a name stands where the source had a constant.
      .replace(/4978563241957515056/g, () => `49785632419575150${next++}`)
      .replace('<EventConsts.CONVERSATION_STARTED>', 'conversation_started');
    // Cut out, not parsed: the tokens are larger than a number of JavaScript holds.
    const samples: string[] = node.match(/(?<="payload": )\{[^]*?\n {2}\}(?=,?\n)/g) ?? [];
    samples.push(readFileSync(join(SHARED, 'viber-bot-python/unicode_request'), 'utf8'));
    assert.equal(samples.length, 11);
    for (const sample of samples) assert.equal((await api.deliver(sample)).status, 200);
    const events = (await eventsOf()).slice(1);
    const counts: Record<string, number> = {};
    for (const { outcome } of events) counts[outcome] = (counts[outcome] ?? 0) + 1;
    assert.deepEqual(counts, { ticket_created: 2, appended: 8, ignored: 1 });
    const [idan, unicode] = await ticketsOf();
    assert.deepEqual(
      (await messagesOf(idan!.id)).map(({ text, attachments }) => [text, attachments.map(({ name }) => name).join()]),
      [
        ['Hi', ''],
        ['http://viber.com', ''],
        ['👤 idan, 97245611234', ''],
        ['', 'test.com'],
        ['📍 1234, 4312', ''],
        ['hello', 'picture.jpg'],
        ['', 'video.mp4'],
        ['[sticker]', ''],
        ['please upgrade now!', ''],
      ],
    );
    assert.match((await messagesOf(unicode!.id))[0]!.text, /^批封廟根縄華/);
  });
});
