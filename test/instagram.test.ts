import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { instagram } from '../src/connectors/meta/instagram/instagram.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
import { BadPayloadError, PermanentError, RetryableError } from '../src/core/errors.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { VERSION } from '../src/version.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { sampleMessage, sampleTicket } from './fakes/gateway.ts';
import { INSTAGRAM, refusal, startGraph, TOKEN } from './fakes/meta.ts';
import type { FakeGraph } from './fakes/meta.ts';
import { samplePayload } from './fakes/samples.ts';
import { until } from './fakes/until.ts';
import { APP_SECRET, signed, VERIFY_TOKEN } from './fakes/whatsapp.ts';
import { startWhole } from './fakes/whole.ts';
import type { Whole } from './fakes/whole.ts';
import { skipUnless } from './skip.ts';

const SHARED = join(import.meta.dirname, '../../shared/fixtures');
const HOUR = 60 * 60_000;
const PAGE = '102290129340011';
const ACCOUNT = '17841400000000001';
const OLENA = '8000000000000001';
const SETTINGS = { accountId: ACCOUNT, accessToken: TOKEN, appSecret: APP_SECRET, verifyToken: VERIFY_TOKEN };

const channel = (apiRoot: string) =>
  `  - { id: instagram, type: instagram, accountId: "${ACCOUNT}", pageId: "${PAGE}", accessToken: "${TOKEN}", ` +
  `appSecret: "${APP_SECRET}", verifyToken: "${VERIFY_TOKEN}", apiRoot: "${apiRoot}" }\n`;

type List<T> = { readonly data: readonly T[] };
const ticketsOf = async (whole: Whole) => (await whole.api<List<Ticket>>('/tickets')).data.toReversed();
const messagesOf = async (whole: Whole, ticketId: string) =>
  (await whole.api<List<Message>>(`/tickets/${ticketId}/messages`)).data;
const eventsOf = async (whole: Whole) => (await whole.api<List<LedgerEvent>>('/events?limit=200')).data.toReversed();

