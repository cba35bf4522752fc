import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeLog } from './fakes/context.ts';
import { APP_ID, createPair, PASSWORD, SERVICE, startTeams, TENANT } from './fakes/teams.ts';
import type { FakeTeams } from './fakes/teams.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures/teams/botbuilder-js/payloads.json');
const AT = Date.parse('2026-11-23T10:00:00Z');
const bot = { id: `28:${APP_ID}`, name: 'Example Desk' };
const olena = { id: '29:olena', name: 'Olena Koval', aadObjectId: '0c6f1a2b-3d4e-4f50-9a6b-7c8d9e0f1a2b' };
const bob = { id: '29:bob', name: 'Bob Brown', aadObjectId: '5e4d3c2b-1a09-4f8e-8d7c-6b5a49382716' };
const personal = { conversationType: 'personal', tenantId: TENANT, id: 'a:1olena' };
const CHANNEL = '19:channel@thread.tacv2';
const post = (id: string) => ({ isGroup: true, conversationType: 'channel', id: `${CHANNEL};messageid=${id}` });

type List<T> = { readonly data: readonly T[] };

describe('Microsoft Teams, through a whole gateway against a stand-in', () => {
  let api: FakeTeams;
  let whole: Whole;
  const log = fakeLog();
  beforeEach(async () => {
    api = await startTeams();
    const settings = `appId: ${APP_ID}, appPassword: "${PASSWORD}", tenantId: ${TENANT}, apiRoot: "${api.root}"`;
    whole = await startWhole({ yaml: `  - { id: teams, type: teams, ${settings} }\n`, log });
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
  const url = () => `${whole.running.url}/webhooks/teams`;

  let next = 1;
  const activity = (type: string, id: string, more: object = {}) => ({
    type,
    id,
    timestamp: new Date(AT + next++).toISOString(),
    channelId: 'msteams',
    serviceUrl: SERVICE,
    from: olena,
    conversation: personal,
    recipient: bot,
    channelData: { tenant: { id: TENANT } },
    ...more,
  });
  const text = (id: string, words: string, more: object = {}) => activity('message', id, { text: words, ...more });
  async function deliver(...activities: object[]): Promise<void> {
    for (const one of activities) assert.equal(await api.deliver(url(), one), 200);
  }

  async function answer(ticketId: string, words: string): Promise<Message> {
    const { id } = await whole.api<Message>(`/tickets/${ticketId}/replies`, { method: 'POST', body: { text: words } });
    return until(async () => {
      const found = (await messagesOf(ticketId)).find((each) => each.id === id);
      return found?.delivery?.state !== 'waiting' && found;
    }, 'the answer goes out');
  }

  it('takes what Microsoft signed, once, and nothing else', async () => {
    await deliver(text('11', 'Where is my order?'), text('12', 'It is number 17.'), text('12', 'It is number 17.'));
    const own = api.pairs;
    api.pairs = [createPair('key-1')];
    assert.equal(await api.deliver(url(), text('13', 'forged')), 401);
    api.pairs = own;
    assert.equal(await api.deliver(url(), text('13', 'elsewhere'), { claims: { serviceurl: `${SERVICE}x` } }), 401);
    assert.equal(await api.deliver(url(), text('13', 'another bot'), { claims: { aud: TENANT } }), 401);
    assert.equal(await api.deliver(url(), text('13', 'old'), { at: Date.now() - 86_400_000 }), 401);
    const [ticket, ...more] = await ticketsOf();
    assert.equal(more.length, 0);
    assert.equal(ticket!.customer.name, 'Olena Koval');
    assert.deepEqual(
      (await messagesOf(ticket!.id)).map((each) => each.text),
      ['Where is my order?', 'It is number 17.'],
    );
    assert.deepEqual(
      (await eventsOf()).map(({ outcome }) => outcome),
      ['ticket_created', 'appended', 'duplicate'],
    );
  });

  it('tells Microsoft to come again while its keys can not be had', async () => {
    api.end('/openidconfiguration', { http: 500 }, 'cut');
    for (let tries = 0; tries < 2; tries++) {
      assert.equal(await api.deliver(url(), text('11', 'Where is my order?')), 503);
    }
    assert.deepEqual(await eventsOf(), []);
    await deliver(text('11', 'Where is my order?'));
    assert.equal((await eventsOf()).length, 1);
  });

  it('sets aside what is genuine and can not be read', async () => {
    await deliver({ type: 'message', channelId: 'msteams', serviceUrl: SERVICE, text: 'nobody' });
    assert.deepEqual(
      (await eventsOf()).map(({ outcome }) => outcome),
      ['quarantined'],
    );
  });

  it('keeps private chats, groups and each post of a channel apart, and answers where it was written', async () => {
    const mention = { entities: [{ type: 'mention', text: '<at>Desk</at>', mentioned: bot }] };
    const group = { conversation: { conversationType: 'groupChat', id: '19:group@thread.v2' }, ...mention };
    await deliver(
      text('11', 'Olena in private'),
      text('12', '<at>Desk</at> Olena in the group', group),
      text('13', '<at>Desk</at> Bob in the group', { ...group, from: bob }),
      text('21', '<at>Desk</at> a post', { conversation: post('21'), ...mention }),
      text('22', '<at>Desk</at> another post', { conversation: post('22'), ...mention }),
      text('23', '<at>Desk</at> below the first', { conversation: post('21'), from: bob, ...mention }),
    );
    const tickets = await ticketsOf();
    const texts = await Promise.all(tickets.map(async ({ id }) => (await messagesOf(id)).map((each) => each.text)));
    assert.deepEqual(texts, [
      ['Olena in private'],
      ['Olena in the group', 'Bob in the group'],
      ['a post', 'below the first'],
      ['another post'],
    ]);
    for (const ticket of tickets) {
      const { delivery } = await answer(ticket.id, 'It comes tomorrow.');
      assert.equal(delivery?.state, 'sent', delivery?.error ?? '');
    }
    assert.deepEqual(
      api.delivered.map(({ chat }) => chat),
      ['a:1olena', '19:group@thread.v2', `${CHANNEL};messageid=21`, `${CHANNEL};messageid=22`],
    );
    assert.equal(api.calls.filter(({ path }) => path.endsWith('/token')).length, 1);
  });

  it('follows its own answers: read, liked, quoted; and what customers edit and take back', async () => {
    await deliver(text('11', 'Wher is it?'), text('12', 'Never mind'));
    const [ticket] = await ticketsOf();
    await answer(ticket!.id, 'It comes tomorrow.');
    const id = api.delivered[0]!.id;
    const quoted = { entities: [{ type: 'quotedReply', quotedReply: { messageId: id } }] };
    await deliver(
      activity('event', 'f:1', { name: 'application/vnd.microsoft.readReceipt', value: { lastReadMessageId: id } }),
      activity('messageReaction', 'f:2', { replyToId: id, reactionsAdded: [{ type: 'like' }] }),
      activity('messageUpdate', '11', { text: 'Where is it?', channelData: { eventType: 'editMessage' } }),
      activity('messageDelete', '12', { channelData: { eventType: 'softDeleteMessage' } }),
      text('13', 'Thank you', quoted),
    );
    const messages = await messagesOf(ticket!.id);
    assert.deepEqual(
      messages.map((each) => [each.text, each.deletedAt !== null, each.delivery?.state, each.reactions.length]),
      [
        ['Where is it?', false, undefined, 0],
        ['Never mind', true, undefined, 0],
        ['It comes tomorrow.', false, 'read', 1],
        ['Thank you', false, undefined, 0],
      ],
    );
    assert.equal(messages.at(-1)!.threadedBy.rule, 'reference');
    await deliver(activity('messageReaction', 'f:3', { replyToId: id, reactionsRemoved: [{ type: 'like' }] }));
    assert.deepEqual((await messagesOf(ticket!.id))[2]!.reactions, []);
  });

  it('keeps pictures, and shows no secret anywhere', async () => {
    const path = `/v3/attachments/0-weu-d1/views/original`;
    api.files.set(path, Buffer.alloc(200_000, 'p'));
    const picture = (contentUrl: string) => ({ contentType: 'image/*', contentUrl });
    const attachments = [picture(`${api.root}${path}`), picture(`${api.root}/v3/attachments/gone`)];
    await deliver(text('11', 'look', { attachments }));
    const [ticket] = await ticketsOf();
    const states = await until(async () => {
      const files = (await messagesOf(ticket!.id)).flatMap((each) => each.attachments);
      return files.every(({ state }) => state !== 'waiting') && files.map(({ state, size }) => [state, size]);
    }, 'the pictures are settled');
    assert.deepEqual(states, [
      ['stored', 200_000],
      ['failed', null],
    ]);
    const everything = JSON.stringify([
      await messagesOf(ticket!.id),
      await eventsOf(),
      await whole.api('/deliveries'),
      await whole.api('/channels'),
      await whole.api('/channels/teams/health'),
      log.entries,
    ]);
    assert.ok(!everything.includes(PASSWORD), 'the password is shown');
    assert.ok(![...api.granted].some((token) => everything.includes(token)), 'an access token is shown');
  });

  it('says that the password needs renewal, and goes on receiving', async () => {
    await deliver(text('11', 'Hello'));
    const [ticket] = await ticketsOf();
    api.end('/token', { http: 401, body: { error: 'invalid_client', error_description: 'AADSTS7000222: Expired.' } });
    await whole.api(`/tickets/${ticket!.id}/replies`, { method: 'POST', body: { text: 'Hello!' } });
    await until(
      async () => JSON.stringify(await whole.api('/channels/teams/health')).includes('needs_reauth'),
      'the channel needs a new password',
    );
    await deliver(text('12', 'Anybody?'));
    assert.equal((await messagesOf(ticket!.id)).at(-1)!.text, 'Anybody?');
  });

  it("takes the activities of Microsoft's own tests, as they are and as Teams would send them", async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    const list = JSON.parse(readFileSync(SHARED, 'utf8')) as { payload: Record<string, unknown> }[];
    assert.equal(list.length, 21);
    // Most are of channels that are made up, which no key speaks for.
    api.pairs = [createPair('of-any-channel', null)];
    const outcomesOf = async (activities: readonly object[]) => {
      const before = (await eventsOf()).length;
      await deliver(...activities);
      const counts: Record<string, number> = {};
      for (const { outcome } of (await eventsOf()).slice(before)) counts[outcome] = (counts[outcome] ?? 0) + 1;
      return counts;
    };
    const asCollected = list.map(({ payload }) => ({ serviceUrl: SERVICE, ...payload }));
    assert.deepEqual(await outcomesOf(asCollected), { ignored: 18, ticket_created: 3 });
    const asOfTeams = asCollected.map((payload, index) => ({
      ...payload,
      ...{ channelId: 'msteams', id: `collected-${index}` },
      type: String((payload as { type?: string }).type).replace(/^<ActivityTypes\.(\w+)>$/, (_, type: string) =>
        type.toLowerCase(),
      ),
    }));
    assert.deepEqual(await outcomesOf(asOfTeams), { ticket_created: 5, appended: 10, ignored: 1, quarantined: 5 });
  });
});
