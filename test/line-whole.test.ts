import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeLog } from './fakes/context.ts';
import { readLine, SECRET, startLine, TOKEN } from './fakes/line.ts';
import type { FakeLine } from './fakes/line.ts';
import type { Description } from './fakes/openapi.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures/line');
const SAMPLES = 'line-bot-sdk-java/line-bot-webhook/src/test/resources/callback';
const PUBLIC = { PUBLIC_URL: 'https://desk.example.com' };
const AT = 1_795_341_600_123;
const OLENA = 'U7001aaaa0000000000000000000000aa';
const BOB = 'U7002aaaa0000000000000000000000aa';
const GROUP = 'C4001bbbb0000000000000000000000bb';

type List<T> = { readonly data: readonly T[] };

describe('LINE, through a whole gateway against a stand-in', () => {
  let api: FakeLine;
  let whole: Whole;
  let description: Description | undefined;
  const log = fakeLog();
  before(() => {
    description = readLine();
  });
  beforeEach(async () => {
    api = await startLine(description);
    const settings = `channelSecret: "${SECRET}", channelAccessToken: "${TOKEN}", apiRoot: "${api.root}"`;
    whole = await startWhole({ yaml: `  - { id: line, type: line, ${settings} }\n`, env: PUBLIC, log });
    await until(() => api.webhook.endpoint === 'https://desk.example.com/webhooks/line', 'the webhook is registered');
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
  const url = () => `${whole.running.url}/webhooks/line`;

  let next = 1;
  const event = (type: string, content: object, more: object = {}) => ({
    type,
    timestamp: AT + next,
    mode: 'active',
    webhookEventId: `01KAQ7Z0000000000000000${100 + next++}`,
    deliveryContext: { isRedelivery: false },
    source: { type: 'user', userId: OLENA },
    ...content,
    ...more,
  });
  const text = (id: string, words: string, more: object = {}) =>
    event('message', { message: { id, type: 'text', text: words, quoteToken: 'q' } }, more);
  async function deliver(...events: object[]): Promise<void> {
    assert.equal(await api.deliver(url(), events), 200);
  }

  async function answer(ticketId: string, words: string): Promise<Message> {
    const body = { text: words };
    const { id } = await whole.api<Message>(`/tickets/${ticketId}/replies`, { method: 'POST', body });
    return until(async () => {
      const found = (await messagesOf(ticketId)).find((each) => each.id === id);
      return found?.delivery?.state !== 'waiting' && found;
    }, 'the answer goes out');
  }

  it('takes what is signed, once, also when it comes again, and asks who it is', async () => {
    api.profiles.set(OLENA, { displayName: 'Olena', language: 'uk' });
    await deliver();
    await deliver(text('11', 'Where is my order?'), text('12', 'It is number 17.'));
    await deliver(text('12', 'It is number 17.', { deliveryContext: { isRedelivery: true } }));
    assert.equal(await api.deliver(url(), [text('13', 'forged')], SECRET.replace('0f', '1f')), 401);
    const [ticket, ...more] = await ticketsOf();
    assert.equal(more.length, 0);
    assert.deepEqual(
      (await messagesOf(ticket!.id)).map((each) => each.text),
      ['Where is my order?', 'It is number 17.'],
    );
    await until(async () => (await ticketsOf())[0]!.customer.name === 'Olena', 'the name is asked for');
  });

  it('keeps files, also those that are not ready at first, and shows no secret anywhere', async () => {
    const bytes = Buffer.alloc(200_000, 'v');
    api.files.set('21', bytes);
    api.end('/transcoding', { http: 200, body: { status: 'processing' } });
    const own = { contentProvider: { type: 'line' }, quoteToken: 'q' };
    await deliver(event('message', { message: { id: '21', type: 'video', ...own } }));
    await deliver(event('message', { message: { id: '22', type: 'image', ...own } }));
    const [video, image] = await until(async () => {
      const files = (await allMessages()).flatMap(({ attachments }) => attachments);
      return files.length === 2 && files.every(({ state }) => state !== 'waiting') && files;
    }, 'the files are settled');
    assert.deepEqual([video!.state, image!.state], ['stored', 'failed']);
    const got = await fetch(`${whole.running.url}${new URL(video!.url, whole.running.url).pathname}`, {
      headers: { authorization: `Bearer ${whole.running.token}` },
    });
    const sha256 = (of: Buffer) => createHash('sha256').update(of).digest('hex');
    assert.equal(sha256(Buffer.from(await got.arrayBuffer())), sha256(bytes));
    const everything = JSON.stringify([
      await allMessages(),
      await eventsOf(),
      await whole.api('/deliveries'),
      await whole.api('/channels'),
      await whole.api('/channels/line/health'),
      log.entries,
    ]);
    assert.ok(!everything.includes(TOKEN), 'the token is shown');
    assert.ok(!everything.includes(SECRET), 'the secret is shown');
  });

  it('makes one message of pictures that were sent together, and takes edits and what was taken back', async () => {
    const picture = (id: string, index: number) =>
      event('message', {
        message: {
          id,
          type: 'image',
          contentProvider: { type: 'line' },
          quoteToken: 'q',
          imageSet: { id: 'set-1', index, total: 2 },
        },
      });
    await deliver(picture('32', 2));
    await deliver(picture('31', 1));
    await deliver(text('33', 'these are brokn'), text('34', 'never mind'));
    await deliver(event('messageEdited', { message: { id: '33', type: 'text', text: 'these are broken' } }));
    await deliver(event('unsend', { unsend: { messageId: '34' } }));
    assert.deepEqual(
      (await allMessages()).map((each) => [each.text, each.attachments.length, each.deletedAt !== null]),
      [
        ['', 2, false],
        ['these are broken', 0, false],
        ['never mind', 0, true],
      ],
    );
  });

  it('keeps groups and private chats apart, and answers where it was written', async () => {
    const inGroup = (userId: string) => ({ source: { type: 'group', groupId: GROUP, userId } });
    await deliver(text('41', 'Olena in private'));
    await deliver(text('42', 'Olena in the group', inGroup(OLENA)), text('43', 'Bob in the group', inGroup(BOB)));
    const tickets = await ticketsOf();
    const texts = await Promise.all(tickets.map(async ({ id }) => (await messagesOf(id)).map((each) => each.text)));
    assert.deepEqual(texts, [['Olena in private'], ['Olena in the group', 'Bob in the group']]);
    for (const ticket of tickets) {
      const { delivery } = await answer(ticket.id, 'It comes tomorrow.');
      assert.equal(delivery?.state, 'sent', delivery?.error ?? '');
    }
    assert.deepEqual(
      api.delivered.map(({ to }) => to),
      [OLENA, GROUP],
    );
    const quoted = {
      id: '44',
      type: 'text',
      text: 'Thank you',
      quoteToken: 'q',
      quotedMessageId: '461230966842064898',
    };
    await deliver(event('message', { message: quoted }, inGroup(BOB)));
    const last = (await messagesOf(tickets[1]!.id)).at(-1)!;
    assert.deepEqual([last.text, last.threadedBy.rule], ['Thank you', 'reference']);
  });

  it('sends an answer again whose outcome nobody knows, and the customer gets it once', async () => {
    await deliver(text('51', 'Hello'));
    const [ticket] = await ticketsOf();
    api.end('/push', 'lost');
    const { delivery } = await answer(ticket!.id, 'Hello, Olena!');
    assert.equal(delivery?.state, 'sent', delivery?.error ?? '');
    assert.equal(api.calls.filter(({ path }) => path.endsWith('/push')).length, 2);
    assert.deepEqual(api.delivered, [{ to: OLENA, text: 'Hello, Olena!' }]);
  });

  it('says that the token needs renewal, and goes on receiving', async () => {
    await deliver(text('61', 'Hello'));
    const [ticket] = await ticketsOf();
    api.end('/push', { http: 401, body: { message: 'Authentication failed.' } });
    await whole.api(`/tickets/${ticket!.id}/replies`, { method: 'POST', body: { text: 'Hello!' } });
    await until(
      async () => JSON.stringify(await whole.api('/channels/line/health')).includes('needs_reauth'),
      'the channel needs a new token',
    );
    await deliver(text('62', 'Anybody?'));
    assert.equal((await messagesOf(ticket!.id)).at(-1)!.text, 'Anybody?');
  });

  /** Each message gets an id of its own: as collected they share theirs. */
  const apart = (sample: string) => sample.replace(/"id": *"(325708|354718)"/g, () => `"id":"7${next++}"`);
  async function outcomesOf(samples: readonly string[]): Promise<Record<string, number>> {
    for (const sample of samples) {
      const { events } = JSON.parse(apart(sample)) as { events: object[] };
      await deliver(...events);
    }
    const counts: Record<string, number> = {};
    for (const { outcome, reason } of await eventsOf()) {
      counts[outcome] = (counts[outcome] ?? 0) + 1;
      if (outcome === 'ignored') assert.match(reason ?? '', /\S: \S/);
    }
    return counts;
  }

  it("takes the samples of LINE's own SDK, each as what it says", async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    const folder = join(SHARED, SAMPLES);
    const files = readdirSync(folder).map((name) => join(folder, name));
    for (const module of ['line-bot-parser', 'spring-boot/line-bot-spring-boot-webmvc']) {
      files.push(join(SHARED, 'line-bot-sdk-java', module, 'src/test/resources/callback-request.json'));
    }
    assert.equal(files.length, 29);
    const counts = await outcomesOf(files.map((file) => readFileSync(file, 'utf8')));
    assert.deepEqual(counts, { ticket_created: 3, appended: 14, revised: 1, ignored: 13, quarantined: 1 });
  });

  it('takes the samples of a help desk, each as what it says', async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    const list = JSON.parse(readFileSync(join(SHARED, 'chatwoot/payloads.json'), 'utf8')) as { payload: object }[];
    assert.equal(list.length, 7);
    const counts = await outcomesOf(list.map(({ payload }) => JSON.stringify(payload)));
    assert.deepEqual(counts, { ticket_created: 2, appended: 5, ignored: 6 });
  });
});