describe("Instagram's channel, against a stand-in that takes what Meta's documentation names", () => {
  let meta: FakeGraph;
  let egress: Egress;
  let clock: ReturnType<typeof fakeClock>;
  beforeEach(async () => {
    clock = fakeClock('2026-11-22T11:00:00Z');
    meta = await startGraph(INSTAGRAM);
    egress = createHttp({ allow: ['127.0.0.1'], clock, userAgent: `Tributary/${VERSION}` });
  });
  afterEach(async () => {
    egress.close();
    await meta.close();
    assert.deepEqual(meta.violations, []);
  });

  async function open(settings: object = { pageId: PAGE }): Promise<Channel> {
    const config = instagram.config.parse({ ...SETTINGS, apiRoot: meta.root, ...settings });
    return instagram.open(config, fakeContext({ id: 'instagram', clock, http: egress.for({ hosts: [] }) }));
  }
  const wrote = (externalId: string) =>
    sampleMessage({ direction: 'inbound', externalId, occurredAt: '2026-11-22T10:00:00.000Z' });
  const pdf = { id: 'att_1', name: 'a.pdf', mediaType: 'application/pdf', size: 5, state: 'stored' } as const;
  const file = { ...pdf, error: null, inline: false, url: '' };
  async function send(given: Partial<Reply> & { text?: string; files?: (typeof file)[]; settings?: object }) {
    const parts: string[] = [];
    const { text = 'It comes tomorrow.', files = [], settings, ...rest } = given;
    const channel = await open(settings);
    await channel.reply!({
      id: 'tsk_1',
      ticket: sampleTicket(),
      message: sampleMessage({ text, attachments: files }),
      thread: OLENA,
      answers: wrote('ig_1'),
      references: [],
      proof: '',
      sent: [],
      partSent: async (id) => void parts.push(id),
      open: async () => Readable.from([Buffer.from('bytes')]),
      ...rest,
    });
    return parts;
  }

  it('answers in the name of the Page, or without one of the account, in parts that have at most 1,000 bytes', async () => {
    await send({ text: `${'a'.repeat(900)} ${'b'.repeat(900)}` });
    await send({ text: 'слово '.repeat(300), settings: {} });
    await send({ text: '漢'.repeat(700) });
    const sent = meta.calls.map(({ path, body }) => [path, (body['message'] as { text: string }).text.length]);
    assert.deepEqual(sent.slice(0, 2), [
      [`${PAGE}/messages`, 900],
      [`${PAGE}/messages`, 900],
    ]);
    const cyrillic = sent.filter(([path]) => path === `${ACCOUNT}/messages`);
    assert.equal(cyrillic.length, 4);
    assert.deepEqual(
      sent.slice(-3).map(([, length]) => length),
      [333, 333, 34],
    );
  });

  it('sends files in the name of the Page only, and comments without any', async () => {
    assert.deepEqual(await send({ text: '', files: [file] }), ['m_OUT2']);
    assert.deepEqual(
      meta.uploads.map(({ name }) => name),
      ['a.pdf'],
    );
    const calls = meta.calls.length;
    const thread = `media:1/${OLENA}`;
    await assert.rejects(
      send({ files: [file], settings: {} }),
      /takes no files of accounts that are linked to no Page/,
    );
    await assert.rejects(send({ thread, files: [file], answers: wrote('comment:17') }), /no files/);
    await assert.rejects(send({ thread, answers: undefined }), /no comment/);
    await assert.rejects(send({ thread, answers: wrote('ig_1') }), /no comment/);
    await assert.rejects(send({ thread: undefined }), /no chat/);
    assert.equal(meta.calls.length, calls);
  });

  it('answers a comment below it, in parts, at any time', async () => {
    const thread = `media:1/${OLENA}`;
    const text = `${'a'.repeat(2000)} ${'b'.repeat(2000)}`;
    assert.deepEqual(await send({ thread, text, answers: wrote('comment:17') }), [
      'comment:500_901',
      'comment:500_902',
    ]);
    assert.deepEqual(
      meta.calls.map(({ path }) => path),
      ['17/replies', '17/replies'],
    );
    const may = async (externalId: string) =>
      (await open()).canReply!({
        ticket: sampleTicket(),
        lastInboundAt: clock.now() - 30 * HOUR,
        answers: wrote(externalId),
      });
    assert.deepEqual(await may('comment:17'), { allowed: true });
    assert.equal((await may('ig_1')).allowed, false);
  });

  it('says that a person answers after a day, where Meta lets people do so', async () => {
    clock.jump(24 * HOUR);
    await send({ settings: { pageId: PAGE, humanAgent: true } });
    await send({});
    assert.deepEqual(
      meta.calls.map(({ body }) => body['tag']),
      ['HUMAN_AGENT', undefined],
    );
  });

  it('subscribes with Instagram Login only: the Page may be another channel’s', async () => {
    assert.equal((await open()).connect, undefined);
    await (
      await open({})
    ).connect!(new AbortController().signal);
    const [{ path, body }] = meta.calls as [(typeof meta.calls)[number]];
    assert.equal(path, `${ACCOUNT}/subscribed_apps`);
    for (const field of ['messages', 'comments'])
      assert.ok(String(body['subscribed_fields']).split(',').includes(field));
  });

  it('says whose token it is, and who has written where Meta tells', async () => {
    meta.nodes.set(`${ACCOUNT}?fields=username`, { username: 'example_shop' });
    assert.equal(await (await open()).test!(), '@example_shop answers');
    const node = `${OLENA}?fields=name,username`;
    const ask = async () => (await open()).profile!({ kind: 'instagram:instagram', value: OLENA, trust: 'verified' });
    meta.nodes.set(node, { name: 'Olena', username: 'olena_example' });
    assert.deepEqual(await ask(), { name: 'Olena' });
    meta.nodes.set(node, { name: null, username: 'olena_example' });
    assert.deepEqual(await ask(), { name: '@olena_example' });
    meta.end('GET', refusal(400, 230, 'User consent is required to access user profile'));
    assert.equal(await ask(), undefined);
    meta.end('GET', refusal(500, 2, 'Service temporarily unavailable'));
    await assert.rejects(ask(), RetryableError);
  });

  it('fetches files, from Meta’s hosts only', async () => {
    meta.files.set('1.jpg', Buffer.from('pixels'));
    const announced = (url: string) => {
      const message = { mid: 'ig_1', attachments: [{ type: 'image', payload: { url } }] };
      return samplePayload({ object: 'instagram', entry: [{ id: ACCOUNT, messaging: [{ message }] }] });
    };
    const attachment = { id: 'ig_1/0', name: 'image', mediaType: 'image/jpeg' };
    const bytes = await (await open()).download!(attachment, announced(`${meta.root}/files/1.jpg`));
    assert.equal(Buffer.concat(await bytes.toArray()).toString(), 'pixels');
    const elsewhere = async () =>
      (await open()).download!(attachment, announced('https://cdninstagram.com.example.com/'));
    await assert.rejects(elsewhere(), PermanentError);
  });

  it('refuses what Meta did not sign, and says in its settings what is wrong with them', async () => {
    const { webhook } = await open();
    const body = Buffer.from('{"object":"instagram"}');
    await webhook!.verify(samplePayload(body, signed(body)));
    for (const headers of [{}, signed(body, 'of another app')] as Record<string, string>[]) {
      await assert.rejects(async () => webhook!.verify(samplePayload(body, headers)), BadPayloadError);
    }
    const url = `/webhooks/instagram?hub.mode=subscribe&hub.verify_token=${VERIFY_TOKEN}&hub.challenge=42`;
    assert.equal((await webhook!.challenge!(samplePayload('', {}, { method: 'GET', url })))?.body, '42');
    const problem = (given: object) => instagram.config.safeParse({ ...SETTINGS, ...given }).error?.issues[0]?.message;
    assert.equal(problem({}), undefined);
    assert.match(problem({ accountId: '@example_shop' }) ?? '', /other characters than digits/);
    assert.match(problem({ pageId: 102290129340011 }) ?? '', /in quotes/);
  });
});

