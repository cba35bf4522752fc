import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { appStore } from '../src/connectors/app-store/app-store.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../src/core/errors.ts';
import { APP, ISSUER, KEY_ID, PRIVATE_KEY, readAppStore, startAppStore } from './fakes/app-store.ts';
import type { FakeAppStore, FakeReview } from './fakes/app-store.ts';
import type { Description } from './fakes/openapi.ts';
import { openReviews } from './fakes/reviews.ts';
import type { Bench } from './fakes/reviews.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const signal = new AbortController().signal;
const KEY = { issuerId: ISSUER, keyId: KEY_ID, privateKey: PRIVATE_KEY };

describe('reviews in the App Store, against a stand-in that keeps to Apple’s description', () => {
  let apple: FakeAppStore;
  let bench: Bench;
  let description: Description | undefined;
  before(() => {
    description = readAppStore();
  });
  beforeEach(async () => {
    apple = await startAppStore(description);
    await open({ key: KEY });
  });
  afterEach(async () => {
    await bench.close();
    await apple.close();
    assert.deepEqual(apple.violations, []);
  });

  async function open(settings: object): Promise<void> {
    bench = await openReviews((context) => {
      const roots = { app: APP, apiRoot: apple.root, feedRoot: apple.root };
      return appStore.open(appStore.config.parse({ ...roots, ...settings }), context);
    });
    tick();
  }
  async function openAnew(settings: object): Promise<void> {
    await bench.close();
    await open(settings);
  }
  /** Apple's clock is ours. */
  function tick(ms = 0): void {
    bench.out.clock.jump(ms);
    apple.now = bench.out.clock.now();
  }
  function write(id: string, rest: Partial<FakeReview> = {}): FakeReview {
    const review = { id, title: 'Hm', body: 'It crashes', rating: 2, at: apple.now, ...rest };
    apple.reviews.set(id, review);
    return review;
  }
  const paths = () => apple.calls.map(({ path }) => path);
  const outcomes = async () => (await bench.events()).map(({ outcome }) => outcome);
  async function failure(work: Promise<unknown> | undefined): Promise<TributaryError> {
    const error = await Promise.resolve(work).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.doesNotMatch(all, /PRIVATE KEY|eyJ/, 'a secret is in the error');
    return error;
  }

  it('are one message each, however often they are read', async () => {
    write('r1');
    for (let i = 0; i < 100; i++) {
      await bench.poll();
      tick(10 * MINUTE);
    }
    const [message, ...more] = await bench.messages();
    assert.equal(more.length, 0);
    assert.deepEqual(await outcomes(), ['ticket_created'], 'what has not changed is not even handed over');
    assert.deepEqual(
      [message!.subject, message!.text, message!.review!.rating, message!.fields['territory'], message!.verified],
      ['Hm', 'It crashes', 2, 'UKR', true],
    );
  });

  it('have a revision for each edit, with another date or without', async () => {
    write('r1');
    await bench.poll();
    const changes: Partial<FakeReview>[] = [
      { body: 'It crashes still' },
      { rating: 1, at: apple.now + 2 * MINUTE },
      { title: 'Good', body: 'Repaired', rating: 5 },
    ];
    for (const change of changes) {
      tick(5 * MINUTE);
      Object.assign(apple.reviews.get('r1')!, change);
      await bench.poll();
    }
    assert.deepEqual(await outcomes(), ['ticket_created', 'revised', 'revised', 'revised']);
    const [message] = await bench.messages();
    assert.deepEqual([message!.subject, message!.text, message!.review!.rating], ['Good', 'Repaired', 5]);
    bench.cursor = undefined;
    await bench.poll();
    assert.equal((await bench.messages())[0]!.text, 'Repaired', 'read anew without its history');
  });

  it('come page by page, those of the last week at first and all of a downtime later', async () => {
    for (let i = 0; i < 150; i++) write(`old${i}`, { at: apple.now - 8 * DAY - i });
    for (let i = 0; i < 50; i++) write(`new${i}`, { at: apple.now - i * HOUR });
    apple.pageSize = 40;
    assert.equal(await bench.poll(), 50);
    assert.equal(apple.calls.length, 5);
    tick(30 * DAY);
    for (let i = 0; i < 260; i++) write(`later${i}`, { at: apple.now - i * 2 * HOUR });
    assert.equal(await bench.poll(), 260, 'more than five pages, as long as they are news');
    assert.equal(apple.calls.length, 5 + 7);
    assert.equal(await bench.poll(), 0);
  });

  it('are read from the beginning again where Apple has forgotten the page', async () => {
    for (let i = 0; i < 9; i++) write(`r${i}`, { at: apple.now - i * 1000 });
    apple.pageSize = 4;
    const { cursor, more } = await bench.channel.poll!(undefined, signal);
    assert.equal(more, true);
    bench.cursor = cursor;
    apple.forgetPages();
    assert.equal(await bench.poll(), 5, 'what was handed over is not handed over again');
  });

  it('are looked for nowhere else than on Apple’s own list', async () => {
    for (const next of [
      'https://evil.example.com/v1/apps/1/customerReviews?cursor=x',
      'nonsense://',
      `/v1/apps/${APP}/customerReviews`,
    ]) {
      apple.end({ http: 200, body: { data: [], links: { self: '', next } } });
      assert.ok((await failure(bench.channel.poll!(undefined, signal))) instanceof RetryableError, next);
    }
    apple.end({
      http: 200,
      body: {
        data: [],
        links: { self: '', next: `https://evil.example.com/v1/apps/${APP}/customerReviews?cursor=0.0` },
      },
    });
    const before = apple.calls.length;
    await bench.poll();
    assert.equal(apple.calls.length, before + 2, 'only the query of an address counts');
  });

  it('that were deleted are marked so, once Apple says so by name', async () => {
    for (const id of ['kept', 'deleted', 'hidden']) write(id);
    await bench.poll();
    apple.reviews.delete('deleted');
    tick(DAY);
    const before = apple.calls.length;
    await bench.poll();
    await bench.poll();
    assert.deepEqual(
      paths()
        .slice(before)
        .map((path) => path.split('?')[0]!.split('/').at(-1)),
      ['customerReviews', 'deleted', 'customerReviews'],
    );
    assert.deepEqual((await outcomes()).slice(3), ['revised']);
    const hidden = apple.reviews.get('hidden')!;
    const all = { data: [], links: { self: '' } };
    apple.end({ http: 200, body: all }, { http: 500 });
    await assert.rejects(bench.poll(), RetryableError);
    apple.end({ http: 200, body: all }, { http: 400 });
    await assert.rejects(bench.poll(), PermanentError);
    assert.deepEqual((await outcomes()).length, 4, 'a failure is no deletion');
    apple.end({ http: 200, body: all });
    await bench.poll();
    assert.equal(hidden.body, 'It crashes');
    assert.deepEqual((await outcomes()).length, 4, 'neither is a list that leaves something out');
  });

  it('beyond those that a pass reads are not taken for deleted', async () => {
    for (let i = 0; i < 1200; i++) write(`r${i}`, { at: apple.now - 2 * DAY - i * 1000 });
    const { out } = bench;
    const ids: string[] = [];
    const read = async () => {
      for (;;) {
        const page = await bench.channel.poll!(bench.cursor, signal);
        bench.cursor = page.cursor;
        ids.push(...page.items.map(({ body }) => body.toString().slice(0, 60)));
        if (!page.more) return;
      }
    };
    await read();
    assert.equal(ids.length, 1200);
    tick(HOUR);
    for (let i = 0; i < 10; i++) write(`n${i}`);
    const before = apple.calls.length;
    await read();
    assert.equal(ids.length, 1210);
    assert.equal(apple.calls.length - before, 5, 'a thousand in five pages, and none asked for by name');
    assert.ok(bench.cursor!.length < 200_000 && out);
  });

  it('that can’t be read are set aside once, and hold up no other', async () => {
    const body = { data: [{ type: 'customerReviews', id: 'r7' }], links: { self: '' } };
    apple.end({ http: 200, body }, { http: 200, body });
    assert.deepEqual([await bench.poll(), await bench.poll()], [1, 0]);
    assert.deepEqual(await outcomes(), ['quarantined']);
    await bench.poll();
    assert.ok(!paths().some((path) => path.startsWith('/v1/customerReviews/')));
  });

  describe('an answer', () => {
    const first = async () => {
      write('r1');
      await bench.poll();
      return (await bench.tickets())[0]!.id;
    };
    const shown = async (ticketId: string) =>
      (await bench.messages(ticketId))
        .filter(({ direction }) => direction === 'outbound')
        .map(({ text, delivery, deletedAt }) => [text, deletedAt === null ? delivery!.state : 'deleted']);

    it('goes below the review once, and is delivered once Apple has published it', async () => {
      const ticketId = await first();
      await bench.answer(ticketId, 'Update to 1.3, please.');
      assert.equal(apple.reviews.get('r1')!.answer!.text, 'Update to 1.3, please.');
      await bench.poll();
      assert.deepEqual(await shown(ticketId), [['Update to 1.3, please.', 'sent']]);
      apple.reviews.get('r1')!.answer!.state = 'PUBLISHED';
      await bench.poll();
      assert.deepEqual(await shown(ticketId), [['Update to 1.3, please.', 'delivered']]);
      assert.equal((await bench.messages())[0]!.revision, apple.now - (apple.now % 1000), 'the review is the same');
    });

    it('takes the place of the one before it, and the ticket says so', async () => {
      const ticketId = await first();
      await bench.answer(ticketId, 'Update, please.');
      await bench.answer(ticketId, 'Update to 1.3, please.');
      assert.deepEqual(
        (await shown(ticketId)).map(([, state]) => state),
        ['replaced', 'sent'],
      );
      tick(MINUTE);
      apple.reviews.get('r1')!.answer = { id: 'x', text: 'From the console', at: apple.now, state: 'PUBLISHED' };
      await bench.poll();
      assert.deepEqual(
        (await shown(ticketId)).map(([, state]) => state),
        ['replaced', 'replaced', 'delivered'],
      );
      delete apple.reviews.get('r1')!.answer;
      await bench.poll();
      assert.deepEqual((await shown(ticketId)).at(-1), ['From the console', 'deleted']);
    });

    it('whose confirmation was lost goes out again and is still one', async () => {
      const ticketId = await first();
      apple.end('lost');
      await bench.answer(ticketId, 'Update, please.');
      assert.equal(apple.calls.filter(({ method }) => method === 'POST').length, 2);
      assert.deepEqual(await shown(ticketId), [['Update, please.', 'sent']]);
    });

    it('is public, and refused where it can’t stand there', async () => {
      const ticketId = await first();
      const [way] = await bench.out.desk.replyChannels(ticketId);
      assert.deepEqual([way!.public, way!.longest, way!.replaces], [true, 5970, true]);
      await assert.rejects(bench.answer(ticketId, 'x'.repeat(5971)), /takes 5970/);
      const { reply } = bench.channel;
      const message = { text: 'x', attachments: [] };
      const given = { thread: 'r1', sent: [], partSent: () => assert.fail('nothing went out') };
      for (const rest of [
        { thread: undefined },
        { message: { text: ' ', attachments: [] } },
        { message: { text: 'x'.repeat(5971), attachments: [] } },
        { message: { text: 'x', attachments: [{}] } },
        { thread: 'unknown' },
      ]) {
        const error = await failure(reply!({ ...given, message, ...rest } as never));
        assert.ok(error instanceof PermanentError, JSON.stringify(rest).slice(0, 60));
      }
      assert.equal(apple.calls.filter(({ method }) => method === 'POST').length, 1, 'only Apple knows the last one');
      await reply!({ ...given, message, sent: [{ externalId: 'r1/answer' }] } as never);
      assert.equal(apple.reviews.get('r1')!.answer, undefined, 'it went out in an earlier try');
    });
  });

  describe('access', () => {
    it('is by one token for a quarter of an hour, and by a new one before it ends', async () => {
      await bench.channel.test!();
      tick(13 * MINUTE);
      assert.match(await bench.channel.test!(), /has no reviews/);
      tick(1.5 * MINUTE);
      write('r1');
      assert.match(await bench.channel.test!(), /has reviews/);
      tick(-DAY);
      await bench.channel.test!();
      assert.deepEqual(new Set(apple.calls.map(({ token }) => token)).size, 3, 'also where the clock was set back');
    });

    for (const [ahead, isTaken] of [
      [110_000, true],
      [-14 * MINUTE, true],
      [3 * MINUTE, false],
      [-16 * MINUTE, false],
    ] as const) {
      it(`is ${isTaken ? 'given' : 'refused with a hint'} when our clock is ${ahead / 1000} s ahead`, async () => {
        apple.now = bench.out.clock.now() - ahead;
        if (isTaken) return void (await bench.channel.test!());
        const error = await failure(bench.channel.test!());
        assert.ok(error instanceof AuthExpiredError);
        assert.match(error.hint!, /clock/);
      });
    }

    it('is by the key of a person where there is no issuer', async () => {
      apple.personal = true;
      await openAnew({ key: { ...KEY, issuerId: undefined } });
      await bench.channel.test!();
    });

    const error = (code: string) => ({ errors: [{ status: '4', code, title: code, detail: 'In detail' }] });
    for (const [what, ending, kind, about] of [
      ['a quota', { http: 429, body: error('RATE_LIMIT_EXCEEDED') }, RateLimitedError, 900_000],
      [
        'a pause',
        { http: 429, body: error('RATE_LIMIT_EXCEEDED'), headers: { 'retry-after': '77' } },
        RateLimitedError,
        77_000,
      ],
      ['no permission', { http: 403, body: error('FORBIDDEN_ERROR') }, AuthExpiredError, /role Customer Support/],
      ['a revoked key', { http: 401, body: error('NOT_AUTHORIZED') }, AuthExpiredError, /revoked/],
      ['an unknown app', { http: 404, body: error('NOT_FOUND') }, PermanentError, undefined],
      ['a failure', { http: 503, body: {} }, RetryableError, undefined],
      ['nonsense', { http: 200, body: { data: 'none' } }, RetryableError, undefined],
    ] as const) {
      it(`says what ${what} means`, async () => {
        apple.end(ending);
        const thrown = await failure(bench.channel.poll!(undefined, signal));
        assert.ok(thrown instanceof kind, thrown.constructor.name);
        if (thrown instanceof RateLimitedError) assert.equal(thrown.retryAfterMs, about);
        if (about instanceof RegExp) assert.match(thrown.hint!, about);
      });
    }

    it('is not opened with what is no key, no app, or neither key nor countries', () => {
      const parse = (rest: object) => appStore.config.safeParse({ app: APP, ...rest }).success;
      assert.ok(parse({ key: KEY }) && parse({ countries: ['ua'] }));
      assert.ok(!parse({}) && !parse({ key: KEY, countries: ['ua'] }) && !parse({ countries: ['UA'] }));
      const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
        type: 'pkcs8',
        format: 'pem',
      });
      for (const bad of [{ privateKey: 'no key' }, { privateKey: rsa }, { keyId: 'short' }, { issuerId: 'me' }]) {
        assert.ok(!parse({ key: { ...KEY, ...bad } }), JSON.stringify(bad).slice(0, 40));
      }
      assert.ok(!parse({ app: 'kettle', key: KEY }));
    });
  });

  describe('in the public feed', () => {
    const entry = (id: string, rest: object = {}) => ({
      id: { label: id },
      author: { name: { label: `nick ${id}` }, uri: { label: 'https://itunes.apple.com/ua/reviews/id1' } },
      updated: { label: new Date(apple.now).toISOString().replace('Z', '+00:00') },
      'im:rating': { label: '3' },
      'im:version': { label: '1.2.3' },
      title: { label: 'Hm' },
      content: { label: 'It crashes', attributes: { type: 'text' } },
      ...rest,
    });
    beforeEach(() => openAnew({ countries: ['ua', 'us'] }));

    it('come from each country, page by page while there is news, once', async () => {
      apple.feeds.set('ua 1', [{ 'im:name': { label: 'Kettle' } }, entry('1'), entry('2')]);
      apple.feeds.set('ua 2', [entry('3')]);
      apple.feeds.set('us 1', [entry('4', { updated: { label: '2020-01-01T10:00:00-07:00' } })]);
      assert.equal(await bench.poll(), 3);
      const pages = () =>
        paths().map((path) => /^\/(..)\/rss\/customerreviews\/page=(\d+)/.exec(path)!.slice(1).join(''));
      assert.deepEqual(pages(), ['ua1', 'ua2', 'ua3', 'us1']);
      assert.equal(await bench.poll(), 0);
      assert.deepEqual(pages().slice(4), ['ua1', 'us1']);
      tick(HOUR);
      apple.feeds.set('ua 1', [entry('1', { content: { label: 'Repaired' } }), { id: 7 }]);
      assert.equal(await bench.poll(), 2);
      await bench.poll();
      assert.deepEqual((await outcomes()).sort(), [
        'quarantined',
        'revised',
        ...Array<string>(3).fill('ticket_created'),
      ]);
    });

    it('can’t be answered, and says why', async () => {
      apple.feeds.set('ua 1', [entry('1')]);
      assert.match(await bench.channel.test!(), /in ua: 1/);
      await bench.poll();
      const [ticket] = await bench.tickets();
      const [message] = await bench.messages();
      assert.deepEqual(
        [message!.fields['territory'], message!.fields['app_version'], message!.review!.rating],
        ['UA', '1.2.3', 3],
      );
      await assert.rejects(bench.answer(ticket!.id, 'x'), /takes no answers: set a key/);
      assert.ok((await failure(bench.channel.reply!({} as never))) instanceof PermanentError);
    });

    it('are asked for again where what came is no feed', async () => {
      apple.end({ http: 200, body: { page: 'maintenance' } });
      assert.ok((await failure(bench.channel.poll!(undefined, signal))) instanceof RetryableError);
    });
  });
});
