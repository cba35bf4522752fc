import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { googlePlay } from '../src/connectors/google-play/google-play.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../src/core/errors.ts';
import type { Description } from './fakes/openapi.ts';
import { APP, readGooglePlay, SERVICE_ACCOUNT, startGooglePlay } from './fakes/google-play.ts';
import type { FakeGooglePlay, FakeReview } from './fakes/google-play.ts';
import { openReviews } from './fakes/reviews.ts';
import type { Bench } from './fakes/reviews.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const signal = new AbortController().signal;

describe('reviews on Google Play, against a stand-in that keeps to Google’s description', () => {
  let play: FakeGooglePlay;
  let bench: Bench;
  let description: Description | undefined;
  before(() => {
    description = readGooglePlay();
  });
  beforeEach(async () => {
    play = await startGooglePlay(description);
    bench = await open();
    tick();
  });
  afterEach(async () => {
    await bench.close();
    await play.close();
    assert.deepEqual(play.violations, []);
  });

  const open = (settings: object = {}) =>
    openReviews((context) => {
      const account = { app: APP, serviceAccount: SERVICE_ACCOUNT, apiRoot: play.root, tokenUrl: play.tokenUrl };
      return googlePlay.open(googlePlay.config.parse({ ...account, ...settings }), context);
    });
  /** Google's clock is ours. */
  function tick(ms = 0): void {
    bench.out.clock.jump(ms);
    play.now = bench.out.clock.now();
  }
  function write(id: string, rest: Partial<FakeReview> = {}): FakeReview {
    const review = {
      reviewId: id,
      authorName: `Author of ${id}`,
      text: 'It crashes',
      rating: 2,
      at: play.now,
      ...rest,
    };
    play.reviews.set(id, review);
    return review;
  }
  const edit = (id: string, rest: Partial<FakeReview>): void => {
    tick(MINUTE);
    Object.assign(play.reviews.get(id)!, { at: play.now, ...rest });
  };
  const gets = () => play.calls.filter(({ method, path }) => method === 'GET' && path.includes('/reviews'));
  const outcomes = async () => (await bench.events()).map(({ outcome }) => outcome);
  async function failure(work: Promise<unknown> | undefined): Promise<TributaryError> {
    const error = await Promise.resolve(work).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.doesNotMatch(all, /PRIVATE KEY|ya29\.|eyJ/, 'a secret is in the error');
    return error;
  }

  it('are one message each, however often they are read', async () => {
    write('r1', { more: { reviewerLanguage: 'uk', appVersionName: '1.2.3' } });
    for (let i = 0; i < 100; i++) {
      // Thumbs go up and down without a word of the author's.
      write('r1', {
        ...play.reviews.get('r1')!,
        more: { reviewerLanguage: 'uk', appVersionName: '1.2.3', thumbsUpCount: i },
      });
      await bench.poll();
      tick(10 * MINUTE);
    }
    const [message, ...more] = await bench.messages();
    assert.equal(more.length, 0);
    assert.deepEqual(await outcomes(), ['ticket_created'], 'what has not changed is not even handed over');
    const { review, text, verified, fields } = message!;
    assert.deepEqual(
      [text, review?.rating, review?.product, review?.language, verified],
      ['It crashes', 2, APP, 'uk', true],
    );
    assert.equal(fields['app_version'], '1.2.3');
  });

  it('have a revision for each edit, of words or stars', async () => {
    write('gp:AOqpTOE_1', { text: 'Bad title\tIt crashes' });
    await bench.poll();
    const [ticket] = await bench.tickets();
    await bench.out.desk.updateTicket(ticket!.id, { status: 'solved' }, 'user:usr_1');
    for (const change of [{ text: 'It crashes still' }, { rating: 1 }, { text: 'Repaired, thanks', rating: 5 }]) {
      edit('gp:AOqpTOE_1', change);
      await bench.poll();
    }
    assert.deepEqual(await outcomes(), ['ticket_created', 'revised', 'revised', 'revised']);
    const [message] = await bench.messages();
    assert.deepEqual([message!.text, message!.review!.rating, message!.revision], ['Repaired, thanks', 5, play.now]);
    const [after] = await bench.tickets();
    assert.deepEqual([after!.status, after!.subject], ['open', 'Bad title'], 'an author who writes again is heard');
  });

  it('come page by page, within what Google allows in an hour', async () => {
    for (let i = 0; i < 250; i++) write(`r${i}`, { at: play.now - i * 1000 });
    const began = bench.out.clock.now();
    assert.equal(await bench.poll(), 250);
    const tokens = gets().map(({ path }) => new URLSearchParams(path.split('?')[1]).get('token'));
    assert.deepEqual(tokens, [null, '0:100', '0:200']);
    assert.ok(bench.out.clock.now() - began >= 50_000, 'it rests between pages');
    assert.equal(new Set((await bench.tickets()).map(({ id }) => id)).size, 200, 'the list of tickets has pages too');
    // Six passes an hour; each GET counts, also those that look for what has gone.
    const perHour = Math.min(3_600_000 / 25_000, 6 * 3) + 6 * 5;
    assert.ok(perHour <= 200 && bench.channel.pollEveryMs === 10 * MINUTE);
    assert.equal(await bench.poll(), 0);
  });

  it('are read from the beginning again where Google has forgotten the page', async () => {
    for (let i = 0; i < 250; i++) write(`r${i}`, { at: play.now - i * 1000 });
    const { cursor } = await bench.channel.poll!(undefined, signal);
    bench.cursor = cursor;
    play.forgetPages();
    assert.equal(await bench.poll(), 150, 'what was handed over is not handed over again');
  });

  it('come again with a page that was not stored, and are known then', async () => {
    for (let i = 0; i < 3; i++) write(`r${i}`);
    await bench.poll();
    bench.cursor = undefined;
    assert.equal(await bench.poll(), 3);
    assert.deepEqual((await outcomes()).slice(3), ['duplicate', 'duplicate', 'duplicate']);
  });

  it('that were deleted are marked so, once Google says so by name', async () => {
    for (const id of ['kept', 'deleted', 'old']) write(id, id === 'old' ? { at: play.now - 6.6 * DAY } : {});
    await bench.poll();
    play.reviews.delete('deleted');
    tick(DAY);
    const before = gets().length;
    await bench.poll();
    await bench.poll();
    const asked = gets()
      .slice(before)
      .map(({ path }) => path.split('/reviews')[1]!);
    assert.deepEqual(asked, ['?maxResults=100', '/deleted', '?maxResults=100'], 'what left the window is not missed');
    const deleted = [];
    for (const ticket of await bench.tickets()) {
      for (const one of await bench.messages(ticket.id)) if (one.deletedAt !== null) deleted.push(one.externalId);
    }
    assert.deepEqual(deleted, ['deleted']);
    // Hidden from the list for a while, it is neither deleted nor asked for again and again.
    const hidden = play.reviews.get('kept')!;
    play.end({ http: 200, body: {} });
    await bench.poll();
    await bench.poll();
    assert.equal(hidden.text, 'It crashes');
    assert.deepEqual((await outcomes()).slice(3), ['revised', 'duplicate']);
    play.reviews.delete('kept');
    play.end({ http: 200, body: {} }, { http: 500 });
    await assert.rejects(bench.poll(), RetryableError);
    play.end({ http: 200, body: {} }, { http: 400 });
    await assert.rejects(bench.poll(), PermanentError);
    assert.deepEqual((await outcomes()).length, 5, 'a failure is no deletion');
  });

  it('of a downtime come afterwards; those that Google no longer shows are told of, once', async () => {
    write('before');
    await bench.poll();
    tick(6 * DAY);
    write('meanwhile');
    await bench.poll();
    assert.deepEqual(await outcomes(), ['ticket_created', 'ticket_created']);
    tick(HOUR);
    write('lost');
    tick(8 * DAY);
    write('after');
    await bench.poll();
    await bench.poll();
    const events = await bench.events();
    assert.deepEqual(
      events.slice(2).map(({ outcome }) => outcome),
      ['quarantined', 'ticket_created'],
    );
    const from = new Date(play.now - 8 * DAY - HOUR).toISOString();
    const to = new Date(play.now - 7 * DAY).toISOString();
    assert.ok(events[2]!.reason!.includes(`${from} to ${to}`), events[2]!.reason!);
    const state = await bench.out.store.write([], (tx) => tx.endpointState('shop'));
    assert.ok(state.quarantinedAt !== null, 'the channel’s health shows it');
  });

  it('that can’t be read are set aside once, and hold up no other', async () => {
    play.end({ http: 200, body: { reviews: [{ reviewId: 7 }, { reviewId: 'empty', comments: [] }] } });
    assert.equal(await bench.poll(), 2);
    play.end({ http: 200, body: { reviews: [{ reviewId: 7 }, { reviewId: 'empty', comments: [] }] } });
    assert.equal(await bench.poll(), 0);
    assert.deepEqual((await outcomes()).sort(), ['ignored', 'quarantined']);
  });

  it('are translated beside the words of their author', async () => {
    await bench.close();
    bench = await open({ translateTo: 'en' });
    tick();
    write('r1', { text: 'It crashes', more: { originalText: 'Падає', reviewerLanguage: 'uk' } });
    await bench.poll();
    assert.match(gets()[0]!.path, /translationLanguage=en/);
    const [message] = await bench.messages();
    assert.deepEqual([message!.text, message!.fields['translation']], ['Падає', 'It crashes']);
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

    it('goes below the review once, and is known when it is read there', async () => {
      const ticketId = await first();
      await bench.answer(ticketId, '<b>Update</b> to 1.3, please.');
      assert.equal(play.reviews.get('r1')!.answer!.text, 'Update to 1.3, please.');
      tick(MINUTE);
      await bench.poll();
      assert.deepEqual(await shown(ticketId), [['<b>Update</b> to 1.3, please.', 'sent']]);
      assert.deepEqual((await outcomes()).slice(1), ['duplicate', 'duplicate']);
    });

    it('takes the place of the one before it, and the ticket says so', async () => {
      const ticketId = await first();
      await bench.answer(ticketId, 'Update, please.');
      await bench.answer(ticketId, 'Update to 1.3, please.');
      assert.deepEqual(await shown(ticketId), [
        ['Update, please.', 'replaced'],
        ['Update to 1.3, please.', 'sent'],
      ]);
      tick(MINUTE);
      play.reviews.get('r1')!.answer = { text: 'From the console', at: play.now };
      await bench.poll();
      assert.deepEqual(
        (await shown(ticketId)).map(([, state]) => state),
        ['replaced', 'replaced', 'sent'],
      );
      tick(MINUTE);
      delete play.reviews.get('r1')!.answer;
      await bench.poll();
      assert.deepEqual((await shown(ticketId)).at(-1), ['From the console', 'deleted']);
    });

    it('whose confirmation was lost goes out again and is still one', async () => {
      const ticketId = await first();
      play.end('lost');
      await bench.answer(ticketId, 'Update, please.');
      const posts = play.calls.filter(({ path }) => path.endsWith(':reply'));
      assert.equal(posts.length, 2);
      assert.deepEqual(posts[0]!.body, { replyText: 'Update, please.' });
      assert.deepEqual(await shown(ticketId), [['Update, please.', 'sent']]);
    });

    it('is public, and refused before it is sent where it is too long', async () => {
      const ticketId = await first();
      const [way] = await bench.out.desk.replyChannels(ticketId);
      assert.deepEqual([way!.public, way!.longest, way!.replaces], [true, 350, true]);
      await assert.rejects(bench.answer(ticketId, 'x'.repeat(351)), /takes 350/);
      await bench.answer(ticketId, 'x'.repeat(350));
      assert.equal(play.reviews.get('r1')!.answer!.text.length, 350);
    });

    it('is refused where it can’t stand there', async () => {
      const { reply } = bench.channel;
      const message = { text: 'x', attachments: [] };
      const given = { thread: 'r1', sent: [], partSent: () => assert.fail('nothing went out') };
      const send = (rest: object) => failure(reply!({ ...given, message, ...rest } as never));
      write('r1');
      for (const rest of [
        { thread: undefined },
        { message: { text: ' ', attachments: [] } },
        { message: { text: 'x'.repeat(351), attachments: [] } },
        { message: { text: 'x', attachments: [{}] } },
        { thread: 'unknown' },
      ]) {
        assert.ok((await send(rest)) instanceof PermanentError, JSON.stringify(rest).slice(0, 60));
      }
      assert.equal(
        play.calls.filter(({ path }) => path.endsWith(':reply')).length,
        1,
        'only Google knows the last one',
      );
      await reply!({ ...given, message, sent: [{ externalId: 'r1/answer' }] } as never);
      assert.equal(play.reviews.get('r1')!.answer, undefined, 'it went out in an earlier try');
    });
  });

  describe('access', () => {
    it('is asked for once, kept while it is good, and asked for again when Google takes it back', async () => {
      await Promise.all([bench.channel.test!(), bench.channel.test!()]);
      assert.equal(play.granted, 1);
      tick(58 * MINUTE);
      await bench.channel.test!();
      assert.equal(play.granted, 1);
      tick(MINUTE);
      assert.match(await bench.channel.test!(), /com\.example\.kettle has no reviews/);
      assert.equal(play.granted, 2);
      play.revoked.add('ya29.2');
      write('r1');
      assert.match(await bench.channel.test!(), /has reviews/);
      assert.equal(play.granted, 3);
    });

    for (const [ahead, isTaken] of [
      [55_000, true],
      [-50 * MINUTE, true],
      [10 * MINUTE, false],
      [-2 * HOUR, false],
    ] as const) {
      it(`is ${isTaken ? 'given' : 'refused with a hint'} when our clock is ${ahead / 1000} s ahead`, async () => {
        play.now = bench.out.clock.now() - ahead;
        if (isTaken) return void (await bench.channel.test!());
        const error = await failure(bench.channel.test!());
        assert.ok(error instanceof AuthExpiredError);
        assert.match(error.hint!, /clock/);
      });
    }

    it('needs the account’s own key', async () => {
      const other = JSON.stringify({ ...(JSON.parse(SERVICE_ACCOUNT) as object), client_email: 'other@example.com' });
      await bench.close();
      bench = await open({ serviceAccount: other });
      tick();
      const error = await failure(bench.channel.poll!(undefined, signal));
      assert.ok(error instanceof AuthExpiredError);
      assert.match(error.hint!, /new key/);
    });

    for (const [what, ending, kind, about] of [
      [
        'a quota',
        { http: 403, body: { error: { message: 'Quota', errors: [{ reason: 'quotaExceeded' }] } } },
        RateLimitedError,
        900_000,
      ],
      [
        'a quota by name',
        { http: 429, body: { error: { message: 'Q', status: 'RESOURCE_EXHAUSTED' } } },
        RateLimitedError,
        900_000,
      ],
      ['a pause', { http: 429, body: { error: {} }, headers: { 'retry-after': '77' } }, RateLimitedError, 77_000],
      [
        'no permission',
        { http: 403, body: { error: { message: 'The caller does not have permission' } } },
        AuthExpiredError,
        /reply to reviews of com\.example/,
      ],
      [
        'an unknown app',
        { http: 404, body: { error: { message: 'No application was found' } } },
        PermanentError,
        undefined,
      ],
      ['a failure', { http: 503, body: {} }, RetryableError, undefined],
      ['nonsense', { http: 200, body: { reviews: 'none' } }, RetryableError, undefined],
    ] as const) {
      it(`says what ${what} means`, async () => {
        play.end(ending);
        const error = await failure(bench.channel.poll!(undefined, signal));
        assert.ok(error instanceof kind, error.constructor.name);
        if (error instanceof RateLimitedError) assert.equal(error.retryAfterMs, about);
        if (about instanceof RegExp) assert.match(error.hint!, about);
      });
    }

    it('is not opened with what is no key or no app', () => {
      const good = { app: APP, serviceAccount: SERVICE_ACCOUNT };
      assert.ok(googlePlay.config.safeParse(good).success);
      const none = JSON.stringify({ client_email: 'a@example.com', private_key: 'no key' });
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
      const ec = JSON.stringify({ client_email: 'a@example.com', private_key: pem });
      for (const bad of [
        { serviceAccount: '{}' },
        { serviceAccount: none },
        { serviceAccount: ec },
        { app: 'kettle' },
        { translateTo: 'english' },
      ]) {
        assert.ok(!googlePlay.config.safeParse({ ...good, ...bad }).success, JSON.stringify(bad));
      }
    });
  });
});