describe('Instagram, through a whole gateway', () => {
  let meta: FakeGraph;
  let whole: Whole;
  before(async () => {
    meta = await startGraph(INSTAGRAM);
    whole = await startWhole({ yaml: channel(meta.root) });
  });
  after(async () => {
    await whole.close();
    await meta.close();
    assert.deepEqual(meta.violations, []);
  });
  async function deliver(entry: object): Promise<readonly LedgerEvent[]> {
    const before = (await eventsOf(whole)).map(({ id }) => id);
    const body = { object: 'instagram', entry: [{ id: ACCOUNT, time: Date.now(), ...entry }] };
    assert.equal(await meta.deliver(`${whole.running.url}/webhooks/instagram`, body), 200);
    return (await eventsOf(whole)).filter(({ id }) => !before.includes(id));
  }
  async function answer(ticketId: string, text: string): Promise<Message> {
    const { id } = await whole.api<Message>(`/tickets/${ticketId}/replies`, { method: 'POST', body: { text } });
    return until(async () => {
      const found = (await messagesOf(whole, ticketId)).find((one) => one.id === id);
      return found?.delivery?.state !== 'waiting' && found;
    }, 'the answer goes out');
  }

  it('takes messages and comments of one person, answers both, and shows that the answer was read', async () => {
    const timestamp = Date.now();
    const event = { sender: { id: OLENA }, recipient: { id: ACCOUNT }, timestamp };
    // Meta sends notifications of some megabytes.
    const padding = 'x'.repeat(3 * 1024 * 1024);
    await deliver({ messaging: [{ ...event, message: { mid: 'ig_1', text: 'Do you ship?' } }], padding });
    const media = { id: '17', media_product_type: 'FEED' };
    const value = { id: '18', from: { id: OLENA, username: 'olena_example' }, text: 'In blue?', media };
    await deliver({ changes: [{ field: 'comments', value }] });
    const [chat, comment] = await ticketsOf(whole);
    assert.equal(chat!.customer.id, comment!.customer.id);
    assert.equal((await answer(chat!.id, 'We do.')).delivery?.state, 'sent');
    assert.equal((await answer(comment!.id, 'Yes.')).delivery?.state, 'sent');
    const own = { from: { id: ACCOUNT, username: 'example_shop' }, parent_id: '18', media };
    await deliver({ changes: [{ field: 'comments', value: { ...own, id: '500_902', text: 'Yes.' } }] });
    await deliver({ changes: [{ field: 'comments', value: { ...own, id: '19', text: 'And green.' } }] });
    await deliver({ messaging: [{ ...event, read: { mid: 'm_OUT1' } }] });
    const echo = { sender: event.recipient, recipient: event.sender, timestamp };
    await deliver({ messaging: [{ ...echo, message: { mid: 'm_OUT1', text: 'We do.', is_echo: true } }] });
    const shown = async (id: string) =>
      (await messagesOf(whole, id)).map(({ text, delivery }) => [text, delivery?.state]);
    assert.deepEqual(await shown(chat!.id), [
      ['Do you ship?', undefined],
      ['We do.', 'read'],
    ]);
    assert.deepEqual(await shown(comment!.id), [
      ['In blue?', undefined],
      ['Yes.', 'sent'],
      ['And green.', 'sent'],
    ]);
  });

  it('files all that others collected, with as many items as they say', async function () {
    const path = join(SHARED, 'messenger-instagram/chatwoot/payloads.json');
    skipUnless(this, existsSync(path), 'the collected fixtures are not beside the repository');
    const list = JSON.parse(readFileSync(path, 'utf8')) as { from: string; payload: { messaging?: object[] } }[];
    const ours = list.filter(({ from }) => !from.includes('facebook_message'));
    assert.equal(ours.length, 16);
    const outcomes: string[] = [];
    for (const [count, { payload }] of ours.entries()) {
      // Some are only what stands in an entry; all share their ids, and one writes to itself.
      const events = payload.messaging ?? [payload];
      const text = JSON.stringify(events).replaceAll(/"mid":"([^"]+)"/g, `"mid":"$1-${count}"`);
      const messaging = JSON.parse(text.replaceAll('deskflows-app-user-id-1', ACCOUNT)) as object[];
      const filed = await deliver({ messaging });
      assert.equal(filed.length, events.length);
      outcomes.push(...filed.map(({ outcome }) => outcome));
    }
    const counted = [...new Set(outcomes)].map(
      (one) => [one, outcomes.filter((other) => other === one).length] as const,
    );
    assert.deepEqual(Object.fromEntries(counted), { ticket_created: 3, appended: 11, revised: 1, receipt: 1 });
  });
});
