import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TelegramServer } from 'telegram-test-api/lib/telegramServer.js';
import type { Log } from '../src/core/connector.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { freePort } from './fakes/free-port.ts';
import { fakeLog } from './fakes/context.ts';
import { startReceiver } from './fakes/receiver.ts';
import { readSchema, schemaExists } from './fakes/telegram-schema.ts';
import { startTelegram, TOKEN } from './fakes/telegram.ts';
import type { FakeTelegram } from './fakes/telegram.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const SECRET = 'a-secret_1';
const SHARED = join(import.meta.dirname, '../../shared/fixtures/telegram');
const AT = 1_795_341_600;

const polled = (apiRoot: string) => `  - { id: bot, type: telegram, token: "${TOKEN}", apiRoot: "${apiRoot}" }\n`;
const pushed = (apiRoot: string) =>
  `  - { id: bot, type: telegram, token: "${TOKEN}", mode: webhook, webhookSecret: ${SECRET}, apiRoot: "${apiRoot}" }\n`;
const PUBLIC = { PUBLIC_URL: 'https://desk.example.com' };

/** What the test server keeps of `setWebhook`, to itself. */
interface Registered {
  readonly webhooks: Readonly<Record<string, { readonly url: string; readonly secret_token?: string }>>;
}

type List<T> = { readonly data: readonly T[] };
const ticketsOf = async (whole: Whole) => (await whole.api<List<Ticket>>('/tickets')).data.toReversed();
const messagesOf = async (whole: Whole, ticketId: string) =>
  (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
const eventsOf = async (whole: Whole) => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();
const allMessages = async (whole: Whole) =>
  (await Promise.all((await ticketsOf(whole)).map(({ id }) => messagesOf(whole, id)))).flat();

async function answer(whole: Whole, ticketId: string, body: object): Promise<Message> {
  const { id } = await whole.api<Message>(`/tickets/${ticketId}/replies`, { method: 'POST', body });
  return until(async () => {
    const found = (await messagesOf(whole, ticketId)).find((message) => message.id === id);
    return found?.delivery?.state !== 'waiting' && found;
  }, 'the answer goes out');
}

describe('Telegram, through a whole gateway against telegram-test-api', () => {
  let server: TelegramServer;
  let whole: Whole | undefined;
  beforeEach(async () => {
    server = new TelegramServer({ port: await freePort(), host: '127.0.0.1' });
    await server.start();
  });
  afterEach(async () => {
    await whole?.close();
    whole = undefined;
    await server.stop();
  });

  it('fetches text, a command and a pressed button, and answers', async () => {
    const client = server.getClient(TOKEN, { userId: 7001, chatId: 7001, firstName: 'Olena' });
    await client.sendMessage(client.makeMessage('Where is my order?'));
    await client.sendCommand(client.makeCommand('/start order4512'));
    await client.sendCallback(client.makeCallbackQuery('size:l'));
    const running = (whole = await startWhole({ yaml: polled(server.config.apiURL) }));
    const messages = await until(async () => {
      const found = await allMessages(running);
      return found.length === 3 && found;
    }, 'three messages');
    assert.deepEqual(
      messages.map(({ text, fields }) => [text, fields['command_text'] ?? fields['button']]),
      [
        ['Where is my order?', undefined],
        ['/start order4512', 'order4512'],
        ['size:l', 'size:l'],
      ],
    );
    const [ticket] = await ticketsOf(running);
    assert.equal(ticket!.customer.name, 'Olena');
    assert.equal((await answer(running, ticket!.id, { text: 'Tomorrow.' })).delivery?.state, 'sent');
    assert.deepEqual(
      server.storage.botMessages.map(({ message }) => [String(message.chat_id), message.text]),
      [['7001', 'Tomorrow.']],
    );
  });

  it('registers its webhook, and takes only what Telegram sends there', async () => {
    const running = (whole = await startWhole({ yaml: pushed(server.config.apiURL), env: PUBLIC }));
    const registered = await until(async () => (server as unknown as Registered).webhooks[TOKEN], 'a webhook');
    assert.equal(registered.url, 'https://desk.example.com/webhooks/bot');
    const statuses: number[] = [];
    // The test server knows no secret: what stands between it and the gateway adds the one that it was given.
    const relay = (secret: string | undefined) => async (body: string) => {
      const given = secret && { 'x-telegram-bot-api-secret-token': secret };
      const headers = { 'content-type': 'application/json', ...given };
      const url = `${running.running.url}${new URL(registered.url).pathname}`;
      const { status } = await fetch(url, { method: 'POST', headers, body });
      statuses.push(status);
    };
    for (const secret of [undefined, 'a-secret_2', registered.secret_token]) {
      const between = await startReceiver();
      server.setWebhook({ url: `${between.origin}/` }, TOKEN);
      const client = server.getClient(TOKEN, { userId: 7001, chatId: 7001 });
      await client.sendMessage(client.makeMessage(`with ${secret}`));
      const [request] = await until(async () => between.requests.length > 0 && between.requests, 'a push');
      await relay(secret)(request!.body.toString());
      await between.close();
    }
    assert.deepEqual(statuses, [401, 401, 200]);
    assert.deepEqual(
      (await allMessages(running)).map(({ text }) => text),
      [`with ${SECRET}`],
    );
  });
});

describe('Telegram, through a whole gateway against a stand-in that keeps to its description', () => {
  let api: FakeTelegram;
  let whole: Whole | undefined;
  let log: ReturnType<typeof fakeLog>;
  beforeEach(async () => {
    api = await startTelegram();
    log = fakeLog();
  });
  afterEach(async () => {
    await whole?.close();
    whole = undefined;
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  let updateId = 500;
  const olena = { id: 7001, is_bot: false, first_name: 'Olena', username: 'olena_example', language_code: 'uk' };
  const bob = { id: 7002, is_bot: false, first_name: 'Bob' };
  const chat = { id: 7001, type: 'private', first_name: 'Olena' };
  const message = (id: number, content: object) => ({ message_id: id, date: AT, chat, from: olena, ...content });
  const update = (content: object) => ({ update_id: updateId++, ...content });
  const text = (id: number, words = `text ${id}`) => update({ message: message(id, { text: words }) });

  async function start(yaml = pushed(api.root), logTo: Log = log): Promise<Whole> {
    const started = (whole = await startWhole({ yaml, env: PUBLIC, log: logTo }));
    if (yaml.includes('webhook')) await until(() => api.webhook.url !== '', 'the webhook');
    return started;
  }
  const deliver = async (running: Whole, next: object) => {
    const { status } = await api.deliver(running.running.url, next);
    assert.equal(status, 200);
  };

  it('fetches each message once, in order, also over restarts and when updates are numbered anew', async () => {
    api.push(text(1), text(2));
    const running = await start(polled(api.root));
    const texts = async (count: number) =>
      until(async () => {
        const found = (await allMessages(running)).map((found) => found.text);
        return found.length >= count && found;
      }, `${count} messages`);
    await texts(2);
    await running.restart();
    api.push(text(3));
    await texts(3);
    updateId = 7;
    api.push(text(4), text(5));
    assert.deepEqual(await texts(5), ['text 1', 'text 2', 'text 3', 'text 4', 'text 5']);
    assert.deepEqual(
      new Set((await eventsOf(running)).map(({ outcome }) => outcome)),
      new Set(['ticket_created', 'appended']),
    );
  });

  it('takes photos and documents with their bytes, and shows the token nowhere', async () => {
    const bytes = Buffer.alloc(300_000, 'p');
    api.addFile('photo-x', bytes, 'photos/file_1.jpg');
    const size = (id: string, width: number) => ({ file_id: id, file_unique_id: id, width, height: width });
    const running = await start();
    await deliver(
      running,
      update({ message: message(1, { caption: 'broken', photo: [size('photo-s', 90), size('photo-x', 800)] }) }),
    );
    await deliver(
      running,
      update({ message: message(2, { document: { file_id: 'gone', file_unique_id: 'g', file_name: 'a.pdf' } }) }),
    );
    const [photo] = await until(async () => {
      const found = (await allMessages(running)).flatMap(({ attachments }) => attachments);
      return found.every(({ state }) => state !== 'waiting') && found;
    }, 'the files are settled');
    const got = await fetch(`${running.running.url}${new URL(photo!.url, running.running.url).pathname}`, {
      headers: { authorization: `Bearer ${running.running.token}` },
    });
    const sha256 = (of: Buffer) => createHash('sha256').update(of).digest('hex');
    assert.equal(sha256(Buffer.from(await got.arrayBuffer())), sha256(bytes));
    const failed = (await allMessages(running))[1]!.attachments[0]!;
    assert.equal(failed.state, 'failed');
    const everything = JSON.stringify([
      await allMessages(running),
      await eventsOf(running),
      await running.api('/deliveries'),
      await running.api('/channels'),
      await running.api('/channels/bot/health'),
      log.entries,
    ]);
    assert.ok(!everything.includes(TOKEN), 'the token is shown');
    assert.ok(!everything.includes(SECRET), 'the secret is shown');
  });

  it('keeps a file once, though Telegram calls it otherwise with an edit', async () => {
    const bytes = Buffer.from('the picture');
    api.addFile('AgAC-now', bytes, 'photos/file_1.jpg');
    api.addFile('AgAC-later', bytes, 'photos/file_1.jpg');
    const photo = (id: string) => [{ file_id: id, file_unique_id: 'AQ-same', width: 8, height: 8 }];
    const running = await start();
    await deliver(running, update({ message: message(1, { caption: 'brokn', photo: photo('AgAC-now') }) }));
    const edited = { caption: 'broken', photo: photo('AgAC-later'), edit_date: AT + 5 };
    await deliver(running, update({ edited_message: message(1, edited) }));
    const [only, ...more] = await until(async () => {
      const found = (await allMessages(running)).flatMap(({ attachments }) => attachments);
      return found.every(({ state }) => state !== 'waiting') && found;
    }, 'the file is settled');
    assert.deepEqual([only!.state, more.length], ['stored', 0]);
    assert.deepEqual(
      api.callsOf('getFile').map(({ parameters }) => parameters['file_id']),
      ['AgAC-now'],
    );
  });

  it('makes one message of an album, whatever the order of its parts', async () => {
    const photo = (id: string) => [{ file_id: id, file_unique_id: id, width: 8, height: 8 }];
    for (const id of ['p2', 'p1', 'p3']) api.addFile(id, Buffer.from(id), `photos/${id}.jpg`);
    const running = await start();
    const part = (id: number, content: object) =>
      deliver(running, update({ message: message(id, { media_group_id: '1337', ...content }) }));
    await part(12, { photo: photo('p2') });
    await part(11, { photo: photo('p1'), caption: 'three pictures' });
    await part(13, { photo: photo('p3') });
    const messages = await allMessages(running);
    assert.equal(messages.length, 1);
    assert.equal(messages[0]!.text, 'three pictures');
    assert.equal(messages[0]!.attachments.length, 3);
  });

  it('takes edits, reactions, deletions and moved groups', async () => {
    const running = await start();
    const connection = { business_connection_id: 'bcSampleA1' };
    await deliver(running, text(1, 'blue'));
    await deliver(running, update({ edited_message: message(1, { text: 'green', edit_date: AT + 5 }) }));
    await deliver(running, update({ edited_message: message(1, { text: 'red', edit_date: AT + 5 }) }));
    await deliver(
      running,
      update({
        message_reaction: {
          chat,
          message_id: 1,
          user: olena,
          date: AT,
          old_reaction: [],
          new_reaction: [{ type: 'emoji', emoji: '❤' }],
        },
      }),
    );
    await deliver(running, update({ business_message: message(1, { ...connection, text: 'to the owner' }) }));
    const owner = { id: 8001, is_bot: false, first_name: 'Rosa' };
    await deliver(
      running,
      update({ business_message: { ...message(2, connection), from: owner, text: 'his answer' } }),
    );
    await deliver(running, update({ deleted_business_messages: { ...connection, chat, message_ids: [1] } }));
    const found = await allMessages(running);
    assert.deepEqual(
      found.map(({ text, direction, deletedAt, reactions }) => [text, direction, deletedAt !== null, reactions.length]),
      [
        ['red', 'inbound', false, 1],
        ['to the owner', 'inbound', true, 0],
        ['his answer', 'outbound', false, 0],
      ],
    );

    const group = { id: -4001, type: 'group', title: 'Sample customers' };
    const supergroup = { id: -1001234567890, type: 'supergroup', title: 'Sample customers' };
    const inGroup = (id: number, content: object) => ({ message_id: id, date: AT, chat: group, from: bob, ...content });
    await deliver(running, update({ message: inGroup(31, { text: 'hello' }) }));
    await deliver(running, update({ message: inGroup(32, { migrate_to_chat_id: supergroup.id }) }));
    await deliver(running, update({ message: inGroup(2, { chat: supergroup, text: 'larger now' }) }));
    const ticket = (await ticketsOf(running)).at(-1)!;
    assert.deepEqual(
      (await messagesOf(running, ticket.id)).map((found) => found.text),
      ['hello', 'larger now'],
    );
    // The old name may come late, when the new one has long got a ticket of its own: that one stays.
    const late = { ...group, id: -4009 };
    await deliver(running, update({ message: inGroup(1, { chat: late, text: 'before' }) }));
    await deliver(running, update({ message: inGroup(3, { chat: late, migrate_to_chat_id: supergroup.id }) }));
    await deliver(running, update({ message: inGroup(4, { chat: supergroup, migrate_from_chat_id: late.id }) }));
    await deliver(running, update({ message: inGroup(5, { chat: supergroup, text: 'still here' }) }));
    assert.deepEqual(
      (await messagesOf(running, ticket.id)).map((found) => found.text),
      ['hello', 'larger now', 'still here'],
    );
  });

  it('keeps what somebody writes in a group and what he writes in private apart, whichever comes first', async () => {
    const running = await start();
    const group = { id: -4001, type: 'group', title: 'Sample customers' };
    const privately = { chat: { ...chat, id: bob.id }, from: bob };
    await deliver(running, text(1, 'Olena in private'));
    await deliver(running, update({ message: message(2, { chat: group, text: 'Olena in the group' }) }));
    await deliver(running, update({ message: message(3, { chat: group, from: bob, text: 'Bob in the group' }) }));
    await deliver(running, update({ message: message(4, { ...privately, text: 'Bob in private' }) }));
    const other = { ...group, id: -4002 };
    await deliver(running, update({ message: message(5, { chat: other, from: bob, text: 'Bob in another group' }) }));
    const anna = { id: 7003, is_bot: false, first_name: 'Anna' };
    await deliver(
      running,
      update({ message: message(6, { chat: { ...group, id: -4003 }, from: anna, text: 'Anna first in a group' }) }),
    );
    await deliver(
      running,
      update({ message: message(7, { chat: { ...chat, id: 7003 }, from: anna, text: 'then in private' }) }),
    );
    const tickets = await ticketsOf(running);
    const texts = await Promise.all(
      tickets.map(async ({ id }) => (await messagesOf(running, id)).map((each) => each.text)),
    );
    assert.deepEqual(texts, [
      ['Olena in private'],
      ['Olena in the group', 'Bob in the group'],
      ['Bob in private'],
      ['Bob in another group'],
      ['Anna first in a group'],
      ['then in private'],
    ]);
  });

  it('answers with text and files where it was written, and knows the answer again when it is answered', async () => {
    const running = await start();
    await deliver(running, text(1));
    const [ticket] = await ticketsOf(running);
    const file = { name: 'план.pdf', mediaType: 'application/pdf', content: Buffer.from('bytes').toString('base64') };
    const sent = await answer(running, ticket!.id, { text: 'Here it is.', attachments: [file] });
    assert.equal(sent.delivery?.state, 'sent', sent.delivery?.error ?? '');
    assert.deepEqual(
      api.calls.filter(({ method }) => method.startsWith('send')).map(({ method }) => method),
      ['sendMessage', 'sendDocument'],
    );
    const answered = { reply_to_message: message(900, { text: 'Here it is.' }), text: 'Thank you' };
    await deliver(running, update({ message: message(2, answered) }));
    const last = (await messagesOf(running, ticket!.id)).at(-1)!;
    assert.deepEqual([last.text, last.threadedBy.rule], ['Thank you', 'reference']);
  });

  it('says of an answer that the customer blocked the bot', async () => {
    const running = await start();
    await deliver(running, text(1));
    const [ticket] = await ticketsOf(running);
    api.end('sendMessage', { status: 403, description: 'Forbidden: bot was blocked by the user' });
    const { delivery } = await answer(running, ticket!.id, { text: 'Hello?' });
    assert.equal(delivery?.state, 'failed');
    assert.match(delivery?.error ?? '', /blocked by the user/);
  });

  it('says that another program polls, in the words of Telegram', async () => {
    api.webhook.url = 'https://other.example.com/hook';
    const running = await start(polled(api.root));
    const health = await until(async () => {
      const found = JSON.stringify(await running.api('/channels/bot/health'));
      return found.includes('409') && found;
    }, 'the error is told');
    assert.match(health, /webhook is active/);
    assert.ok(!health.includes(TOKEN));
  });

  it('answers a pressed button in its answer to Telegram', async () => {
    const running = await start();
    const query = { id: 'cq-1', from: olena, chat_instance: '1', data: 'yes' };
    const { body } = await api.deliver(running.running.url, update({ callback_query: query }));
    assert.deepEqual(JSON.parse(body), { method: 'answerCallbackQuery', callback_query_id: 'cq-1' });
  });

  it('is checked against a description that finds mistakes', function () {
    skipUnless(this, schemaExists(), "Telegram's description is not beside the repository");
    const schema = readSchema();
    assert.deepEqual(schema.request('sendMessage', { chat_id: 1, text: 'a' }), []);
    assert.notDeepEqual(schema.request('sendMessage', { chat_id: 1 }), []);
    assert.notDeepEqual(schema.request('sendMessage', { chat_id: 1, text: 'a', reply_to: 7 }), []);
    assert.notDeepEqual(schema.result('getFile', { file_id: 7 }), []);
    assert.notDeepEqual(schema.update({ update_id: 1, message: { message_id: 1 } }), []);
  });
});

describe("Telegram's own fixtures", () => {
  it('are updates as Telegram describes them', function () {
    skipUnless(this, schemaExists(), "Telegram's description is not beside the repository");
    const schema = readSchema();
    const folder = join(import.meta.dirname, '../src/connectors/telegram/fixtures');
    const cases = readdirSync(folder).map((name) => ({
      name,
      problems: schema.update(JSON.parse(readFileSync(join(folder, name, 'body.json'), 'utf8')) as object),
    }));
    assert.deepEqual(
      cases.filter(({ problems }) => problems.length > 0),
      [],
    );
  });
});

describe("Telegram's updates as others collected them", () => {
  let whole: Whole;
  before(async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    whole = await startWhole({ yaml: pushed('http://127.0.0.1:9') });
  });
  after(async () => {
    await (whole as Whole | undefined)?.close();
  });

  let updateId = 1;
  /** Each gets a number and a chat of its own: as collected they all share them. */
  async function send(payload: object): Promise<readonly LedgerEvent[]> {
    const before = (await eventsOf(whole)).length;
    const answer = await fetch(`${whole.running.url}/webhooks/bot`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': SECRET },
      body: JSON.stringify({ ...payload, update_id: updateId++ }),
    });
    await answer.arrayBuffer();
    assert.equal(answer.status, 200);
    return (await eventsOf(whole)).slice(before);
  }

  it('all end in the ledger, with as many items as they say and a name where they are ignored', async function () {
    const folder = join(SHARED, 'nutgram');
    const outcomes: Record<string, string[]> = {};
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
      const payload = JSON.parse(readFileSync(join(folder, file), 'utf8')) as object;
      const events = await send(payload);
      assert.equal(events.length, file === 'deleted_business_messages.json' ? 2 : 1, file);
      for (const { outcome, reason } of events) {
        (outcomes[outcome] ??= []).push(file.replace('.json', ''));
        if (outcome === 'ignored') assert.match(reason ?? '', /\S: \S|thread .* goes on|given elsewhere/, file);
      }
    }
    assert.deepEqual(outcomes['quarantined'] ?? [], []);
    // What only a person can have said is a message; what only Telegram says is not.
    for (const file of 'text photo voice video document contact location venue sticker channel_post callback_query'.split(
      ' ',
    )) {
      assert.ok(!outcomes['ignored']?.includes(file), `${file} was ignored`);
    }
    for (const file of 'new_chat_members pinned_message inline_query my_chat_member poll_answer giveaway'.split(' ')) {
      assert.ok(outcomes['ignored']?.includes(file), `${file} was taken for a message`);
    }
  });

  for (const source of ['chatwoot', 'yagop-node-telegram-bot-api']) {
    it(`all of ${source} end in the ledger, and only what is no update is quarantined`, async () => {
      const list = JSON.parse(readFileSync(join(SHARED, source, 'payloads.json'), 'utf8')) as { payload: object }[];
      for (const { payload } of list) {
        const [event, ...more] = await send(payload);
        assert.equal(more.length, 0);
        const [content] = Object.entries(payload).flatMap(([key, value]) =>
          key === 'update_id' ? [] : [value as unknown],
        );
        // Some of them were cut down to what their test looked at.
        const isWhole = typeof content === 'object' && content !== null && ('chat' in content || 'data' in content);
        assert.equal(event!.outcome === 'quarantined', !isWhole, JSON.stringify(payload));
      }
    });
  }
});
