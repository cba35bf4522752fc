import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeLog } from './fakes/context.ts';
import { readDiscord } from './fakes/discord-description.ts';
import { BOT_TOKEN, CHANNEL, DIRECT, PUBLIC_KEY, saying, SELF, SERVER, startDiscord } from './fakes/discord.ts';
import type { DiscordMessage, FakeDiscord } from './fakes/discord.ts';
import type { Description } from './fakes/openapi.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures/discord');
const [BOB, ANNA] = ['1100000000000000222', '1100000000000000777'];

type List<T> = { readonly data: readonly T[] };

describe('Discord, through a whole gateway against a stand-in', () => {
  let api: FakeDiscord;
  let whole: Whole;
  let description: Description | undefined;
  const log = fakeLog();
  let nth = 0;

  before(() => {
    description = readDiscord();
  });
  beforeEach(async () => {
    api = await startDiscord(description);
    const keys = `botToken: "${BOT_TOKEN}", publicKey: ${PUBLIC_KEY}, apiRoot: "${api.root}", agents: ["${ANNA}"]`;
    whole = await startWhole({ yaml: `  - { id: discord, type: discord, ${keys} }\n`, log });
  });
  afterEach(async () => {
    await whole.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  const ticketsOf = async () =>
    (await whole.api<List<Ticket>>('/tickets')).data.toSorted((a, b) => a.number - b.number);
  const messagesOf = async (ticketId: string) => (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
  const eventsOf = async () => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();
  const filed = (count: number) => until(async () => (await eventsOf()).length >= count, `${count} events are filed`);
  const url = () => `${whole.running.url}/webhooks/discord`;
  /** The nth connection (from 1) has begun or goes on. */
  const connected = (count: number) =>
    until(() => api.connections[count - 1]?.frames.some(({ op }) => op === 2 || op === 6), `connection ${count}`);

  /** Of now: what was missed is asked for by the gateway's own clock. */
  const say = (content: string, more: object = {}): DiscordMessage =>
    saying(content, { at: Date.now(), nth: ++nth, guild_id: SERVER, ...more });
  const inPrivate = { channel_id: DIRECT, guild_id: undefined };
  const by = (id: string, username: string) => ({ author: { id, username } });
  function tell(...messages: DiscordMessage[]): void {
    for (const message of messages) api.tell('MESSAGE_CREATE', message);
  }
  async function answer(ticketId: string, text: string): Promise<Message> {
    const { id } = await whole.api<Message>(`/tickets/${ticketId}/replies`, { method: 'POST', body: { text } });
    return until(async () => {
      const found = (await messagesOf(ticketId)).find((each) => each.id === id);
      return found?.delivery?.state !== 'waiting' && found;
    }, 'the answer goes out');
  }

  it('makes a ticket of each channel, thread and post, and one of what somebody writes in private', async () => {
    const post = '1541000000000000500';
    api.names.set(post, 'Printer does not print');
    await connected(1);
    tell(say('First'), say('Second', by(BOB, 'bob')), say('See title', { id: post, channel_id: post }));
    tell(say('one', inPrivate), say('two', inPrivate), say('Me too', { channel_id: post, ...by(BOB, 'bob') }));
    await filed(6);
    const tickets = await ticketsOf();
    const texts = await Promise.all(tickets.map(async ({ id }) => (await messagesOf(id)).map(({ text }) => text)));
    assert.deepEqual(texts, [
      ['First', 'Second'],
      ['See title', 'Me too'],
      ['one', 'two'],
    ]);
    assert.equal(tickets[1]!.subject, 'Printer does not print');
    assert.deepEqual(
      tickets.map(({ customer }) => customer.name),
      ['Olena', 'Olena', 'Olena'],
    );
  });

  it('answers where he wrote, and files neither its own answer nor what it is told twice', async () => {
    await connected(1);
    const first = say('Where is my order?');
    tell(first, first);
    await filed(2);
    const [ticket] = await ticketsOf();
    const { delivery } = await answer(ticket!.id, 'It comes tomorrow.');
    assert.equal(delivery?.state, 'sent', delivery?.error ?? '');
    const [posted] = api.said.get(CHANNEL)!;
    assert.deepEqual(posted!.message_reference, { message_id: first.id, fail_if_not_exists: false });
    tell(say('It comes tomorrow.', { ...posted, author: { id: SELF, username: 'help-desk', bot: true } }));
    const colleague = { type: 19, message_reference: { channel_id: CHANNEL, message_id: first.id } };
    tell(say('Or on Monday.', { ...colleague, ...by(ANNA, 'anna') }));
    await filed(4);
    assert.deepEqual(
      (await messagesOf(ticket!.id)).map(({ direction, text }) => [direction, text]),
      [
        ['inbound', 'Where is my order?'],
        ['outbound', 'It comes tomorrow.'],
        ['outbound', 'Or on Monday.'],
      ],
    );
  });

  it('takes edits, deletions and reactions', async () => {
    await connected(1);
    const [first, second] = [say('Where is my oder?'), say('Nonsense')];
    tell(first, second);
    const edited_timestamp = new Date().toISOString();
    api.tell('MESSAGE_UPDATE', { ...first, content: 'Where is my order?', edited_timestamp });
    api.tell('MESSAGE_UPDATE', { ...second, embeds: [{ type: 'link' }] });
    api.tell('MESSAGE_DELETE', { id: second.id, channel_id: CHANNEL, guild_id: SERVER });
    const emoji = { id: null, name: '👀' };
    const reaction = { user_id: BOB, channel_id: CHANNEL, message_id: first.id, guild_id: SERVER, emoji };
    api.tell('MESSAGE_REACTION_ADD', reaction);
    await filed(6);
    const [one, two] = await messagesOf((await ticketsOf())[0]!.id);
    assert.deepEqual([one!.text, one!.reactions.map(({ emoji: shown }) => shown)], ['Where is my order?', ['👀']]);
    assert.notEqual(two!.deletedAt, null);
    assert.deepEqual((await eventsOf()).map(({ outcome }) => outcome).slice(2, 4), ['revised', 'ignored']);
  });

  it('keeps files, and shows no secret anywhere', async () => {
    await connected(1);
    api.files.set('/attachments/receipt.pdf', { bytes: Buffer.from('a receipt') });
    const file = { filename: 'receipt.pdf', content_type: 'application/pdf', size: 9 };
    const attachments = [
      { ...file, id: '7', url: `${api.root}/attachments/receipt.pdf?ex=6a` },
      { ...file, id: '8', url: 'https://example.com/receipt.pdf' },
    ];
    const message = say('', { ...inPrivate, attachments });
    api.said.set(DIRECT, [message]);
    tell(message);
    await filed(1);
    const [ticket] = await ticketsOf();
    const [kept, lost] = await until(async () => {
      const files = (await messagesOf(ticket!.id)).flatMap((each) => each.attachments);
      return files.length === 2 && files.every(({ state }) => state !== 'waiting') && files;
    }, 'the files are settled');
    assert.deepEqual([kept!.state, kept!.size, lost!.state], ['stored', 9, 'failed']);
    assert.match(lost!.error ?? '', /no host of Discord's/);
    const everything = JSON.stringify([
      await messagesOf(ticket!.id),
      await eventsOf(),
      await whole.api('/deliveries'),
      await whole.api('/channels'),
      await whole.api('/channels/discord/health'),
      log.entries,
    ]);
    assert.ok(!everything.includes(BOT_TOKEN), 'a secret is shown');
  });

  it('goes on where it was after a restart, and asks for what came when Discord no longer knows', async () => {
    await connected(1);
    const first = say('First', inPrivate);
    tell(first);
    await filed(1);
    await whole.restart();
    await connected(2);
    assert.equal(api.connections[1]!.frames[0]!.op, 6);
    const missed = say('Missed', inPrivate);
    api.said.set(DIRECT, [first, missed]);
    api.starts.push({ op: 9, d: false });
    await whole.restart();
    await connected(4);
    assert.deepEqual(
      [2, 3].map((each) => api.connections[each]!.frames[0]!.op),
      [6, 2],
    );
    await filed(2);
    const [ticket] = await ticketsOf();
    assert.deepEqual(
      (await messagesOf(ticket!.id)).map(({ text }) => text),
      ['First', 'Missed'],
    );
    await until(async () => {
      const { missed: found } = await whole.api<{ missed: number }>('/channels/discord/health');
      return found === 1;
    }, 'it is counted');
  });

  it('says that the token was reset, and connects again once that is repaired', async () => {
    await connected(1);
    api.starts.push(4004);
    api.connections[0]!.socket.close(4000);
    const needs = async () => JSON.stringify(await whole.api('/channels/discord/health')).includes('needs_reauth');
    await until(needs, 'the channel needs a new token');
    await whole.restart();
    await connected(3);
    tell(say('Hello'));
    await until(async () => !(await needs()), 'it is well');
  });

  it("answers what Discord pushes, and refuses what isn't Discord's", async () => {
    const interaction = (type: number) => ({ id: '1', token: 'a-token', type, version: 1 });
    assert.deepEqual(await api.push(url(), interaction(1)), { status: 200, text: '{"type":1}' });
    const { status, text } = await api.push(url(), interaction(2));
    assert.deepEqual(
      [status, JSON.parse(text)],
      [
        200,
        {
          type: 4,
          data: {
            content: 'Commands are not served here. Write a message instead.',
            flags: 64,
            allowed_mentions: { parse: [] },
          },
        },
      ],
    );
    assert.equal((await api.push(url(), interaction(4))).text, '{"type":8,"data":{"choices":[]}}');
    assert.deepEqual(await api.push(url(), { version: 1, application_id: '1', type: 0 }), { status: 204, text: '' });
    assert.equal((await api.push(url(), interaction(1), { forged: true })).status, 401);
    assert.equal((await api.push(url(), interaction(1), { ago: 400 })).status, 401);
  });

  it('takes the samples of Discord and its libraries, each as what it says', async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    const read = (name: string) =>
      (JSON.parse(readFileSync(join(SHARED, name, 'payloads.json'), 'utf8')) as { payload: object }[]).map(
        ({ payload }) => payload,
      );
    const [docs, interactions] = [read('discord-api-docs'), read('discord-interactions-js')];
    assert.deepEqual([docs.length, interactions.length], [15, 4]);
    await connected(1);
    // Two are activities of a status, nothing that is ever delivered.
    const messages = docs.filter((each): each is DiscordMessage => 'channel_id' in each && 'author' in each);
    const events = docs.filter((each) => 'event' in each);
    assert.deepEqual([messages.length, events.length], [2, 11]);
    for (const push of [...events, ...interactions]) {
      assert.ok([200, 204].includes((await api.push(url(), push)).status));
    }
    // Both have the same id: the second one stands in another channel for another message.
    tell(messages[0]!, { ...messages[1]!, id: '306588351130107907' });
    await filed(17);
    const counts: Record<string, number> = {};
    for (const { outcome, reason } of await eventsOf()) {
      counts[outcome] = (counts[outcome] ?? 0) + 1;
      if (outcome === 'ignored') assert.match(reason ?? '', /\S: \S/);
    }
    assert.deepEqual(counts, { ignored: 15, ticket_created: 1, appended: 1 });
  });
});
