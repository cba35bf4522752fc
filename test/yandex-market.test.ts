import assert from 'node:assert/strict';
import { text as textIn } from 'node:stream/consumers';
import { yandexMarket } from '../src/connectors/yandex-market/yandex-market.ts';
import type { Channel, Raw } from '../src/core/connector.ts';
import type { ItemInput } from '../src/core/envelope.ts';
import { PermanentError, RetryableError } from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext } from './fakes/context.ts';
import { samplePayload } from './fakes/samples.ts';
import { CABINET, FORBIDDEN, KEY, startMarket, TOO_MUCH } from './fakes/yandex-market.ts';
import type { Comment, FakeMarket, Feedback } from './fakes/yandex-market.ts';

const signal = new AbortController().signal;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('Yandex Market’s channel, against a stand-in that is a closed world', () => {
  let api: FakeMarket;
  let egress: Egress;
  beforeEach(async () => {
    api = await startMarket();
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(settings: object = {}) {
    const given = { apiKey: KEY, businessId: CABINET, apiRoot: `${api.root}/`, ...settings };
    const clock = fakeClock(api.now);
    const context = fakeContext({ id: 'market', http: egress.for({ hosts: [] }), clock });
    return { channel: await yandexMarket.open(yandexMarket.config.parse(given), context), clock, log: context.log };
  }

  /** What an opened channel hands over; `from` is what was kept of one before. */
  async function session(parts: string[], from?: string) {
    const opened = await open({ parts });
    const { channel, clock, log } = opened;
    const fails: unknown[] = [];
    let cursor = from;
    async function round(): Promise<Raw[]> {
      const raws: Raw[] = [];
      for (let more = true; more;) {
        try {
          const page = await channel.poll!(cursor, signal);
          raws.push(...page.items);
          more = page.more === true;
          cursor = page.cursor;
        } catch (error) {
          fails.push(error);
          if (fails.length > 9) throw error;
        }
      }
      return raws;
    }
    async function pass(minutes: number): Promise<ItemInput[]> {
      const raws: Raw[] = [];
      for (let i = 0; i < minutes * 4; i++) {
        raws.push(...(await round()));
        clock.jump(15_000);
        api.now = clock.now();
      }
      return itemsOf(channel, raws);
    }
    return { ...opened, fails, pass, log, cursor: () => cursor };
  }

  const itemsOf = async (channel: Channel, raws: readonly Raw[]): Promise<ItemInput[]> => {
    const payloads = raws.map(({ body, headers }) => samplePayload(body, headers, { method: 'POLL' }));
    return (await Promise.all(payloads.map(async (payload) => channel.normalize(payload)))).flat();
  };
  const namesIn = (items: readonly ItemInput[]) =>
    items.map((item) => `${item.kind} ${'externalId' in item ? item.externalId : ''}`);
  const at = (ms: number) => new Date(api.now - ms).toISOString();

  function feedback(feedbackId: number, given: Partial<Feedback> = {}): Feedback {
    const one: Feedback = {
      ...{ feedbackId, createdAt: at(DAY), needReaction: true, author: 'Анна', comments: [] },
      ...{ description: { comment: 'Хорошо', advantages: 'цена' }, identifiers: { orderId: 777, offerId: 'K-1' } },
      ...{ media: { photos: [`${api.root}/file`], videos: null }, statistics: { rating: 4 }, ...given },
    };
    api.feedbacks.set(feedbackId, one);
    return one;
  }
  function comment(id: number, type: 'USER' | 'BUSINESS', given: Partial<Comment> = {}): Comment {
    return { id, text: 'Спасибо', status: 'PUBLISHED', author: { type, name: 'Кто-то' }, ...given };
  }

  describe('of the reviews', () => {
    it('takes what waits for an answer and what is new, once, though it reads them a hundred times', async () => {
      feedback(1, { createdAt: at(20 * DAY) });
      feedback(2, { needReaction: false });
      feedback(3, { needReaction: false, createdAt: at(MINUTE) });
      feedback(4, { createdAt: at(40 * DAY) });
      const { pass } = await session(['feedbacks']);
      assert.deepEqual(namesIn(await pass(1)), ['review feedback:1', 'review feedback:3']);
      assert.deepEqual(await pass(520), []);
      assert.ok(api.callsOf('goods-feedback').length >= 100);
    });

    it('takes three edits as three, comments of others and of the shop, and what became of those', async () => {
      const one = feedback(1);
      const { pass } = await session(['feedbacks']);
      await pass(1);
      for (const text of ['один', 'два', 'три']) {
        one.description = { comment: text };
        const [item, ...more] = await pass(6);
        assert.ok(item?.kind === 'review' && item.text === text && item.revision);
        assert.equal(more.length, 0);
      }
      const ours = comment(11, 'BUSINESS', { status: 'UNMODERATED' });
      one.comments.push(ours, comment(12, 'USER'));
      one.needReaction = false;
      assert.deepEqual(namesIn(await pass(6)), ['review feedback:1', 'message comment:11', 'message comment:12']);
      ours.status = 'BANNED';
      const blocked = await pass(6);
      assert.ok(blocked.some((item) => item.kind === 'receipt' && item.state === 'failed'));
      const calls = api.callsOf('goods-feedback/comments').length;
      assert.deepEqual(await pass(30), []);
      assert.equal(api.callsOf('goods-feedback/comments').length, calls, 'comments are only read when they change');
      one.comments.shift();
      assert.ok(namesIn(await pass(6)).includes('deletion comment:11'));
    });

    it('says that a comment is gone also where the page failed behind it, or was not stored', async () => {
      const [one, two] = [feedback(1), feedback(2)];
      one.comments.push(comment(11, 'USER'), comment(12, 'USER'));
      const { pass, fails, channel, clock, cursor } = await session(['feedbacks']);
      await pass(1);
      one.comments.shift();
      two.comments.push(comment(21, 'USER'), comment(22, 'USER'));
      const reads = () => api.callsOf('goods-feedback/comments').length;
      // Of the first review it is read, and fails of the second.
      const ending = { comments: [{ ...comment(12, 'USER'), feedbackId: 1 }], paging: {} };
      api.end('goods-feedback/comments', { status: 200, body: { status: 'OK', result: ending } }, { status: 500 });
      const before = reads();
      assert.ok(namesIn(await pass(8)).includes('deletion comment:11'));
      assert.equal(reads(), before + 4);
      assert.equal(fails.length, 1);
      two.comments.shift();
      clock.jump(6 * MINUTE);
      const gone = async () => namesIn(await itemsOf(channel, (await channel.poll!(cursor(), signal)).items));
      const lost = await gone();
      clock.jump(6 * MINUTE);
      assert.ok([lost, await gone()].every((names) => names.includes('deletion comment:21')));
    });

    it('takes all pages, and says what is gone, but not what only moved', async () => {
      for (let i = 1; i <= 120; i++) feedback(i);
      feedback(7).comments.push(...Array.from({ length: 70 }, (_, i) => comment(1000 + i, 'USER')));
      const { pass } = await session(['feedbacks']);
      assert.equal(new Set(namesIn(await pass(1))).size, 190);
      api.feedbacks.delete(60);
      assert.deepEqual(namesIn(await pass(12)), ['deletion feedback:60']);
      assert.deepEqual(await pass(12), [], 'once');
      // One moves to the front while they are read: this reading never sees it.
      const reads = api.callsOf('goods-feedback').length;
      for (let tries = 0; api.callsOf('goods-feedback').length === reads && tries < 60; tries++) await pass(0.25);
      const [moved, ...others] = [...api.feedbacks].toSorted(([a], [b]) => Number(b === 110) - Number(a === 110));
      api.feedbacks.clear();
      for (const [id, one] of [moved!, ...others]) api.feedbacks.set(id, one);
      assert.deepEqual(
        namesIn(await pass(12)).filter((name) => name.startsWith('deletion')),
        [],
      );
    });

    it('takes what came in a downtime that was longer than what it reads again', async () => {
      const before = await session(['feedbacks']);
      await before.pass(1);
      for (let i = 1; i <= 60; i++) feedback(i, { createdAt: at(-DAY), needReaction: false });
      feedback(99, { createdAt: at(-5 * DAY) });
      api.now += 45 * DAY;
      const after = await session(['feedbacks'], before.cursor());
      assert.equal(namesIn(await after.pass(1)).length, 61);
    });
  });

  describe('of the questions', () => {
    const ask = (id: number, createdAt = at(DAY)) =>
      void api.questions.set(id, { id, text: 'Есть ли синяя?', createdAt, answers: [] });

    it('takes those that wait, their edits, the answers that they are given, and what is gone', async () => {
      ask(1);
      ask(2);
      ask(3, at(50 * DAY));
      const { pass } = await session(['questions']);
      assert.deepEqual(namesIn(await pass(1)), ['message question:1', 'message question:2']);
      api.questions.get(2)!.text = 'А красная?';
      assert.deepEqual(namesIn(await pass(6)), ['message question:2']);
      api.questions.get(1)!.answers.push(comment(21, 'BUSINESS'));
      const answered = ['message question:1', 'message answer:21', 'receipt answer:21'];
      assert.deepEqual(namesIn(await pass(12)), answered);
      api.questions.delete(2);
      assert.deepEqual(namesIn(await pass(12)), ['deletion question:2']);
      assert.deepEqual(await pass(30), []);
    });

    it('takes all pages', async () => {
      for (let i = 1; i <= 120; i++) ask(i);
      const { pass } = await session(['questions']);
      assert.equal(new Set(namesIn(await pass(1))).size, 120);
    });
  });

  describe('of the chats', () => {
    it('takes what was said since an hour, once, with files and what is answered by hand', async () => {
      api.write(1, { createdAt: at(2 * HOUR) });
      const first = api.write(1);
      api.write(2, { sender: 'MARKET', message: 'Спор открыт' });
      const { pass } = await session(['chats']);
      assert.deepEqual(namesIn(await pass(1)).toSorted(), [
        `message message:1:${first.messageId}`,
        'message message:2:103',
      ]);
      const file = { name: 'Чек.pdf', url: `${api.root}/file`, size: 5 };
      api.write(1, { message: undefined, payload: [file] });
      api.write(1, { sender: 'PARTNER', message: 'Проверим' });
      const [with1, byHand] = await pass(1);
      assert.ok(with1?.kind === 'message' && with1.attachments?.[0]?.name === 'Чек.pdf');
      assert.ok(byHand?.kind === 'message' && byHand.direction === 'outbound' && byHand.variant);
      const read = api.callsOf('chats/history').length;
      assert.deepEqual(await pass(60), []);
      assert.equal(api.callsOf('chats/history').length, read, 'chats that did not move are not read');
      assert.ok(api.callsOf('chats').length >= 100);
    });

    it('takes a week of downtime, page by page, the oldest first in each chat', async () => {
      const before = await session(['chats']);
      await before.pass(1);
      for (let i = 0; i < 50; i++) api.write(1, { createdAt: at(-DAY - i * 1000) });
      for (let i = 2; i <= 45; i++) api.write(i, { createdAt: at(-2 * DAY) });
      api.now += 7 * DAY;
      const after = await session(['chats'], before.cursor());
      const items = await after.pass(1);
      assert.equal(new Set(namesIn(items)).size, 94);
      const times = items.flatMap((item) => (item.kind === 'message' ? item.occurredAt : []));
      assert.deepEqual(
        times.slice(0, 50),
        times.slice(0, 50).toSorted((a, b) => a - b),
      );
    });
  });

  describe('its quotas and rights', () => {
    it('waits until a quota is counted anew, while the others go on, and says so to nobody', async () => {
      feedback(1);
      api.write(1);
      const { pass, fails } = await session(['feedbacks', 'chats']);
      // The quota's end is told by Yandex Market's clock, which is the real one here.
      api.end('goods-feedback', TOO_MUCH(Date.now() + 30 * MINUTE));
      assert.deepEqual(namesIn(await pass(25)), ['message message:1:101']);
      assert.equal(api.callsOf('goods-feedback').length, 1);
      assert.deepEqual(namesIn(await pass(10)), ['review feedback:1']);
      assert.deepEqual(fails, []);
    });

    it('says what the key has no right for, and reads the rest', async () => {
      feedback(1);
      api.end('chats', FORBIDDEN);
      const { pass, fails } = await session(['feedbacks', 'chats']);
      assert.deepEqual(namesIn(await pass(1)), ['review feedback:1']);
      const [error, ...more] = fails;
      assert.ok(error instanceof PermanentError && /communication/.test(error.hint ?? ''), String(error));
      assert.equal(more.length, 0);
    });

    const refused = (status: number) => ({ status, body: { status: 'ERROR', errors: [{ code: 'NOT_FOUND' }] } });

    it('passes over a review or a chat that is refused, until it is asked for again or moves', async () => {
      for (const status of [400, 404]) {
        feedback(1).comments = [comment(11, 'USER')];
        feedback(2);
        const [first, second] = [api.write(1), api.write(2)].map(({ messageId }) => messageId);
        const { pass, fails, log } = await session(['feedbacks', 'chats']);
        api.end('goods-feedback/comments', refused(status));
        api.end('chats/history', refused(status));
        const all = [`message message:2:${second}`, 'review feedback:1', 'review feedback:2'];
        assert.deepEqual(namesIn(await pass(4)).toSorted(), all);
        assert.deepEqual([log.entries.map(({ level }) => level), fails], [['warn', 'warn'], []]);
        const { messageId } = api.write(1);
        const later = ['message comment:11', `message message:1:${first}`, `message message:1:${messageId}`];
        assert.deepEqual(namesIn(await pass(8)).toSorted(), [...later, 'review feedback:1']);
        api.chats.clear();
      }
      api.write(1);
      api.end('chats/history', FORBIDDEN);
      const { pass, fails } = await session(['chats']);
      await pass(1);
      assert.ok(fails[0] instanceof PermanentError, 'the right is missing: that is said');
    });

    it('passes over what is looked for and refused', async () => {
      for (const [part, list, below] of [
        ['feedbacks', 'goods-feedback', undefined],
        ['questions', 'goods-questions', undefined],
        ['questions', 'goods-questions', 'goods-questions/answers'],
      ] as const) {
        const asked = { text: 'Есть?', createdAt: at(DAY) };
        for (const id of [1, 2]) {
          feedback(id);
          api.questions.set(id, { ...asked, id, answers: [] });
        }
        const { pass, fails, log } = await session([part]);
        await pass(1);
        api.feedbacks.delete(1);
        api.questions.get(1)!.answers.push(comment(21, 'BUSINESS'));
        const reads = api.callsOf(list).length;
        while (api.callsOf(list).length === reads) await pass(0.25);
        api.end(below ?? list, refused(404));
        assert.deepEqual([await pass(7), log.entries.length, fails], [[], 1, []]);
        api.questions.get(2)!.text = 'А красная?';
        feedback(2, { description: { comment: 'Плохо' } });
        assert.equal((await pass(6)).length, 1, 'the next reading');
        api.feedbacks.clear();
        api.questions.clear();
      }
    });

    it('takes no answer for a list that is none, and none for yes that says no', async () => {
      const { channel } = await open({ parts: ['feedbacks'] });
      api.end('goods-feedback', { status: 200, body: { status: 'OK', result: { reviews: [] } } });
      await assert.rejects(channel.poll!(undefined, signal), RetryableError);
      const other = await open({ parts: ['feedbacks'] });
      api.end('goods-feedback', { status: 200, body: { status: 'ERROR', errors: [{ code: 'BAD', message: 'no' }] } });
      await assert.rejects(other.channel.poll!(undefined, signal), (error: unknown) => {
        return error instanceof PermanentError && /BAD: no/.test(error.message);
      });
    });

    it('says what can be read, and shows its key to nobody', async () => {
      const { channel } = await open();
      assert.equal(await channel.test!(), 'reviews can be read; questions can be read; chats can be read');
      const wrong = await open({ apiKey: 'ACMA:another-key' });
      const error = await wrong.channel.test!().catch((thrown: unknown) => thrown);
      assert.ok(
        error instanceof PermanentError && !JSON.stringify([error.message, error.response]).includes('another'),
      );
      for (const businessId of ['0', 'x', '../1', '']) {
        assert.ok(!yandexMarket.config.safeParse({ apiKey: KEY, businessId }).success, businessId);
      }
    });
  });

  it('fetches photos and files without its key, and nothing from elsewhere than the web', async () => {
    const { channel } = await open();
    async function fetched(body: object, part: string): Promise<string> {
      const payload = samplePayload(body, { 'yandex-market-part': part }, { method: 'POLL' });
      const [item] = await channel.normalize(payload);
      assert.ok(item && 'attachments' in item && item.attachments);
      return textIn(await channel.download!(item.attachments[0]!, payload));
    }
    assert.equal(await fetched({ feedback: feedback(1), comments: [] }, 'feedback'), 'a file for nobody');
    const said = (url: string) => ({
      chat: { chatId: 1 },
      message: { messageId: 1, createdAt: at(0), sender: 'CUSTOMER', payload: [{ name: 'a.pdf', url, size: 5 }] },
    });
    assert.equal(await fetched(said(`${api.root}/file`), 'message'), 'a file for nobody');
    for (const url of ['http://example.com/a', 'file:///etc/passwd', 'https://example.com:8443/a', 'x']) {
      await assert.rejects(fetched(said(url), 'message'), PermanentError, url);
    }
  });
});
