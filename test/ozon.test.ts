import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { text as textIn } from 'node:stream/consumers';
import { ozon } from '../src/connectors/ozon/ozon.ts';
import type { Channel, Raw, Reply } from '../src/core/connector.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { openFiling } from './fakes/filing.ts';
import { sampleMessage } from './fakes/gateway.ts';
import * as stand from './fakes/ozon.ts';
import type { FakeOzon } from './fakes/ozon.ts';
import { samplePayload } from './fakes/samples.ts';

const signal = new AbortController().signal;
const NOW = Date.parse('2026-11-23T10:00:00Z');
const DAY = 86_400_000;
const at = (ms: number) => new Date(ms).toISOString();

describe('Ozon’s channel, against a stand-in that is a closed world', () => {
  let api: FakeOzon;
  let egress: Egress;
  beforeEach(async () => {
    api = await stand.startOzon();
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(settings: object = {}, now = NOW) {
    const given = { clientId: stand.CLIENT, apiKey: stand.KEY, apiRoot: `${api.root}/`, ...settings };
    const clock = fakeClock(now);
    const context = fakeContext({ id: 'oz', http: egress.for({ hosts: [] }), clock });
    return { channel: await ozon.open(ozon.config.parse(given), context), clock };
  }

  const itemsOf = async (channel: Channel, raws: readonly Raw[]): Promise<ItemInput[]> =>
    (await Promise.all(raws.map(async ({ body, headers }) => channel.normalize(samplePayload(body, headers))))).flat();
  const partOf = ({ headers }: Raw) => String(headers?.['ozon-part']);
  const idOf = (raw: Raw) => {
    const { id, comment, answer, message } = JSON.parse(raw.body.toString()) as Record<string, never>;
    return id ?? (comment ?? answer)?.['id'] ?? message?.['message_id'] ?? '';
  };
  const idsOf = (raws: readonly Raw[]) => raws.map(idOf).toSorted();

  /** Everything that some minutes hand over, asked as the host does. */
  async function session(settings: object = {}, { now = NOW, cursor: first }: { now?: number; cursor?: string } = {}) {
    const opened = await open(settings, now);
    const fails: TributaryError[] = [];
    let cursor = first;
    return {
      ...opened,
      fails,
      cursor: () => cursor,
      async pass(minutes: number): Promise<Raw[]> {
        const raws: Raw[] = [];
        for (let i = 0; i < minutes * 12; i++) {
          for (let more = true; more;) {
            try {
              const page = await opened.channel.poll!(cursor, signal);
              raws.push(...page.items);
              [more, cursor] = [page.more === true, page.cursor];
            } catch (error) {
              fails.push(error as TributaryError);
              more = !(error instanceof AuthExpiredError);
            }
          }
          opened.clock.jump(5000);
        }
        return raws;
      },
    };
  }
  const chatOf = (...messages: stand.OzonMessage[]) => ({ type: 'BUYER_SELLER', messages });

  describe('what is read', () => {
    it('is what waits for an answer and what came since, once, though it is read a hundred times', async () => {
      api.reviews.set('waits', stand.review('waits', { published_at: at(NOW - 20 * DAY) }));
      api.reviews.set('past', stand.review('past', { status: 'PROCESSED', comments_amount: 1 }));
      api.reviews.set('fresh', stand.review('fresh', { status: 'PROCESSED', published_at: at(NOW - 600_000) }));
      api.reviews.set('old', stand.review('old', { published_at: at(NOW - 31 * DAY) }));
      api.questions.set('asked', stand.question('asked'));
      const { pass } = await session({ parts: ['reviews', 'questions'] });
      assert.deepEqual(idsOf(await pass(5)), ['asked', 'fresh', 'waits']);
      assert.deepEqual(await pass(600), []);
      assert.ok(api.callsOf('/v2/review/list').length >= 100);
      assert.equal(api.callsOf('/v1/review/comment/list').length, 0);
    });

    it('is every page, in whichever way a list says that there are more', async () => {
      for (let i = 0; i < 250; i++) {
        api.reviews.set(`r${i}`, stand.review(`r${i}`, { published_at: at(NOW - DAY + i * 1000) }));
        api.questions.set(`q${i}`, stand.question(`q${i}`, { published_at: at(NOW - DAY + i * 1000) }));
      }
      const { pass } = await session({ parts: ['reviews', 'questions'] });
      assert.equal(new Set(idsOf(await pass(2))).size, 500);
      assert.deepEqual(
        api.callsOf('/v2/review/list').map(({ last_id }) => last_id),
        [undefined, 'r99', 'r199'],
      );
      const bounds = api
        .callsOf('/v2/review/list')
        .map(({ filters }) => (filters as { published_to: string }).published_to);
      assert.equal(new Set(bounds).size, 1, 'one reading has one end');
    });

    it('comes again from the same cursor when the store failed', async () => {
      api.reviews.set('r', stand.review('r', { comments_amount: 1 }));
      api.comments.set('r', [stand.comment('c', 'Спасибо')]);
      const { channel, clock } = await open({ parts: ['reviews'] });
      const first = await channel.poll!(undefined, signal);
      assert.deepEqual(idsOf(first.items), ['r']);
      clock.jump(2000);
      const second = await channel.poll!(first.cursor, signal);
      clock.jump(600_000);
      const again = await channel.poll!(first.cursor, signal);
      assert.deepEqual([idsOf(second.items), idsOf(again.items)], [['c'], ['c']]);
      clock.jump(600_000);
      const listed = await channel.poll!(again.cursor, signal);
      clock.jump(2000);
      await channel.poll!(listed.cursor, signal);
      assert.equal(api.callsOf('/v1/review/comment/list').length, 2, 'what is read below it is known now');
    });

    it('is an edit, and that a review is gone, and only of what was there', async () => {
      for (const id of ['a', 'b', 'c']) api.reviews.set(id, stand.review(id, { published_at: at(NOW - DAY) }));
      const { pass, channel, fails } = await session({ parts: ['reviews'] });
      await pass(5);
      for (const text of ['один', 'два', 'три']) {
        api.reviews.set('a', stand.review('a', { published_at: at(NOW - DAY), text }));
        const [item, ...more] = await itemsOf(channel, await pass(6));
        assert.ok(item?.kind === 'review' && item.text === text && item.externalId === 'review:a');
        assert.equal(more.length, 0);
      }
      api.reviews.delete('b');
      const [gone, ...none] = await itemsOf(channel, await pass(12));
      assert.ok(gone?.kind === 'deletion' && gone.externalId === 'review:b');
      assert.deepEqual([none, await pass(30)], [[], []]);
      api.reviews.delete('c');
      api.end('/v2/review/info', { status: 500 });
      assert.deepEqual((await pass(90)).map(partOf), ['gone'], 'asked again where nobody could say');
      assert.equal(fails.length, 1);
    });

    it('is not gone when Ozon still has it', async () => {
      const one = stand.question('q', { published_at: at(NOW - DAY) });
      api.questions.set('q', one);
      const { pass } = await session({ parts: ['questions'] });
      await pass(5);
      one.published_at = at(NOW - 40 * DAY);
      assert.deepEqual((await pass(12)).map(partOf), ['question']);
    });

    it('is what others wrote below, also of what is dealt with since', async () => {
      const one = stand.review('r');
      api.reviews.set('r', one);
      api.questions.set('q', stand.question('q'));
      const { pass, channel } = await session({ parts: ['reviews', 'questions'] });
      await pass(5);
      api.comments.set('r', [stand.comment('c1', 'Заменим'), stand.comment('c2', 'И мне', { is_owner: false })]);
      Object.assign(one, { comments_amount: 2, status: 'PROCESSED' });
      api.answers.set('q', [stand.answer('a1', 'Да')]);
      api.questions.set('q', stand.question('q', { answers_count: 1, status: 'PROCESSED' }));
      const raws = (await pass(12)).filter((raw) => ['comment', 'answer'].includes(partOf(raw)));
      const items = (await itemsOf(channel, raws)).map((item) =>
        item.kind === 'message' ? [item.externalId, item.direction ?? 'inbound', item.thread?.externalId] : [],
      );
      assert.deepEqual(items.toSorted(), [
        ['answer:a1', 'outbound', 'question:q'],
        ['comment:c1', 'outbound', 'review:r'],
        ['comment:c2', 'inbound', 'review:r'],
      ]);
      assert.deepEqual(await pass(60), []);
    });

    it('is what came in a week of downtime, and in a longer one', async () => {
      for (const days of [7, 40]) {
        const before = await session({});
        await before.pass(2);
        api.reviews.set('early', stand.review('early', { published_at: at(NOW + DAY / 2) }));
        api.questions.set('late', stand.question('late', { published_at: at(NOW + (days - 1) * DAY) }));
        api.chats.set('chat', chatOf(stand.said('1', at(NOW - DAY), ['alt']), stand.said('2', at(NOW + DAY), ['neu'])));
        const after = await session({}, { now: NOW + days * DAY, cursor: before.cursor()! });
        assert.deepEqual(idsOf(await after.pass(2)), ['2', 'early', 'late'], String(days));
        for (const all of [api.reviews, api.questions, api.chats]) all.clear();
      }
    });

    it('is each open chat with a buyer, and of each only what is new', async () => {
      for (let i = 0; i < 5; i++) api.chats.set(`c${i}`, chatOf(stand.said(`m${i}`, at(NOW - 60_000), [`${i}`])));
      api.chats.set('ozon', { type: 'SELLER_SUPPORT', messages: [stand.said('s', at(NOW), ['Ozon'])] });
      const { pass } = await session({ parts: ['chats'] });
      assert.deepEqual(idsOf(await pass(2)), ['m0', 'm1', 'm2', 'm3', 'm4']);
      const before = api.callsOf('/v3/chat/history').length;
      assert.equal(before, 5);
      api.chats
        .get('c4')!
        .messages.push(stand.said('n1', at(NOW + 120_000), ['a']), stand.said('n2', at(NOW + 121_000), ['b']));
      assert.deepEqual((await pass(2)).map(idOf), ['n1', 'n2'], 'in the order in which they were written');
      assert.equal(api.callsOf('/v3/chat/history').length, before + 1);
      assert.ok(api.callsOf('/v3/chat/history').every(({ chat_id }) => chat_id !== 'ozon'));
    });

    it('is what a chat got while the others were read, and nothing from before', async () => {
      api.chats.set('c', chatOf(stand.said('read', at(NOW), ['a'])));
      const { channel, clock } = await open({ parts: ['chats'] });
      const listed = await channel.poll!(undefined, signal);
      clock.jump(2 * 3_600_000);
      const whole = await channel.poll!(listed.cursor, signal);
      assert.deepEqual(idsOf(whole.items), ['read']);
      api.chats.set('d', chatOf(stand.said('meanwhile', at(NOW + 1_800_000), ['b'])));
      const after = await session({ parts: ['chats'] }, { now: NOW + 3 * 3_600_000, cursor: whole.cursor });
      assert.deepEqual(idsOf(await after.pass(1)), ['meanwhile']);
      const later = await session({ parts: ['chats'] }, { now: NOW + 9 * 3_600_000, cursor: after.cursor()! });
      assert.deepEqual(idsOf(await later.pass(1)), []);
    });

    it('ends where a list of chats doesn’t go on', async () => {
      const stuck = { status: 200, body: { chats: [], cursor: 'x', has_next: true } };
      api.end('/v3/chat/list', stuck, stuck, stuck);
      const { pass } = await session({ parts: ['chats'] });
      await pass(0.25);
      const cursors = api.callsOf('/v3/chat/list').map(({ cursor }) => cursor);
      assert.deepEqual(cursors, [undefined, 'x']);
    });

    it('sets aside what it can’t read, alone', async () => {
      api.reviews.set('r', stand.review('r'));
      api.end('/v2/review/list', { status: 200, body: { reviews: [{ odd: 1 }, stand.review('s')], has_next: false } });
      const { pass, channel } = await session({ parts: ['reviews'] });
      const raws = await pass(1);
      assert.equal(raws.length, 2);
      await assert.rejects(itemsOf(channel, raws.slice(0, 1)));
      assert.equal((await itemsOf(channel, raws.slice(1))).length, 1);
      api.end('/v2/review/list', { status: 200, body: 'no list' });
      const other = await open({ parts: ['reviews'] });
      await assert.rejects(other.channel.poll!(undefined, signal), RetryableError);
    });
  });

  describe('what Ozon refuses', () => {
    it('for the plan is said, and the rest is read', async () => {
      api.questions.set('q', stand.question('q'));
      api.chats.set('c', chatOf(stand.said('m', at(NOW), ['Привет'])));
      api.end('/v2/review/list', stand.NO_PLAN, stand.NO_ROLE);
      const { pass, fails } = await session();
      assert.deepEqual(idsOf(await pass(50)), ['m', 'q']);
      assert.equal(fails.length, 1);
      await pass(60);
      const [plan, role, ...more] = fails;
      assert.ok(plan instanceof PermanentError && /subscription/.test(plan.message) && /Premium/.test(plan.hint ?? ''));
      assert.ok(role instanceof PermanentError && /required role/.test(role.message) && /roles/.test(role.hint ?? ''));
      assert.equal(more.length, 0);
    });

    it('for a key that is over needs a person', async () => {
      for (const ending of [stand.UNKNOWN_KEY, stand.BAD_KEY]) {
        api.end('/v2/review/list', ending);
        const { channel } = await open();
        const error = await failure(channel.poll!(undefined, signal));
        assert.ok(error instanceof AuthExpiredError && /new key/.test(error.hint ?? ''));
      }
    });

    it('for being too many is waited for, and nobody hears of it', async () => {
      api.reviews.set('r', stand.review('r'));
      api.end('/v2/review/list', stand.TOO_MANY, {
        ...(stand.TOO_MANY as object),
        status: 429,
        headers: { 'retry-after': '600' },
      });
      const { pass, fails } = await session({ parts: ['reviews'] });
      assert.deepEqual(await pass(10), []);
      assert.deepEqual([idsOf(await pass(3)), fails], [['r'], []]);
      assert.equal(api.callsOf('/v2/review/list').length, 3);
    });
  });

  async function failure(work: Promise<unknown>): Promise<TributaryError> {
    const error = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, String(error));
    assert.ok(!JSON.stringify([error, error.message, error.hint, error.response]).includes(stand.KEY));
    return error;
  }

  describe('an answer', () => {
    type Given = Partial<Reply> & { text?: string; files?: readonly object[]; said?: string };
    function replyTo(externalId: string, given: Given = {}) {
      const sent: unknown[] = [];
      const attachments = (given.files ?? []).map((file, i) => ({
        ...{ id: `att_${i}`, name: 'a.png', mediaType: 'image/png', size: 5, state: 'stored', error: null },
        ...{ inline: false, url: '', ...file },
      }));
      const reply = {
        id: 'tsk_1',
        message: sampleMessage({ text: given.text ?? 'Спасибо!', attachments: attachments as never }),
        thread: externalId,
        answers: sampleMessage({ externalId, text: given.said ?? 'Плохо' }),
        sent: [],
        partSent: async (name: string) => void sent.push(name),
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

    it('stands below the review, or below a comment there, and is known when it is read', async () => {
      api.reviews.set('r', stand.review('r'));
      const { pass, channel } = await session({ parts: ['reviews'] });
      await pass(1);
      const names = await send('review:r');
      const other = await send('comment:x', { thread: 'review:r', said: '' });
      assert.deepEqual(api.callsOf('/v1/review/comment/create'), [
        { review_id: 'r', text: 'Спасибо!', mark_review_as_processed: true },
        { review_id: 'r', text: 'Спасибо!', mark_review_as_processed: true, parent_comment_id: 'x' },
      ]);
      const items = await itemsOf(channel, await pass(12));
      const read = items.flatMap((item) => (item.kind === 'message' ? [item.externalId] : []));
      assert.deepEqual(read.toSorted(), [...names, ...other].toSorted());
    });

    it('stands below the question, with the product that Ozon says', async () => {
      api.questions.set('q', stand.question('q', { sku: 77 }));
      assert.deepEqual(await send('question:q', { text: ' Да, синяя есть.\n' }), ['answer:made-1']);
      assert.deepEqual(api.callsOf('/v1/question/answer/create'), [
        { question_id: 'q', sku: 77, text: 'Да, синяя есть.' },
      ]);
    });

    it('goes into the chat in parts, with its files, and on behind those that went', async () => {
      api.chats.set('c', chatOf(stand.said('m', at(NOW), ['Где?'])));
      const text = `${'а'.repeat(990)} ${'б'.repeat(500)}`;
      const given = { thread: 'chat:c', text, files: [{ name: 'чек.pdf' }] };
      const names = await send('message:m', given);
      const echoed = names.filter((name) => String(name).startsWith('sent'));
      assert.deepEqual([names.length, echoed.length], [5, 2]);
      assert.deepEqual(
        api.callsOf('/v1/chat/send/message').map((body) => String(body['text']).length),
        [990, 500],
      );
      assert.deepEqual(api.callsOf('/v1/chat/send/file'), [
        { chat_id: 'c', name: 'чек.pdf', base64_content: Buffer.from('bytes').toString('base64') },
      ]);
      const sent = [{ externalId: 'tsk_1:0' }, { externalId: 'tsk_1:1' }, { externalId: 'sent:c:1' }] as never;
      assert.equal((await send('message:m', { ...given, sent })).length, 1);
      const { pass, channel } = await session({ parts: ['chats'] });
      const echoes = (await itemsOf(channel, await pass(1))).flatMap((item) =>
        item.kind === 'message' && item.direction === 'outbound' && item.text !== '' ? [item.externalId] : [],
      );
      assert.deepEqual(echoes, echoed, 'known when it is read');
    });

    it('that Ozon would not take is not sent', async () => {
      api.reviews.set('r', stand.review('r'));
      api.questions.set('q', stand.question('q'));
      api.chats.set('c', chatOf());
      const refusals: [string, Given][] = [
        ['review:r', { said: ' ' }],
        ['review:r', { text: 'x' }],
        ['review:r', { files: [{}] }],
        ['question:q', { text: 'x'.repeat(3001) }],
        ['chat:c', { text: '' }],
        ['chat:c', { files: [{ size: 20 * 1024 * 1024 + 1 }] }],
        ['sent:c:1', {}],
      ];
      for (const [name, given] of refusals) {
        assert.ok((await failure(send(name, given))) instanceof PermanentError, JSON.stringify(given));
      }
      assert.deepEqual(api.calls, []);
      assert.ok((await failure(send('review:gone'))) instanceof PermanentError);
    });

    it('of which nobody knows whether it arrived waits for a person', async () => {
      api.reviews.set('r', stand.review('r'));
      for (const ending of ['lost', { status: 200, body: {} }] as const) {
        api.end('/v1/review/comment/create', ending);
        const error = await failure(send('review:r'));
        assert.ok(error instanceof RetryableError && error.outcomeUnknown);
      }
      api.end('/v1/review/comment/create', stand.TOO_MANY);
      const patience = await failure(send('review:r'));
      assert.ok(patience instanceof RateLimitedError);
      api.end('/v1/review/comment/create', stand.NO_PLAN);
      assert.match((await failure(send('review:r'))).hint ?? '', /Premium/);
    });

    it('says who reads it', async () => {
      const { channel } = await open();
      const ask = (externalId: string, text = 'Плохо') =>
        channel.canReply!({ ticket: {} as never, lastInboundAt: 1, answers: sampleMessage({ externalId, text }) });
      assert.deepEqual(await ask('review:r'), { allowed: true, public: true });
      const wordless = await ask('review:r', ' ');
      assert.deepEqual([wordless.allowed, wordless.public], [false, true]);
      assert.match(wordless.reason ?? '', /without words/);
      assert.deepEqual(await ask('comment:c', ''), { allowed: true, public: true });
      assert.deepEqual(await ask('question:q'), { allowed: true, public: true, longest: 3000 });
      const chat = await ask('message:m');
      assert.ok(chat.allowed && !chat.public && /48 hours/.test(chat.reason ?? ''));
    });
  });

  it('fetches the files of chats from Ozon only, and keeps the key there', async () => {
    const { channel } = await open();
    const file = async (url: string) => {
      const message = stand.said('m', at(NOW), [`![](${url})`]);
      const payload = samplePayload({ chat: 'c', message }, { 'ozon-part': 'message' });
      const [item] = await channel.normalize(payload);
      assert.ok(item?.kind === 'message');
      const [attachment] = item.attachments ?? [];
      return attachment && textIn(await channel.download!(attachment, payload));
    };
    const url = 'https://api-seller.ozon.ru/v2/chat/file/a/1.jpg?x=2';
    assert.equal(await file(url), 'a file of a chat');
    assert.deepEqual(api.calls, [{ path: '/v2/chat/file/a/1.jpg?x=2', body: { key: stand.KEY } }]);
    for (const other of ['https://api-seller.ozon.ru/v2/other/1.jpg', 'https://ozon.example/v2/chat/file/1.jpg', 'x']) {
      assert.equal(await file(other), undefined, 'it is text');
    }
    const payload = samplePayload({ chat: 'c', message: stand.said('m', at(NOW), ['x']) }, { 'ozon-part': 'message' });
    await assert.rejects(async () => channel.download!({ id: 'file:none' } as never, payload), PermanentError);
  });

  it('follows a file of a chat to addresses of Ozon only', async () => {
    const asked: { mayFollow(url: URL): boolean }[] = [];
    const stream = async (request: never) => {
      asked.push(request);
      return { body: Readable.from([]) };
    };
    const config = ozon.config.parse({ clientId: stand.CLIENT, apiKey: stand.KEY });
    const channel = await ozon.open(config, fakeContext({ id: 'oz', http: { stream } as never }));
    const message = stand.said('m', at(NOW), ['![](https://api-seller.ozon.ru/v2/chat/file/1.jpg)']);
    const payload = samplePayload({ chat: 'c', message }, { 'ozon-part': 'message' });
    const [item] = await channel.normalize(payload);
    assert.ok(item?.kind === 'message');
    await channel.download!(item.attachments![0] as never, payload);
    const follows = (url: string) => asked[0]!.mayFollow(new URL(url));
    for (const url of ['https://ozon.ru/1', 'https://cdn1.ozone.ru/1', 'https://api-seller.ozon.ru/1']) {
      assert.ok(follows(url), url);
    }
    for (const url of ['http://cdn1.ozone.ru/1', 'https://notozon.ru/1', 'https://elsewhere.example/1']) {
      assert.ok(!follows(url), url);
    }
  });

  it('says what waits, and what it may not read', async () => {
    const { channel } = await open();
    assert.equal(await channel.test!(), 'new reviews: 3; new questions: 3; chats can be read');
    api.end('/v1/question/count', stand.NO_PLAN);
    assert.match((await failure(channel.test!())).hint ?? '', /Premium/);
    const only = await open({ parts: ['chats'] });
    assert.equal(await only.channel.test!(), 'chats can be read');
    for (const settings of [{ clientId: 'x' }, { parts: [] }, { parts: ['orders'] }, { apiKey: '' }]) {
      await assert.rejects(open(settings), JSON.stringify(settings));
    }
  });

  it('makes one message of a review that is filed a hundred times, and three revisions of three edits', async () => {
    const { channel } = await open();
    const filing = await openFiling({ threads: 'topic' });
    const outcomes = new Map<string, number>();
    let receivedAt = NOW;
    const file = async (body: object, part: string) => {
      const payload = samplePayload(body, { 'ozon-part': part }, { receivedAt: receivedAt++ });
      for (const { outcome } of await filing.file(await channel.normalize(payload))) {
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    };
    for (let i = 0; i < 100; i++) {
      await file(stand.review('r', { status: i % 2 ? 'NEW' : 'VIEWED' }), 'review');
      await file({ review: 'r', comment: stand.comment('c', 'Спасибо!') }, 'comment');
    }
    for (const text of ['один', 'два', 'три']) await file(stand.review('r', { text }), 'review');
    await file({ surface: 'review', id: 'r' }, 'gone');
    // The deletion is the fourth.
    const expected = { ticket_created: 1, appended: 1, duplicate: 198, revised: 4 };
    assert.deepEqual(Object.fromEntries(outcomes), expected);
    await filing.close();
  });
});
