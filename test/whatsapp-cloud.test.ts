import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { fakeLog } from './fakes/context.ts';
import { until } from './fakes/until.ts';
import {
  ACCESS_TOKEN,
  ACCOUNT,
  APP_SECRET,
  notice,
  NUMBER,
  refusal,
  signed,
  startMeta,
  VERIFY_TOKEN,
} from './fakes/whatsapp.ts';
import type { FakeMeta } from './fakes/whatsapp.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures/whatsapp-cloud');
const PHONE = '12025550143';
const ID = 'US.13491200000000000001';
const OLENA = { profile: { name: 'Olena' }, wa_id: PHONE, user_id: ID };

const channel = (apiRoot: string) =>
  `  - { id: whatsapp, type: whatsapp_cloud, phoneNumberId: "${NUMBER}", accountId: "${ACCOUNT}", ` +
  `accessToken: "${ACCESS_TOKEN}", appSecret: "${APP_SECRET}", verifyToken: "${VERIFY_TOKEN}", apiRoot: "${apiRoot}" }\n`;

type List<T> = { readonly data: readonly T[] };
const ticketsOf = async (whole: Whole) => (await whole.api<List<Ticket>>('/tickets')).data.toReversed();
const messagesOf = async (whole: Whole, ticketId: string) =>
  (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
const eventsOf = async (whole: Whole) => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();
const outcomesOf = async (whole: Whole) => (await eventsOf(whole)).map(({ outcome }) => outcome);
const seconds = () => Math.floor(Date.now() / 1000);

describe('WhatsApp, through a whole gateway against a stand-in that keeps to its description', () => {
  let meta: FakeMeta;
  let whole: Whole;
  let log: ReturnType<typeof fakeLog>;
  beforeEach(async () => {
    log = fakeLog();
    meta = await startMeta();
    whole = await startWhole({ yaml: channel(meta.root), log });
  });
  afterEach(async () => {
    await whole.close();
    await meta.close();
    assert.deepEqual(meta.violations, []);
  });

  const message = (id: string, content: object = { type: 'text', text: { body: `text of ${id}` } }) => ({
    from: PHONE,
    from_user_id: ID,
    id: `wamid.${id}`,
    timestamp: String(seconds()),
    ...content,
  });
  async function deliver(value: object, field?: string): Promise<void> {
    assert.equal(await meta.deliver(whole.running.url, notice(value, field)), 200);
  }
  const write = (...messages: object[]) => deliver({ contacts: [OLENA], messages });
  const textsOf = async (ticketId: string) => (await messagesOf(whole, ticketId)).map(({ text }) => text);
  const onlyTicket = async () => {
    const [ticket, ...more] = await ticketsOf(whole);
    assert.deepEqual(more, []);
    return ticket!;
  };
  async function answer(ticketId: string, text: string): Promise<Message> {
    const { id } = await whole.api<Message>(`/tickets/${ticketId}/replies`, { method: 'POST', body: { text } });
    return until(async () => {
      const found = (await messagesOf(whole, ticketId)).find((one) => one.id === id);
      return found?.delivery?.state !== 'waiting' && found;
    }, 'the answer goes out');
  }

  it('takes a message with its picture, answers it, and shows what became of the answer', async () => {
    meta.files.set('2754859441498128', Buffer.from('pixels'));
    await write(message('1', { type: 'image', image: { id: '2754859441498128', caption: 'Broken' } }));
    const ticket = await onlyTicket();
    assert.equal(ticket.customer.name, 'Olena');
    const photo = await until(async () => {
      const [file] = (await messagesOf(whole, ticket.id))[0]!.attachments;
      return file?.state === 'stored' && file;
    }, 'the picture is fetched');
    assert.equal(photo.size, 6);

    const sent = await answer(ticket.id, 'A new one comes tomorrow.');
    assert.equal(sent.delivery?.state, 'sent');
    assert.equal(meta.calls.at(-1)!.body['to'], `+${PHONE}`);
    const status = (state: string, given = {}) => ({ id: 'wamid.OUT1', status: state, timestamp: seconds(), ...given });
    await deliver({ contacts: [OLENA], statuses: [status('delivered'), status('read')] });
    const delivery = async () => (await messagesOf(whole, ticket.id))[1]!.delivery;
    assert.equal((await delivery())?.state, 'read');

    await answer(ticket.id, 'And a second one.');
    const errors = [{ code: 131026, title: 'Message undeliverable' }];
    await deliver({ statuses: [{ ...status('failed', { errors }), id: 'wamid.OUT2' }] });
    const failed = (await messagesOf(whole, ticket.id))[2]!.delivery;
    assert.equal(failed?.state, 'failed');
    assert.match(failed?.error ?? '', /131026 Message undeliverable\. .*another channel/);
  });

  it('takes only what Meta signs, and answers its question', async () => {
    const url = `${whole.running.url}/webhooks/whatsapp`;
    const body = JSON.stringify(notice({ contacts: [OLENA], messages: [message('1')] }));
    const post = async (headers: Record<string, string>) =>
      (await fetch(url, { method: 'POST', headers, body })).status;
    assert.equal(await post({ 'content-type': 'application/json' }), 401);
    assert.equal(await post(signed(body, 'another secret')), 401);
    assert.deepEqual(await ticketsOf(whole), []);
    const asked = await fetch(`${url}?hub.mode=subscribe&hub.verify_token=${VERIFY_TOKEN}&hub.challenge=42`);
    assert.deepEqual([asked.status, await asked.text()], [200, '42']);
    assert.match(asked.headers.get('content-type') ?? '', /^text\/plain/);
    const wrong = await fetch(`${url}?hub.mode=subscribe&hub.verify_token=guess&hub.challenge=42`);
    assert.equal(wrong.status, 403);
    assert.equal(await post(signed(body)), 200);
  });

  it('files every message of a batch once, in order, however often and in whatever parts Meta sends it', async () => {
    const batch = ['1', '2', '3'].map((id) => message(id));
    await write(...batch);
    await write(...batch);
    await write(batch[1]!, message('4'));
    const ticket = await onlyTicket();
    assert.deepEqual(await textsOf(ticket.id), ['text of 1', 'text of 2', 'text of 3', 'text of 4']);
    assert.deepEqual((await outcomesOf(whole)).toSorted(), [
      'appended',
      'appended',
      'appended',
      ...Array.from({ length: 4 }, () => 'duplicate'),
      'ticket_created',
    ]);
  });

  it('takes notifications as large as Meta sends them', async () => {
    const padding = 'x'.repeat(3 * 1024 * 1024);
    const body = notice({ contacts: [OLENA], messages: [message('1')], padding });
    assert.equal(await meta.deliver(whole.running.url, body), 200);
    assert.equal((await ticketsOf(whole)).length, 1);
  });

  it('knows somebody again who hides his number, and who has a new one', async () => {
    await write(message('1'));
    const hidden = { profile: { name: 'Olena', username: 'olena_example' }, user_id: ID };
    await deliver({ contacts: [hidden], messages: [{ ...message('2'), from: undefined }] });
    const ticket = await onlyTicket();
    const { customer } = ticket;
    const known = await whole.api<{ identifiers: { kind: string; value: string }[] }>(`/customers/${customer.id}`);
    assert.deepEqual(
      known.identifiers.map(({ kind, value }) => [kind, value]),
      [
        ['whatsapp', ID],
        ['phone', `+${PHONE}`],
      ],
    );
    const [id, number] = ['US.13491200000000000009', '12025550199'];
    const system = { type: 'user_changed_number', wa_id: number, user_id: id, previous_user_id: ID, body: 'changed' };
    await deliver({ messages: [{ ...message('3'), type: 'system', system }] });
    const renewed = { ...OLENA, wa_id: number, user_id: id };
    await deliver({ contacts: [renewed], messages: [{ ...message('4'), from: number, from_user_id: id }] });
    assert.deepEqual(await textsOf((await onlyTicket()).id), ['text of 1', 'text of 2', 'text of 4']);
  });

  it('follows edits, reactions and deletions, also those that come first', async () => {
    const edit = (id: string, body: string, at = 0) =>
      message(`edit of ${id}`, {
        type: 'edit',
        timestamp: String(seconds() + at),
        edit: { original_message_id: `wamid.${id}`, message: { type: 'text', text: { body } } },
      });
    const revoke = message('gone', { type: 'revoke', revoke: { original_message_id: 'wamid.3' } });
    await write(message('1'), edit('1', 'edited', 1), edit('1', 'edited before', 0));
    await write(edit('2', 'edited first'), message('2'));
    await write(revoke, message('3'));
    await write(message('', { type: 'reaction', reaction: { message_id: 'wamid.1', emoji: '👍' } }));
    const messages = await messagesOf(whole, (await onlyTicket()).id);
    assert.deepEqual(
      messages.map(({ text, deletedAt }) => [text, deletedAt === null]),
      [
        ['edited', true],
        ['edited first', true],
        ['text of 3', false],
      ],
    );
    assert.deepEqual(messages[0]!.reactions, [{ author: `whatsapp:${ID}`, emoji: '👍' }]);
  });

  it('shows what was answered on the phone, and leaves alone what it knows nothing of', async () => {
    await write(message('1'));
    const echo = (id: string, to: string, to_user_id: string) => ({
      ...{ from: '12025550100', to, to_user_id, id: `wamid.${id}`, timestamp: String(seconds()) },
      ...{ type: 'text', text: { body: `answer ${id}` } },
    });
    await deliver({ message_echoes: [echo('a', PHONE, ID), echo('b', '12025550188', 'US.2')] }, 'smb_message_echoes');
    const messages = await messagesOf(whole, (await onlyTicket()).id);
    assert.deepEqual(
      messages.map(({ direction, text }) => [direction, text]),
      [
        ['inbound', 'text of 1'],
        ['outbound', 'answer a'],
      ],
    );
    assert.deepEqual(await outcomesOf(whole), ['ticket_created', 'appended', 'ignored']);
  });

  it('shows a call that nobody answered as one missed call', async () => {
    const call = { id: 'wacid.1', from: PHONE, to: '12025550100', direction: 'USER_INITIATED', timestamp: seconds() };
    await deliver({ contacts: [OLENA], calls: [{ ...call, event: 'connect' }] }, 'calls');
    await deliver({ contacts: [OLENA], calls: [{ ...call, event: 'terminate', status: 'FAILED' }] }, 'calls');
    const ticket = await onlyTicket();
    const [missed, ...more] = await messagesOf(whole, ticket.id);
    assert.deepEqual(more, []);
    assert.deepEqual([missed!.kind, missed!.call?.outcome], ['call', 'missed']);
  });

  it('goes on taking messages when its token is revoked, says so, and shows its secrets nowhere', async () => {
    await write(message('1'));
    const ticket = await onlyTicket();
    const error = refusal(401, 190, `Malformed access token ${ACCESS_TOKEN}`);
    meta.end('POST', ...Array.from({ length: 20 }, () => error));
    await whole.api(`/tickets/${ticket.id}/replies`, { method: 'POST', body: { text: 'Tomorrow.' } });
    await until(async () => {
      const { state } = await whole.api<{ state: string }>('/channels/whatsapp/health');
      return state === 'needs_reauth';
    }, 'the channel needs a new token');
    await write(message('2'));
    assert.deepEqual(await textsOf(ticket.id), ['text of 1', 'Tomorrow.', 'text of 2']);
    const shown = [log.entries, await whole.api('/channels'), await whole.api('/deliveries'), await eventsOf(whole)];
    const everything = JSON.stringify([...shown, await whole.api('/channels/whatsapp/health')]);
    for (const secret of [ACCESS_TOKEN, APP_SECRET, VERIFY_TOKEN]) assert.ok(!everything.includes(secret), secret);
  });

  it('lets nothing but a template go out a day after the customer wrote', async () => {
    await write({ ...message('1'), timestamp: String(seconds() - 25 * 3600) });
    const { id } = await onlyTicket();
    const reply = (body: object) => whole.api<Message>(`/tickets/${id}/replies`, { method: 'POST', body });
    await assert.rejects(reply({ text: 'Late' }), /409.*24 hours/);

    const components = [{ type: 'BODY', text: 'Dear {{1}}, we are still here.' }];
    meta.templates = [{ name: 'still_here', language: 'en_US', status: 'APPROVED', components }];
    await whole.restart();
    await assert.rejects(reply({ text: 'Late' }), /422.*template/);
    const sent = await reply({ template: { id: 'still_here/en_US', values: { 1: 'Olena' } } });
    assert.equal(sent.text, 'Dear Olena, we are still here.');
    const isSent = async () =>
      (await messagesOf(whole, id)).find((one) => one.id === sent.id)?.delivery?.state === 'sent';
    await until(isSent, 'the template goes out');
    const parameters = [{ type: 'text', text: 'Olena' }];
    assert.deepEqual(meta.calls.filter(({ method }) => method === 'POST').at(-1)!.body['template'], {
      name: 'still_here',
      language: { code: 'en_US' },
      components: [{ type: 'body', parameters }],
    });
  });
});

describe("WhatsApp's notifications as others collected them", () => {
  let whole: Whole;
  before(async function () {
    skipUnless(this, existsSync(SHARED), 'the collected fixtures are not beside the repository');
    whole = await startWhole({ yaml: channel('http://127.0.0.1:9') });
  });
  after(async () => {
    await (whole as Whole | undefined)?.close();
  });

  async function send(body: unknown): Promise<readonly LedgerEvent[]> {
    const before = (await eventsOf(whole)).map(({ id }) => id);
    const bytes = JSON.stringify(body);
    const url = `${whole.running.url}/webhooks/whatsapp`;
    const answer = await fetch(url, { method: 'POST', headers: signed(bytes), body: bytes });
    await answer.arrayBuffer();
    assert.equal(answer.status, 200);
    return (await eventsOf(whole)).filter(({ id }) => !before.includes(id));
  }

  type Value = Readonly<Record<string, { readonly id?: string }[] | undefined>>;
  const LISTS = ['messages', 'statuses', 'errors', 'calls', 'message_echoes', 'user_preferences'];
  let count = 0;
  /** For our number, and each message with an id of its own: as collected they share them. */
  function renamed(value: Value | undefined): Value | undefined {
    if (!value) return value;
    const own = (name: string) =>
      value[name]?.map((one) => ({ ...one, ...(one.id && { id: `${one.id}-${count++}` }) }));
    const lists = ['messages', 'calls', 'message_echoes'].filter((name) => value[name]);
    return { ...value, metadata: undefined, ...Object.fromEntries(lists.map((name) => [name, own(name)])) };
  }
  const sizeOf = (value: Value | undefined) => LISTS.reduce((sum, name) => sum + (value?.[name]?.length ?? 0), 0) || 1;

  it('all of pywa end in the ledger, with as many items as they say and a name where they are ignored', async function () {
    const outcomes = new Map<string, string[]>();
    for (const file of readdirSync(join(SHARED, 'pywa')).filter((name) => name.endsWith('.json'))) {
      const cases = JSON.parse(readFileSync(join(SHARED, 'pywa', file), 'utf8')) as Record<
        string,
        { entry: { changes: { field: string; value: Value }[] }[] }
      >;
      for (const [name, { entry }] of Object.entries(cases)) {
        const values = entry.flatMap(({ changes }) => changes);
        const changes = values.map(({ field, value }) => ({ field, value: renamed(value) }));
        const events = await send({ object: 'whatsapp_business_account', entry: [{ changes }] });
        const size = values.reduce((sum, { value }) => sum + sizeOf(value), 0);
        assert.equal(events.length, size, `${file} ${name}`);
        for (const { outcome, reason } of events) {
          outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), `${file.replace('.json', '')}/${name}`]);
          if (outcome === 'ignored') assert.match(reason ?? '', /\S: \S|thread .* goes on|given elsewhere/, name);
        }
      }
    }
    assert.deepEqual(outcomes.get('quarantined') ?? [], []);
    const ignored = outcomes.get('ignored') ?? [];
    // What only a person can have said is a message; what only Meta says is not.
    const messages = [...(outcomes.get('ticket_created') ?? []), ...(outcomes.get('appended') ?? [])];
    assert.equal(messages.filter((name) => name.startsWith('message/')).length, 20);
    for (const kind of ['callback_button', 'callback_selection', 'flow_completion', 'edited_message']) {
      assert.ok(
        messages.some((name) => name.startsWith(kind)),
        `${kind} is no message`,
      );
      assert.ok(!ignored.some((name) => name.startsWith(kind)), `${kind} is ignored`);
    }
    for (const kind of ['account_update', 'template_status_update', 'user_marketing_preferences', 'call_status']) {
      assert.ok(
        ignored.some((name) => name.startsWith(kind)),
        `${kind} was taken for a message`,
      );
    }
    assert.equal((outcomes.get('receipt') ?? []).filter((name) => name.startsWith('message_status/')).length, 7);
  });

  it('all of chatwoot end in the ledger, and only what names nobody or nothing is quarantined', async () => {
    const list = JSON.parse(readFileSync(join(SHARED, 'chatwoot/payloads.json'), 'utf8')) as {
      test: string;
      payload: { entry?: { changes: { value?: Value }[] }[] };
    }[];
    assert.equal(list.length, 24);
    const quarantined: string[] = [];
    for (const { test, payload } of list) {
      // Some are only what stands in a change.
      const changes = payload.entry ?? [{ changes: [{ value: payload as Value }] }];
      const entry = Array.isArray(changes)
        ? changes.map(({ changes: inner }) => ({
            changes: inner.map(({ value }) => ({ value: renamed(value) })),
          }))
        : changes;
      const events = await send({ object: 'whatsapp_business_account', entry });
      const size = Array.isArray(entry)
        ? entry.flatMap((one) => one.changes).reduce((sum, { value }) => sum + sizeOf(value), 0)
        : 1;
      assert.equal(events.length, size, test);
      if (events.some(({ outcome }) => outcome === 'quarantined')) quarantined.push(test);
    }
    assert.deepEqual(quarantined, [
      // A reaction to nothing; messages without an id; an entry that is no list.
      'Ignore reaction type message and stop raising error',
      '#perform',
      'when invalid attachment message params',
      'will not throw error',
    ]);
  });
});
