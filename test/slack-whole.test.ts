import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeLog } from './fakes/context.ts';
import type { Description } from './fakes/openapi.ts';
import { readSlack } from './fakes/slack-description.ts';
import { APP_TOKEN, BOT_TOKEN, SELF, SIGNING_SECRET, startSlack, wrapped } from './fakes/slack.ts';
import type { FakeSlack } from './fakes/slack.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures/slack');
const CHANNEL = 'C0123456789';
const DIRECT = 'D0123456789';
const [OLENA, BOB, ANNA] = ['U0111OLENA', 'U0222BOB', 'U0777AGENT'];

type List<T> = { readonly data: readonly T[] };

describe('Slack, through a whole gateway against a stand-in', () => {
  let api: FakeSlack;
  let whole: Whole;
  let description: Description | undefined;
  const log = fakeLog();
  let next = 0;
  /** Of now: what was missed is asked for by the gateway's own clock. */
  const ts = () => `${Math.floor(Date.now() / 1000)}.${String(++next).padStart(6, '0')}`;

  before(() => {
    description = readSlack();
  });
  beforeEach(async () => {
    api = await startSlack(description);
    whole = await startWhole({ yaml: yamlOf('slack', `mode: webhook, signingSecret: "${SIGNING_SECRET}"`), log });
  });
  afterEach(async () => {
    await whole.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  const yamlOf = (id: string, more: string) =>
    `  - { id: ${id}, type: slack, botToken: "${BOT_TOKEN}", apiRoot: "${api.root}", agents: [${ANNA}], ${more} }\n`;
  const ticketsOf = async () =>
    (await whole.api<List<Ticket>>('/tickets')).data.toSorted((a, b) => a.number - b.number);
  const messagesOf = async (ticketId: string) => (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
  const allMessages = async () => (await Promise.all((await ticketsOf()).map(({ id }) => messagesOf(id)))).flat();
  const eventsOf = async () => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();
  const url = (id = 'slack') => `${whole.running.url}/webhooks/${id}`;

  const said = (text: string, more: object = {}) => {
    const at = ts();
    return {
      type: 'message',
      user: OLENA,
      text,
      ts: at,
      event_ts: at,
      channel: CHANNEL,
      channel_type: 'channel',
      ...more,
    };
  };
  const inPrivate = { channel: DIRECT, channel_type: 'im' };
  async function deliver(...events: object[]): Promise<void> {
    for (const event of events) assert.equal((await api.deliver(url(), wrapped(event))).status, 200);
  }
  async function answer(ticketId: string, text: string): Promise<Message> {
    const { id } = await whole.api<Message>(`/tickets/${ticketId}/replies`, { method: 'POST', body: { text } });
    return until(async () => {
      const found = (await messagesOf(ticketId)).find((each) => each.id === id);
      return found?.delivery?.state !== 'waiting' && found;
    }, 'the answer goes out');
  }

  it('says the word that Slack asks for, if Slack asks', async () => {
    const question = { type: 'url_verification', token: 'x', challenge: 'a-Word_0123456789' };
    assert.deepEqual(await api.deliver(url(), question), { status: 200, text: 'a-Word_0123456789' });
    const script = await api.deliver(url(), { ...question, challenge: '<script>' });
    assert.deepEqual(script, { status: 200, text: '' });
    assert.equal((await api.deliver(url(), question, { secret: 'somebody-elses-secret' })).status, 401);
    assert.equal((await api.deliver(url(), question, { at: Math.floor(Date.now() / 1000) - 400 })).status, 401);
  });

  it('takes each event once, whatever ways it comes, and asks who it was', async () => {
    api.users.set(OLENA, { name: 'olena', locale: 'uk-UA', profile: { real_name: 'Olena Example', display_name: '' } });
    const event = said(`<@${SELF}> Where is my order?`);
    await deliver(event, event, { ...event, type: 'app_mention', channel_type: undefined });
    const forged = await api.deliver(url(), wrapped(said('forged')), { secret: 'somebody-elses-secret' });
    assert.equal(forged.status, 401);
    const [message, ...more] = await allMessages();
    assert.deepEqual([message?.text, more.length], ['Where is my order?', 0]);
    await until(async () => (await ticketsOf())[0]!.customer.name === 'Olena Example', 'the name is asked for');
  });

  it('makes a ticket of each thread of a channel, and one of what somebody writes in private', async () => {
    const first = said('First');
    const second = said('Second', { user: BOB });
    const below = { thread_ts: first.ts };
    await deliver(first, second, said('Below the first', { ...below, user: BOB }), said('one', inPrivate));
    await deliver(said('two', inPrivate), said('three', { ...inPrivate, thread_ts: ts() }));
    const texts = await Promise.all(
      (await ticketsOf()).map(async ({ id }) => (await messagesOf(id)).map(({ text }) => text)),
    );
    assert.deepEqual(texts, [['First', 'Below the first'], ['Second'], ['one', 'two', 'three']]);
  });

  it('answers in the thread, and files neither its own answer nor what it is told of it', async () => {
    const first = said('Where is my order?');
    await deliver(first);
    const [ticket] = await ticketsOf();
    const { delivery, externalId } = await answer(ticket!.id, 'It comes tomorrow.');
    assert.equal(delivery?.state, 'sent', delivery?.error ?? '');
    const posted = api.said.get(CHANNEL)!.at(-1)!;
    assert.deepEqual([posted.text, posted.thread_ts, externalId], ['It comes tomorrow.', first.ts, null]);
    const own = { ...posted, channel: CHANNEL, channel_type: 'channel', bot_id: 'B1', event_ts: posted.ts };
    await deliver(own, said('Thank you', { thread_ts: first.ts }));
    const messages = await messagesOf(ticket!.id);
    assert.deepEqual(
      messages.map(({ direction, text }) => [direction, text]),
      [
        ['inbound', 'Where is my order?'],
        ['outbound', 'It comes tomorrow.'],
        ['inbound', 'Thank you'],
      ],
    );
  });

  it('takes what a colleague answers in Slack itself as an answer', async () => {
    const first = said('Where is my order?');
    await deliver(first, said('I am on it.', { user: ANNA, thread_ts: first.ts }), said('Lunch?', { user: ANNA }));
    const directions = (await allMessages()).map(({ direction, text }) => [direction, text]);
    assert.deepEqual(directions, [
      ['inbound', 'Where is my order?'],
      ['outbound', 'I am on it.'],
    ]);
  });

  it('follows edits, deletions and reactions', async () => {
    const [first, second] = [said('Where is my oder?'), said('Never mind')];
    const { channel, channel_type, event_ts: _at, ...message } = first;
    const edited = {
      ...message,
      text: 'Where is my order?',
      edited: { user: OLENA, ts: `${first.ts.split('.')[0]}.000000` },
    };
    const about = { type: 'message', channel, channel_type, hidden: true };
    const change = { ...about, subtype: 'message_changed', message: edited, previous_message: message, event_ts: ts() };
    const shown = { ...change, previous_message: edited, message: { ...edited, attachments: [{}] }, event_ts: ts() };
    await deliver(first, second, change, shown);
    await deliver({ ...about, subtype: 'message_deleted', deleted_ts: second.ts, event_ts: ts() });
    const reaction = { user: OLENA, item: { type: 'message', channel, ts: first.ts }, reaction: 'eyes' };
    await deliver({ ...reaction, type: 'reaction_added', event_ts: ts() });
    const [one, two] = await allMessages();
    assert.deepEqual([one!.text, one!.reactions.map(({ emoji }) => emoji)], ['Where is my order?', [':eyes:']]);
    assert.notEqual(two!.deletedAt, null);
    const outcomes = (await eventsOf()).map(({ outcome }) => outcome);
    assert.deepEqual(outcomes.slice(2, 4), ['revised', 'ignored']);
  });

  it('keeps files, and shows no secret anywhere', async () => {
    api.files.set('F1', { bytes: Buffer.from('a receipt'), mimetype: 'application/pdf' });
    const file = { id: 'F1', name: 'receipt.pdf', mimetype: 'application/pdf', size: 9, mode: 'hosted' };
    await deliver(said('', { subtype: 'file_share', files: [file, { id: 'F2', file_access: 'check_file_info' }] }));
    const [kept, lost] = await until(async () => {
      const files = (await allMessages()).flatMap(({ attachments }) => attachments);
      return files.length === 2 && files.every(({ state }) => state !== 'waiting') && files;
    }, 'the files are settled');
    assert.deepEqual([kept!.state, kept!.size, lost!.state], ['stored', 9, 'failed']);
    assert.match(lost!.error ?? '', /file_not_found/);
    const everything = JSON.stringify([
      await allMessages(),
      await eventsOf(),
      await whole.api('/deliveries'),
      await whole.api('/channels'),
      await whole.api('/channels/slack/health'),
      log.entries,
    ]);
    for (const secret of [BOT_TOKEN, SIGNING_SECRET]) assert.ok(!everything.includes(secret), 'a secret is shown');
  });

  it('says that the token was revoked, and goes on receiving', async () => {
    await deliver(said('Hello', inPrivate));
    const [ticket] = await ticketsOf();
    api.end('chat.postMessage', 'token_revoked');
    await whole.api(`/tickets/${ticket!.id}/replies`, { method: 'POST', body: { text: 'Hello!' } });
    await until(
      async () => JSON.stringify(await whole.api('/channels/slack/health')).includes('needs_reauth'),
      'the channel needs a new token',
    );
    await deliver(said('Anybody?', inPrivate));
    assert.equal((await messagesOf(ticket!.id)).at(-1)!.text, 'Anybody?');
  });

  it('listens where nobody reaches us, and asks for what came while it was away', async () => {
    await whole.close();
    whole = await startWhole({ yaml: yamlOf('slack', `appToken: "${APP_TOKEN}"`), log });
    await until(() => api.connections.length === 1, 'the connection');
    const first = said('First', inPrivate);
    api.connections[0]!.send(JSON.stringify({ type: 'events_api', envelope_id: 'one', payload: wrapped(first) }));
    await until(() => api.acknowledged.includes('one'), 'the first is stored');
    const missed = said('Missed', inPrivate);
    api.said.set(DIRECT, [first, missed]);
    await whole.restart();
    await until(async () => (await allMessages()).length === 2, 'the second is found');
    assert.deepEqual(
      (await allMessages()).map(({ text }) => text),
      ['First', 'Missed'],
    );
    await until(async () => {
      const { missed: found } = await whole.api<{ missed: number }>('/channels/slack/health');
      return found === 1;
    }, 'it is counted');
  });

  /** As collected every value is blank: what says where and when is filled in, so that each stands for itself. */
  function filled(value: unknown, key = ''): unknown {
    if (Array.isArray(value)) return value.map((inner) => filled(inner, key));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, filled(inner, name)]));
    }
    if (value !== '' && value !== '0000000000.000000') return value;
    if (/(^|_)ts$/.test(key) && !['thread_ts', 'latest_reply'].includes(key)) return ts();
    if (key === 'channel') return CHANNEL;
    if (key === 'bot_id') return 'B0123BOT';
    return key === 'user' ? OLENA : value;
  }

  async function outcomesOf(payloads: readonly unknown[]): Promise<Record<string, number>> {
    for (const payload of payloads) assert.equal((await api.deliver(url(), payload as object)).status, 200);
    const counts: Record<string, number> = {};
    for (const { outcome, reason } of await eventsOf()) {
      counts[outcome] = (counts[outcome] ?? 0) + 1;
      if (outcome === 'ignored') assert.match(reason ?? '', /\S: \S/);
    }
    return counts;
  }

  it("takes the samples of Slack's own SDK, each as what it says", async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    const folder = join(SHARED, 'java-slack-sdk');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
    assert.equal(files.length, 105);
    const read = (name: string) => filled(JSON.parse(readFileSync(join(folder, name), 'utf8')));
    assert.deepEqual(await outcomesOf(files.toSorted().map(read)), { ticket_created: 7, revised: 3, ignored: 95 });
  });

  it('takes the samples of a help desk, each as what it says', async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    const samples = JSON.parse(readFileSync(join(SHARED, 'chatwoot/payloads.json'), 'utf8')) as { payload: unknown }[];
    assert.equal(samples.length, 11);
    // Nine of them have words of the test instead of an event, and one says nothing of its channel.
    assert.deepEqual(await outcomesOf(samples.map(({ payload }) => payload)), { ignored: 1, quarantined: 10 });
  });
});
