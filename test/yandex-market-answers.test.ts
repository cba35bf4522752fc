import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { yandexMarket } from '../src/connectors/yandex-market/yandex-market.ts';
import type { Reply } from '../src/core/connector.ts';
import { PermanentError, RateLimitedError, RetryableError, TributaryError } from '../src/core/errors.ts';
import type { LedgerEvent, Message, Ticket } from '../src/core/ticket.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeContext } from './fakes/context.ts';
import { openFiling } from './fakes/filing.ts';
import { sampleMessage, samplePayload } from './fakes/samples.ts';
import { until } from './fakes/until.ts';
import { startWhole } from './fakes/whole.ts';
import { CABINET, KEY, startMarket, TOO_MUCH } from './fakes/yandex-market.ts';
import type { FakeMarket } from './fakes/yandex-market.ts';

const COMMENT = 'goods-feedback/comments/update';
const ANSWER = 'goods-questions/update';

describe('An answer at Yandex Market', () => {
  let api: FakeMarket;
  let egress: Egress;
  const createdAt = new Date(Date.now() - 60_000).toISOString();
  beforeEach(async () => {
    api = await startMarket();
    egress = createHttp({ allow: ['127.0.0.1'] });
    api.now = Date.now();
    api.write(5, { createdAt });
    const described = { description: { comment: 'Плохо' }, identifiers: {}, statistics: { rating: 1 } };
    api.feedbacks.set(1, { feedbackId: 1, createdAt, needReaction: true, comments: [], ...described });
    api.questions.set(2, { id: 2, text: 'Есть?', createdAt, answers: [] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open() {
    const config = yandexMarket.config.parse({ apiKey: KEY, businessId: CABINET, apiRoot: api.root });
    return yandexMarket.open(config, fakeContext({ id: 'market', http: egress.for({ hosts: [] }) }));
  }

  type Given = Partial<Reply> & { text?: string; files?: readonly object[] };
  async function send(thread: string, { text = 'Спасибо!', files = [], ...given }: Given = {}) {
    const sent: unknown[][] = [];
    const attachments = files.map((file, i) => ({
      ...{ id: `att_${i}`, name: 'a.png', mediaType: 'image/png', size: 5, state: 'stored', error: null },
      ...{ inline: false, url: '', ...file },
    }));
    const reply = {
      id: 'tsk_1',
      message: sampleMessage({ text, attachments: attachments as never }),
      ...{ thread, answers: undefined, sent: [], references: [] },
      partSent: async (...part: unknown[]) => void sent.push(part),
      open: async () => Readable.from([Buffer.from('bytes')]),
      ...given,
    } as unknown as Reply;
    const channel = await open();
    const error = await channel.reply!(reply).catch((thrown: unknown) => thrown);
    return { sent, error };
  }

  it('stands below a review, or below the comment that it answers', async () => {
    const first = await send('feedback:1');
    const [ours] = api.feedbacks.get(1)!.comments;
    assert.deepEqual([first.sent, ours?.text], [[[`comment:${ours!.id}`]], 'Спасибо!']);
    await send('feedback:1', { text: 'И вам', answers: sampleMessage({ externalId: 'comment:33' }) });
    assert.equal(api.feedbacks.get(1)!.comments[1]?.parentId, 33);
  });

  it('stands below a question', async () => {
    const { sent } = await send('question:2');
    const [ours] = api.questions.get(2)!.answers;
    assert.deepEqual([sent, ours?.text], [[[`answer:${ours!.id}`]], 'Спасибо!']);
  });

  it('arrives once, also when nobody knows what came of the first try', async () => {
    for (const [thread, call] of [
      ['feedback:1', COMMENT],
      ['question:2', ANSWER],
    ] as const) {
      api.end(call, 'lost');
      const { error } = await send(thread);
      assert.ok(error instanceof RetryableError && !error.outcomeUnknown, String(error));
      assert.equal((await send(thread, { text: ' Спасибо!\n' })).sent.length, 1);
      assert.equal(api.callsOf(call).length, 1);
    }
    api.feedbacks.get(1)!.comments[0] = { id: 9, text: 'Спасибо!', status: 'PUBLISHED', author: { type: 'USER' } };
    await send('feedback:1');
    assert.equal(api.callsOf(COMMENT).length, 2, 'somebody else’s words are not ours');
  });

  it('stands a second time with the same words where another is answered', async () => {
    for (const [thread, kind, call] of [
      ['feedback:1', 'comment', COMMENT],
      ['question:2', 'answer', ANSWER],
    ] as const) {
      const first = await send(thread);
      const references = first.sent.flat() as string[];
      const second = await send(thread, { references });
      assert.equal(api.callsOf(call).length, 2, kind);
      assert.notDeepEqual(second.sent, first.sent);
    }
    // Of neither it is known what came of it: they stand below different comments.
    const below = (externalId: string) => send('feedback:1', { text: 'Да', answers: sampleMessage({ externalId }) });
    const sent = [await below('comment:33'), await below('comment:34'), await below('comment:33')];
    assert.equal(new Set(sent.map(({ sent: [part] }) => String(part))).size, 2);
    assert.deepEqual(
      api.feedbacks.get(1)!.comments.map(({ parentId }) => parentId),
      [undefined, undefined, 33, 34],
    );
  });

  it('that went out is not sent again', async () => {
    for (const thread of ['feedback:1', 'question:2']) {
      const { sent, error } = await send(thread, { sent: [{ externalId: 'comment:9' }] });
      assert.deepEqual([sent, error], [[], undefined]);
    }
    assert.deepEqual([...api.callsOf(COMMENT), ...api.callsOf(ANSWER)], []);
  });

  it('goes into a chat in parts, with files, under names that its echo has too', async () => {
    const text = `${'а'.repeat(4000)} ${'б'.repeat(4000)}`;
    const { sent, error: failed } = await send('chat:5', { text, files: [{}] });
    assert.equal(failed, undefined);
    const channel = await open();
    const messages = api.chats.get(5)!.messages.slice(1);
    const echoes = messages.map(async (message) => {
      const payload = samplePayload({ chat: { chatId: 5 }, message }, { 'yandex-market-part': 'message' });
      const [item] = await channel.normalize(payload);
      return item && 'externalId' in item ? item.externalId : undefined;
    });
    const [names, counts] = [true, false].map((isName) =>
      sent.flat().filter((part) => String(part).startsWith('sent') === isName),
    );
    assert.deepEqual([await Promise.all(echoes), counts], [names, ['tsk_1:0', 'tsk_1:1', 'tsk_1:2']]);
    const went = [...counts!.slice(0, 2), names![0]].map((externalId) => ({ externalId: String(externalId) }));
    await send('chat:5', { text, files: [{}], sent: went });
    assert.deepEqual([api.callsOf('chats/message').length, api.callsOf('chats/file/send').length], [2, 2]);
    api.end('chats/message', 'lost');
    const { error } = await send('chat:5');
    assert.ok(error instanceof RetryableError && error.outcomeUnknown, 'a person looks');
  });

  it('goes on behind a part that says the same as an earlier answer', async () => {
    const text = `${'а'.repeat(4000)} ${'б'.repeat(4000)}`;
    // As the store keeps them: a name once.
    const parts = new Map<string, string>();
    const answer = (id: string, words: string) =>
      send('chat:5', {
        ...{ id, text: words },
        sent: [...parts].filter(([, of]) => of === id).map(([externalId]) => ({ externalId })),
        partSent: async (name) => void (parts.has(name) || parts.set(name, id)),
      });
    await answer('tsk_1', 'а'.repeat(4000));
    api.end('chats/message', { status: 200, body: { status: 'OK' } }, TOO_MUCH(Date.now()));
    assert.ok((await answer('tsk_2', text)).error instanceof RateLimitedError);
    assert.equal((await answer('tsk_2', text)).error, undefined);
    const said = api.callsOf('chats/message').map(({ body }) => (body as { message: string }).message[0]);
    assert.deepEqual(said, ['а', 'а', 'б', 'б'], 'the last was refused once');
  });

  it('waits for a quota that is used up, and for no other one', async () => {
    const left = async (status: number, remaining: string) => {
      const until = new Date(Date.now() + 30 * 60_000).toUTCString();
      const headers = { 'X-RateLimit-Resource-Remaining': remaining, 'X-RateLimit-Resource-Until': until };
      api.end('chats/message', { status, body: { status: 'ERROR', errors: [] }, headers });
      return (await send('chat:5')).error;
    };
    const [spent, other] = [await left(420, '0'), await left(420, '7')];
    assert.ok(spent instanceof RateLimitedError && spent.retryAfterMs! > 29 * 60_000);
    assert.ok(other instanceof RateLimitedError && other.retryAfterMs === undefined);
    assert.ok((await left(503, '0')) instanceof RetryableError);
  });

  it('that Yandex Market would not take is not sent', async () => {
    const before = api.calls.length;
    const tries: [string, Given][] = [
      ['feedback:1', { text: ' ' }],
      ['feedback:1', { text: 'x'.repeat(4097) }],
      ['question:2', { text: 'x'.repeat(5001) }],
      ['question:2', { files: [{}] }],
      ['chat:5', { text: '' }],
      ['chat:5', { files: [{ size: 5 * 1024 * 1024 + 1 }] }],
      ['nothing', {}],
    ];
    for (const [thread, given] of tries) {
      const { error } = await send(thread, given);
      assert.ok(error instanceof PermanentError && error instanceof TributaryError, thread);
    }
    assert.equal(api.calls.length, before);
  });

  it('is public below products and private in chats, and says how long it may be', async () => {
    const channel = await open();
    const can = (externalId: string) =>
      channel.canReply!({ ticket: {} as never, lastInboundAt: 1, answers: sampleMessage({ externalId }) });
    for (const name of ['feedback:1', 'comment:1']) {
      assert.deepEqual(await can(name), { allowed: true, public: true, longest: 4096 });
    }
    for (const name of ['question:1', 'answer:1']) {
      assert.deepEqual(await can(name), { allowed: true, public: true, longest: 5000 });
    }
    assert.deepEqual(await can('message:5:1'), { allowed: true });
  });

  it('takes a review that is filed a hundred times for one message, and three edits for three revisions', async () => {
    const channel = await open();
    const filing = await openFiling({ threads: 'topic' });
    const outcomes = new Map<string, number>();
    async function file(comment: string, receivedAt: number): Promise<void> {
      const feedback = { feedbackId: 1, createdAt, description: { comment }, statistics: { rating: 5 } };
      const comments = [{ id: 7, text: 'Да', status: 'PUBLISHED', author: { type: 'BUSINESS' } }];
      const headers = { 'yandex-market-part': 'feedback' };
      const payload = samplePayload({ feedback, comments }, headers, { receivedAt });
      for (const { outcome } of await filing.file(await channel.normalize(payload))) {
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    }
    for (let i = 0; i < 100; i++) await file('Хорошо', 1_795_348_800_000 + i);
    for (const [i, text] of ['один', 'два', 'три'].entries()) await file(text, 1_795_348_900_000 + i);
    const expected = { ticket_created: 1, appended: 1, receipt: 103, duplicate: 99 + 99 + 3, revised: 3 };
    assert.deepEqual(Object.fromEntries(outcomes), expected);
    await filing.close();
  });

  it('goes through a whole gateway, once, and its echoes make nothing new', async () => {
    const yaml = `  - { id: market, type: yandex_market, apiKey: "${KEY}", businessId: "${CABINET}", apiRoot: "${api.root}" }\n`;
    const whole = await startWhole({ yaml });
    type List<T> = { readonly data: readonly T[] };
    const tickets = await until(async () => {
      const { data } = await whole.api<List<Ticket>>('/tickets');
      return data.length === 3 && data;
    }, 'a review, a question and a chat');
    for (const { id } of tickets)
      await whole.api(`/tickets/${id}/replies`, { method: 'POST', body: { text: 'Чем помочь?' } });
    await until(() => api.chats.get(5)!.messages.length === 2, 'the chat is answered');
    await until(() => api.feedbacks.get(1)!.comments.length === 1, 'the review is answered');
    await until(() => api.questions.get(2)!.answers.length === 1, 'the question is answered');
    api.feedbacks.get(1)!.comments[0]!.status = 'PUBLISHED';
    await whole.restart();
    const messagesOf = async ({ id }: Ticket) => (await whole.api<List<Message>>(`/tickets/${id}/messages`)).data;
    await until(async () => {
      const all = (await Promise.all(tickets.map(messagesOf))).flat();
      return all.some(({ delivery }) => delivery?.state === 'delivered');
    }, 'its echo is read');
    assert.deepEqual(
      (await Promise.all(tickets.map(messagesOf))).map(({ length }) => length),
      [2, 2, 2],
    );
    const { data } = await whole.api<List<LedgerEvent>>('/events?limit=200');
    assert.ok(!data.some(({ outcome }) => outcome === 'quarantined'));
    await whole.close();
  });
});
