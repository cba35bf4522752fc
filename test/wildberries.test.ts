import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text as textIn } from 'node:stream/consumers';
import { wildberries } from '../src/connectors/wildberries/wildberries.ts';
import type { Channel, Raw, Reply } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../src/core/errors.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, fakeLog } from './fakes/context.ts';
import { sampleMessage } from './fakes/gateway.ts';
import { samplePayload } from './fakes/samples.ts';
import { EXPIRED, feedback, NO_SCOPE, question, startWildberries, TOKEN, TOO_MANY } from './fakes/wildberries.ts';
import type { FakeWildberries, Said } from './fakes/wildberries.ts';

const signal = new AbortController().signal;
const NOW = Date.parse('2026-11-23T10:00:00Z');
const DAY = 86_400_000;
const at = (ms: number) => new Date(ms).toISOString();

describe('Wildberries’ channel, against a stand-in that is a closed world', () => {
  let api: FakeWildberries;
  let egress: Egress;
  beforeEach(async () => {
    api = await startWildberries();
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(settings: object = {}) {
    const given = { token: TOKEN, feedbacksRoot: api.root, chatsRoot: `${api.root}/`, ...settings };
    const clock = fakeClock(NOW);
    const log = fakeLog();
    const context = fakeContext({ id: 'wb', http: egress.for({ hosts: [] }), clock, log });
    const channel = await wildberries.open(wildberries.config.parse(given), context);
    return { channel, clock, log };
  }

  /** Polls as the host does, until nothing is due. */
  async function round(channel: Channel, from: string | undefined, fails: unknown[] = []) {
    const raws: Raw[] = [];
    let cursor = from;
    for (let more = true; more;) {
      try {
        const page = await channel.poll!(cursor, signal);
        raws.push(...page.items);
        more = page.more === true;
        cursor = page.cursor;
      } catch (error) {
        fails.push(error);
        if (fails.length > 5) throw error;
      }
    }
    return { raws, cursor };
  }
  const itemsOf = async (channel: Channel, raws: readonly Raw[]): Promise<ItemInput[]> =>
    (await Promise.all(raws.map(async ({ body, headers }) => channel.normalize(samplePayload(body, headers))))).flat();
  const idsOf = (raws: readonly Raw[]) =>
    raws.map(({ body }) => (JSON.parse(body.toString()) as { id?: string; eventID?: string }).id ?? 'event');

  /** Everything that a session of some minutes hands over. */
  async function session(settings?: object) {
    const opened = await open(settings);
    let cursor: string | undefined;
    const fails: unknown[] = [];
    return {
      ...opened,
      fails,
      async pass(minutes: number): Promise<Raw[]> {
        const raws: Raw[] = [];
        for (let i = 0; i < minutes * 6; i++) {
          const page = await round(opened.channel, cursor, fails);
          cursor = page.cursor;
          raws.push(...page.raws);
          opened.clock.jump(10_000);
        }
        return raws;
      },
    };
  }

  describe('what is read', () => {
    it('is what waits for an answer and what came since, once, though it is read a hundred times', async () => {
      api.feedbacks.set('waits', feedback('waits', { createdDate: at(NOW - 20 * DAY) }));
      api.feedbacks.set('past', feedback('past', { answer: { text: 'Да', state: 'wbRu', editable: false } }));
      api.questions.set('asked', question('asked'));
      const { pass } = await session({ parts: ['feedbacks', 'questions'] });
      assert.deepEqual(
        idsOf(await pass(5)).toSorted(),
        ['asked', 'waits'],
        'what was answered before it began is left',
      );
      assert.deepEqual(await pass(600), []);
      assert.ok(api.callsOf('GET /api/v1/feedbacks').length >= 200);
    });

    it('is an edit, a supplement, and an answer that was given elsewhere', async () => {
      const first = feedback('f1', { createdDate: at(NOW - DAY) });
      api.feedbacks.set('f1', first);
      const { pass, channel } = await session({ parts: ['feedbacks'] });
      await pass(5);
      for (const text of ['один', 'два', 'три']) {
        api.feedbacks.set('f1', { ...first, text });
        const [raw, ...more] = await pass(6);
        assert.equal(more.length, 0);
        const [item] = await itemsOf(channel, [raw!]);
        assert.ok(item?.kind === 'review' && item.text === text && item.externalId === 'feedback:f1');
      }
      // It is older than the channel: no list of ours names it any more.
      api.feedbacks.set('f1', { ...first, text: 'три', answer: { text: 'Спасибо!', state: 'wbRu', editable: true } });
      const items = await itemsOf(channel, await pass(12));
      assert.deepEqual(
        items.map(({ kind }) => kind),
        ['review', 'message', 'receipt'],
      );
      const [, answer] = items;
      assert.ok(answer?.kind === 'message' && answer.direction === 'outbound' && answer.replaces);
    });

    it('is that a review is gone, and only of what was there', async () => {
      for (const id of ['a', 'b', 'c']) api.feedbacks.set(id, feedback(id, { createdDate: at(NOW - DAY) }));
      const { pass, channel, fails } = await session({ parts: ['feedbacks'] });
      await pass(5);
      api.feedbacks.delete('b');
      const items = await itemsOf(channel, await pass(12));
      assert.deepEqual(
        items.map((item) => item.kind === 'deletion' && item.externalId),
        ['feedback:b'],
      );
      assert.deepEqual(await pass(30), [], 'once');
      api.feedbacks.delete('c');
      api.end('GET /api/v1/feedback', { status: 500 }, { status: 400 });
      assert.equal((await pass(90)).length, 1, 'asked again where nobody could say');
      assert.equal(fails.length, 2);
    });

    it('is everything, page by page, beyond the bounds of skip and take', async () => {
      const many: Said[] = Array.from({ length: 15_500 }, (_, i) =>
        question(`q${i}`, { createdDate: at(NOW - DAY + i * 500) }),
      );
      for (const one of many) api.questions.set(one.id, one);
      const { pass } = await session({ parts: ['questions'] });
      const ids = new Set(idsOf(await pass(2)));
      assert.equal(ids.size, 15_500);
    });

    it('is what came in a week of downtime, and in a longer one', async () => {
      const { channel, clock } = await open({ parts: ['feedbacks', 'chats'] });
      const { cursor } = await round(channel, undefined);
      clock.jump(1000);
      const { cursor: whole } = await round(channel, cursor);
      const again = await open({ parts: ['feedbacks', 'chats'] });
      again.clock.jump(40 * DAY);
      api.feedbacks.set('early', feedback('early', { createdDate: at(NOW + DAY) }));
      api.feedbacks.set('late', feedback('late', { createdDate: at(NOW + 39 * DAY) }));
      api.events.push({ ...event('e1'), addTimestamp: NOW + DAY }, { ...event('e2'), addTimestamp: NOW + 2 * DAY });
      const back = await round(again.channel, whole);
      assert.deepEqual(idsOf(back.raws).toSorted(), ['early', 'event', 'event', 'late']);
    });

    it('goes on in the chats where it was, also when nothing says where that is', async () => {
      const { channel, clock } = await open({ parts: ['chats'] });
      api.events.push(event('e1', NOW - 1000), event('e2', NOW));
      const { cursor, raws } = await round(channel, undefined);
      assert.equal(raws.length, 2);
      api.end('GET /api/v1/seller/events', { status: 200, body: { result: { next: 0, events: null } } });
      let next = cursor;
      for (let i = 0; i < 2; i++) {
        clock.jump(20_000);
        next = (await round(channel, next)).cursor;
      }
      const asked = api.calls.map(({ path }) => path.split('?')[1]);
      assert.deepEqual(asked.slice(-2), [`next=${NOW}`, `next=${NOW}`]);
    });

    it('gets on with one question an hour, and tells nobody of it', async () => {
      api.feedbacks.set('f', feedback('f'));
      api.questions.set('q', question('q'));
      api.events.push(event('e', NOW));
      const { pass, fails } = await session();
      const limits = { feedbacks: 720, questions: 720, 'seller/events': 3600 };
      for (const [path, seconds] of Object.entries(limits)) {
        api.end(`GET /api/v1/${path}`, TOO_MANY(seconds), TOO_MANY(seconds));
      }
      assert.deepEqual(await pass(11), []);
      const before = api.calls.length;
      await pass(0.5);
      assert.equal(api.calls.length, before, 'as long as Wildberries says');
      assert.equal(new Set(idsOf(await pass(150))).size, 3);
      assert.deepEqual(fails, []);
    });

    it('says what its token has no category for, and reads the rest', async () => {
      api.feedbacks.set('f', feedback('f'));
      api.end('GET /api/v1/seller/events', NO_SCOPE);
      const { pass, fails } = await session();
      assert.deepEqual(idsOf(await pass(1)), ['f']);
      const [error, ...more] = fails;
      assert.ok(error instanceof PermanentError && /scope/.test(error.message) && /parts/.test(error.hint ?? ''));
      assert.equal(more.length, 0);
    });

    it('needs a person when the token has ended, which is said before', async () => {
      const ended = (exp: number) => `a.${Buffer.from(JSON.stringify({ exp: exp / 1000 })).toString('base64url')}.c`;
      const { channel, fails } = await session();
      api.end('GET /api/v1/feedbacks', EXPIRED);
      await assert.rejects(channel.poll!(undefined, signal), AuthExpiredError);
      assert.deepEqual(fails, []);
      const soon = await open({ token: ended(NOW + 13 * DAY) });
      await soon.channel.connect!(signal);
      assert.match(soon.log.entries[0]?.text ?? '', /ends soon/);
      for (const token of [TOKEN, 'not a JWT', 'a.e30.c', ended(NOW + 15 * DAY)]) {
        const { log, channel: opened } = await open({ token });
        await opened.connect!(signal);
        assert.equal(log.entries.length, 0, token);
      }
      const over = await open({ token: ended(NOW - DAY) });
      await assert.rejects(over.channel.connect!(signal), AuthExpiredError);
    });

    it('is nothing where an answer is no list', async () => {
      const { channel } = await open({ parts: ['feedbacks'] });
      api.end('GET /api/v1/feedbacks', { status: 200, body: { data: { reviews: [] } } });
      await assert.rejects(channel.poll!(undefined, signal), RetryableError);
    });
  });

  function event(eventID: string, addTimestamp = NOW, more: object = {}) {
    const chatID = '1:1e265a58-a120-b178-008c-60af2460207c';
    const client = { sender: 'client', clientID: '186132', clientName: 'Алёна', source: 'ios' };
    return { chatID, eventID, eventType: 'message', message: { text: 'Привет' }, addTimestamp, ...client, ...more };
  }

  describe('an answer', () => {
    const CHAT = '1:1e265a58-a120-b178-008c-60af2460207c';
    const SIGN = `${CHAT}:66f136e9`;

    function replyTo(externalId: string, given: Partial<Reply> & { text?: string; files?: readonly object[] } = {}) {
      const sent: unknown[] = [];
      const attachments = (given.files ?? []).map((file, i) => ({
        ...{ id: `att_${i}`, name: 'a.png', mediaType: 'image/png', size: 5, state: 'stored', error: null },
        ...{ inline: false, url: '', ...file },
      }));
      const reply = {
        id: 'tsk_1',
        message: sampleMessage({ text: given.text ?? 'Спасибо!', attachments: attachments as never }),
        thread: externalId,
        answers: sampleMessage({ externalId }),
        sent: [],
        partSent: async (...part: unknown[]) => void sent.push(part),
        open: async () => Readable.from([Buffer.from('bytes')]),
        ...given,
      } as unknown as Reply;
      return { reply, sent };
    }
    async function send(...given: Parameters<typeof replyTo>) {
      const { reply, sent } = replyTo(...given);
      const { channel } = await open();
      await channel.reply!(reply);
      return sent;
    }
    async function failure(work: Promise<unknown>): Promise<TributaryError> {
      const error = await work.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      assert.ok(error instanceof TributaryError, String(error));
      assert.ok(!JSON.stringify([error, error.message, error.hint, error.response]).includes(TOKEN));
      return error;
    }

    it('stands below the review, its echo is known, and another one takes its place once', async () => {
      api.feedbacks.set('f1', feedback('f1'));
      const [[name, how] = []] = (await send('feedback:f1')) as [string, object][];
      assert.deepEqual([api.feedbacks.get('f1')!.answer?.text, how], ['Спасибо!', { replaces: true }]);
      const { channel } = await open();
      const raw = {
        body: Buffer.from(JSON.stringify(api.feedbacks.get('f1'))),
        headers: { 'wildberries-part': 'feedback' },
      };
      const [, echo] = await itemsOf(channel, [raw]);
      assert.ok(echo?.kind === 'message' && echo.externalId === name);
      const [[other] = []] = (await send('feedback:f1', { text: 'Исправлено' })) as [string][];
      assert.notEqual(other, name);
      const methods = api.calls.filter(({ path }) => path.endsWith('/answer')).map(({ method }) => method);
      assert.deepEqual(methods, ['POST', 'PATCH']);
      const late = await failure(send('feedback:f1', { text: 'Ещё раз' }));
      assert.ok(late instanceof PermanentError && /once/.test(late.hint ?? ''));
    });

    it('arrives once, also when nobody knows what came of the first try', async () => {
      api.feedbacks.set('f1', feedback('f1'));
      api.questions.set('q1', question('q1'));
      api.end('POST /api/v1/feedbacks/answer', 'lost');
      const error = await failure(send('feedback:f1'));
      assert.ok(error instanceof RetryableError && !error.outcomeUnknown);
      assert.equal((await send('feedback:f1')).length, 1);
      assert.equal(api.callsOf('POST /api/v1/feedbacks/answer').length, 1);
      await send('question:q1');
      await send('question:q1', { text: ' Спасибо!\n' });
      const asked = api.callsOf('PATCH /api/v1/questions').map(({ body }) => body);
      assert.deepEqual(asked, [{ id: 'q1', answer: { text: 'Спасибо!' }, state: 'wbRu' }]);
    });

    it('that Wildberries would not take is not sent', async () => {
      api.feedbacks.set('f1', feedback('f1'));
      for (const given of [{ text: ' ' }, { text: 'x' }, { text: 'x'.repeat(5001) }, { files: [{}] }]) {
        assert.ok((await failure(send('feedback:f1', given))) instanceof PermanentError);
      }
      api.chats.push({ chatID: CHAT, replySign: SIGN });
      const files = [{ mediaType: 'video/mp4' }, { size: 5 * 1024 * 1024 + 1 }];
      for (const file of files)
        assert.ok((await failure(send(`chat:${CHAT}`, { files: [file] }))) instanceof PermanentError);
      assert.ok((await failure(send(`chat:${CHAT}`, { text: '' }))) instanceof PermanentError);
      assert.ok((await failure(send('nothing:1'))) instanceof PermanentError);
      assert.deepEqual([api.sent, api.feedbacks.get('f1')!.answer], [[], null]);
    });

    it('says who reads it', async () => {
      const { channel } = await open();
      const ask = (externalId: string) =>
        channel.canReply!({ ticket: {} as never, lastInboundAt: 1, answers: sampleMessage({ externalId }) });
      const below = await ask('feedback:f1');
      assert.deepEqual([below.public, below.longest, below.replaces], [true, 5000, true]);
      assert.match(below.reason ?? '', /once/);
      assert.equal((await ask('question:q1')).public, true);
      assert.deepEqual(await ask('event:e1'), { allowed: true });
    });

    it('goes into the chat in parts, with its files, and on behind those that went', async () => {
      api.chats.push({ chatID: 'other', replySign: 'x' }, { chatID: CHAT, replySign: SIGN });
      const text = `${'а'.repeat(990)} ${'б'.repeat(500)}`;
      const given = { thread: `chat:${CHAT}`, text, files: [{ name: 'a"\r\n.png' }, { mediaType: 'application/pdf' }] };
      assert.equal((await send('event:e1', given)).length, 4);
      assert.deepEqual(
        api.sent.map(({ replySign, message = '', file = '' }) => [replySign, message.length, file]),
        [
          [SIGN, 990, ''],
          [SIGN, 500, ''],
          [SIGN, 0, 'a___.png: bytes'],
          [SIGN, 0, 'a.png: bytes'],
        ],
      );
      api.sent.length = 0;
      assert.equal((await send('event:e1', { ...given, sent: [{ externalId: '1' }, { externalId: '2' }] })).length, 2);
      assert.equal(api.callsOf('GET /api/v1/seller/chats').length, 2, 'the list is asked for once');
    });

    it('of ours is known when it comes back from a chat, and another program’s is not', async () => {
      api.chats.push({ chatID: CHAT, replySign: SIGN });
      const [[name] = []] = (await send('event:e1', { thread: `chat:${CHAT}`, text: 'Здравствуйте!' })) as [string][];
      const { channel } = await open();
      const back = async (more: object) => {
        const body = Buffer.from(
          JSON.stringify(event('e9', NOW, { sender: 'seller', source: 'seller-public-api', ...more })),
        );
        const [item] = await itemsOf(channel, [{ body, headers: { 'wildberries-part': 'event' } }]);
        return item!;
      };
      const echo = await back({ message: { text: 'Здравствуйте!\n' } });
      assert.ok(echo.kind === 'message' && echo.externalId === name && echo.variant === 'event:e9');
      const byHand = await back({ source: 'seller-portal', message: { text: 'Здравствуйте!' } });
      assert.ok(byHand.kind === 'message' && byHand.externalId === 'event:e9' && byHand.direction === 'outbound');
      assert.equal((await back({ message: { text: '' } })).kind, 'ignored');
    });

    it('to a chat asks for its signature again when that is no longer right', async () => {
      api.chats.push({ chatID: CHAT, replySign: SIGN });
      const { channel } = await open();
      const { reply } = replyTo('event:e1', { thread: `chat:${CHAT}` });
      await channel.reply!(reply);
      api.chats[0] = { chatID: CHAT, replySign: 'new' };
      assert.ok((await failure(channel.reply!(reply))) instanceof PermanentError);
      await channel.reply!(reply);
      assert.equal(api.sent.length, 2);
      api.end('POST /api/v1/seller/message', { status: 200, body: { result: {}, errors: ['attachment too big'] } });
      assert.match((await failure(channel.reply!(reply))).message, /too big/);
      api.chats.length = 0;
      assert.match((await failure(send('event:e1', { thread: `chat:${CHAT}` }))).message, /no longer lists/);
    });

    it('waits as long as Wildberries says', async () => {
      api.feedbacks.set('f1', feedback('f1'));
      api.end('POST /api/v1/feedbacks/answer', TOO_MANY(720));
      const error = await failure(send('feedback:f1'));
      assert.ok(error instanceof RateLimitedError && error.retryAfterMs === 720_000);
      api.end('POST /api/v1/feedbacks/answer', { status: 403, body: { error: true, errorText: 'Ошибка авторизации' } });
      const denied = await failure(send('feedback:f1'));
      assert.ok(denied instanceof PermanentError && /read-only/.test(denied.hint ?? ''));
    });
  });

  it('fetches files from Wildberries only, with the token where it belongs', async () => {
    const { channel } = await open();
    const photo = async (fullSize: string) => {
      const body = feedback('f1', { photoLinks: [{ fullSize, miniSize: fullSize }] });
      const payload = samplePayload(body, { 'wildberries-part': 'feedback' });
      const [item] = await channel.normalize(payload);
      assert.ok(item?.kind === 'review');
      return textIn(await channel.download!(item.attachments![0] as never, payload));
    };
    assert.equal(await photo(`${api.root}/photo/1.jpg`), 'a photo');
    assert.equal(api.calls.length, 0, 'asked without the token');
    const elsewhere = [
      'https://example.com/a.jpg',
      'http://feedback04.wbbasket.ru/a.jpg',
      'https://notwbbasket.ru/a',
      'x',
    ];
    for (const url of [...elsewhere, 'https://feedback04.wbbasket.ru:8443/a.jpg']) {
      await assert.rejects(photo(url), PermanentError, url);
    }
    const file = { downloadID: 'd/1', name: 'Чек.pdf', contentType: 'application/pdf', size: 3 };
    const payload = samplePayload(event('e1', NOW, { message: { text: '', attachments: { files: [file] } } }), {
      'wildberries-part': 'event',
    });
    const [item] = await channel.normalize(payload);
    assert.ok(item?.kind === 'message');
    assert.equal(await textIn(await channel.download!(item.attachments![0] as never, payload)), 'a file of a chat');
    assert.equal(api.calls[0]!.path, '/api/v1/seller/download/d%2F1');
  });

  it('says what waits, and when its token ends', async () => {
    const { channel } = await open();
    const all =
      '3 reviews wait for an answer; 3 questions wait for an answer; chats can be read; the token ends on 2027-05-11';
    assert.equal(await channel.test!(), all);
    api.end('GET /api/v1/questions/count-unanswered', EXPIRED);
    await assert.rejects(channel.test!(), AuthExpiredError);
  });
});
