import assert from 'node:assert/strict';
import { trustpilot } from '../src/connectors/trustpilot/trustpilot.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../src/core/errors.ts';
import { openReviews } from './fakes/reviews.ts';
import type { Bench } from './fakes/reviews.ts';
import { AUTHOR, KEYS, refusal, startTrustpilot, UNIT, USER } from './fakes/trustpilot.ts';
import type { FakeReview, FakeTrustpilot } from './fakes/trustpilot.ts';
import { readTrustpilot } from './fakes/trustpilot-description.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const { signal } = new AbortController();

describe('reviews on Trustpilot, against a stand-in that keeps to Trustpilot’s pages', () => {
  let vendor: FakeTrustpilot;
  let bench: Bench;
  beforeEach(async () => {
    vendor = await startTrustpilot();
    bench = await open();
    tick();
  });
  afterEach(async () => {
    await bench.close();
    await vendor.close();
    assert.deepEqual(vendor.violations, []);
  });

  const open = (settings: object = { author: AUTHOR }) =>
    openReviews((context) => {
      const config = { businessUnit: UNIT, ...KEYS, apiRoot: vendor.root, ...settings };
      return trustpilot.open(trustpilot.config.parse(config), context);
    });
  async function reopen(settings: object): Promise<void> {
    await bench.close();
    bench = await open(settings);
    tick();
  }
  /** Trustpilot's clock is ours. */
  function tick(ms = 0): void {
    bench.out.clock.jump(ms);
    vendor.now = bench.out.clock.now();
  }
  function write(id: string, rest: Partial<FakeReview> = {}): FakeReview {
    const review = { title: 'Slow', text: 'It took weeks', stars: 2, createdAt: vendor.now, ...rest };
    vendor.reviews.set(id, review);
    return review;
  }
  const many = (count: number, at = vendor.now, name = 'r') => {
    for (let i = 0; i < count; i++) write(`${name}${i}`, { createdAt: at - i * 1000 });
  };
  const edit = (id: string, rest: Partial<FakeReview>): void => {
    tick(MINUTE);
    Object.assign(vendor.reviews.get(id)!, { updatedAt: vendor.now, ...rest });
  };
  const gets = () => vendor.calls.filter(({ method }) => method === 'GET').map(({ path }) => path);
  const pages = () => gets().flatMap((path) => new URLSearchParams(path.split('?')[1]).getAll('page'));
  const looks = () => gets().flatMap((path) => path.split('/private/reviews/')[1] ?? []);
  const outcomes = async () => (await bench.events()).map(({ outcome }) => outcome);
  async function failure(work: Promise<unknown> | undefined): Promise<TributaryError> {
    const error = await Promise.resolve(work).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.doesNotMatch(all, /hush|tp\.\d/, 'a secret is in the error');
    return error;
  }

  it('are one message each, however often they are read', async () => {
    write('a1', { more: { referenceId: 'order-7', referralEmail: 'olena@example.com' } });
    for (let i = 0; i < 100; i++) {
      // Likes come and go without a word of the author's.
      vendor.reviews.get('a1')!.more = {
        ...{ referenceId: 'order-7', referralEmail: 'olena@example.com', numberOfLikes: i },
        location: { id: 'l1', name: 'Main street', urlFormattedName: 'main' },
      };
      await bench.poll();
      tick(15 * MINUTE);
    }
    const [message, ...more] = await bench.messages();
    assert.equal(more.length, 0);
    assert.deepEqual(await outcomes(), ['ticket_created'], 'what has not changed is not even handed over');
    const { review, text, subject, externalId, fields } = message!;
    assert.deepEqual([externalId, subject, text], ['a1', 'Slow', 'It took weeks']);
    assert.deepEqual(
      [review!.rating, review!.maxRating, review!.product, review!.order, review!.language, review!.url],
      [2, 5, 'Kettles', 'order-7', 'en', 'https://www.trustpilot.com/reviews/a1'],
    );
    assert.deepEqual(fields, { location: 'Main street', verified: 'yes' });
  });

  it('have a revision for each edit, of words or stars', async () => {
    write('a1');
    await bench.poll();
    const [ticket] = await bench.tickets();
    await bench.out.desk.updateTicket(ticket!.id, { status: 'solved' }, 'user:usr_1');
    for (const change of [{ text: 'It took months' }, { stars: 1 }, { title: 'Solved', stars: 5 }]) {
      edit('a1', change);
      await bench.poll();
    }
    assert.deepEqual(await outcomes(), ['ticket_created', 'revised', 'revised', 'revised']);
    const [message] = await bench.messages();
    assert.deepEqual([message!.subject, message!.review!.rating, message!.revision], ['Solved', 5, vendor.now]);
    assert.equal((await bench.tickets())[0]!.status, 'open', 'an author who writes again is heard');
  });

  it('have a revision also where Trustpilot tells no time of the edit', async () => {
    write('a1');
    await bench.poll();
    tick(MINUTE);
    vendor.reviews.get('a1')!.text = 'It took months';
    await bench.poll();
    const [message] = await bench.messages();
    assert.deepEqual([message!.text, message!.revision], ['It took months', vendor.now]);
  });

  it('of one person are those of one customer', async () => {
    const consumer = { id: 'c7', displayName: 'Olena' };
    write('a1', { more: { consumer } });
    write('a2', { more: { consumer } });
    write('a3');
    await bench.poll();
    const customers = (await bench.tickets()).map(({ customer }) => customer.id);
    assert.equal(new Set(customers).size, 2);
  });

  it('come page by page, within the smallest plan', async () => {
    many(250);
    const began = bench.out.clock.now();
    const { items } = await bench.channel.poll!(undefined, signal);
    assert.match(items[0]!.body.toString(), /"id":"r99"/, 'the oldest of a page is filed first');
    assert.equal(await bench.poll(), 250);
    assert.deepEqual(pages(), ['1', '1', '2', '3', '4'], 'the empty one is the last');
    assert.ok(bench.out.clock.now() - began >= 3000, 'it rests between pages');
    const before = gets().length;
    for (let i = 0; i < 96; i++) {
      tick(15 * MINUTE);
      assert.equal(await bench.poll(), 0);
    }
    const aDay = gets().length - before;
    assert.ok(aDay * 365 < 200_000 / 4, `${aDay} calls a day`);
    assert.equal(bench.channel.pollEveryMs, 15 * MINUTE);
  });

  it('that are old are looked at every six hours, up to 2,000 of them', async () => {
    /** A pass, without filing what it brings. */
    async function pass(): Promise<number> {
      for (let count = 0; ;) {
        const polling = bench.channel.poll!(bench.cursor, signal);
        let isOver = false;
        void polling.finally(() => (isOver = true));
        while (!isOver) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          if (bench.out.clock.sleepers > 0) await bench.out.clock.advance(1000);
        }
        const { items, cursor, more } = await polling;
        bench.cursor = cursor;
        count += items.length;
        if (!more) return count;
      }
    }
    many(2300);
    assert.equal(await pass(), 2300);
    tick(HOUR);
    edit('r1500', { text: 'It took months' });
    assert.equal(await pass(), 0);
    tick(6 * HOUR);
    const before = pages().length;
    assert.equal(await pass(), 1);
    assert.equal(pages().length - before, 20);
    assert.deepEqual(looks(), [], 'what was not read is not missed');
    bench.out.clock.jump(-DAY);
    assert.equal(await pass(), 0);
    assert.equal(pages().length - before, 40, 'a clock that was set back makes no rest of days');
  });

  it('from before the first week are no news', async () => {
    many(150, vendor.now - 8 * DAY);
    write('new');
    assert.equal(await bench.poll(), 1);
  });

  it('of a week of downtime come afterwards, however many', async () => {
    write('before');
    await bench.poll();
    tick(DAY);
    await bench.poll();
    tick(7 * DAY);
    many(330);
    assert.equal(await bench.poll(), 330);
    assert.deepEqual(new Set(await outcomes()), new Set(['ticket_created']));
  });

  it('come again with a page that was not stored, and are known then', async () => {
    many(3);
    await bench.poll();
    bench.cursor = undefined;
    assert.equal(await bench.poll(), 3);
    assert.deepEqual((await outcomes()).slice(3), ['duplicate', 'duplicate', 'duplicate']);
  });

  it('that were deleted are marked so, once Trustpilot says so by name', async () => {
    many(3);
    write('gone', { createdAt: vendor.now - 1500 });
    await bench.poll();
    vendor.reviews.delete('gone');
    await bench.poll();
    await bench.poll();
    assert.deepEqual(looks(), ['gone']);
    const deleted = [];
    for (const ticket of await bench.tickets()) {
      for (const one of await bench.messages(ticket.id)) if (one.deletedAt !== null) deleted.push(one.externalId);
    }
    assert.deepEqual(deleted, ['gone']);
    // Hidden from the list for a while, they are neither deleted nor asked for again and again.
    const before = await outcomes();
    vendor.end({ http: 200, body: { reviews: [] } });
    await bench.poll();
    assert.deepEqual(await outcomes(), before);
    await bench.poll();
    assert.deepEqual((await outcomes()).slice(before.length), ['duplicate', 'duplicate', 'duplicate']);
    vendor.reviews.delete('r1');
    vendor.end(undefined, { http: 500 });
    await assert.rejects(bench.poll(), RetryableError);
    vendor.end(undefined, { http: 400 });
    await assert.rejects(bench.poll(), PermanentError);
    assert.equal((await outcomes()).length, before.length + 3, 'a failure is no deletion');
  });

  it('that can’t be read are set aside once, and hold up no other', async () => {
    const body = { reviews: [{ id: 7 }, { id: 'x', stars: 1, createdAt: 'yesterday' }] };
    for (const count of [2, 0]) {
      vendor.end({ http: 200, body }, { http: 200, body: { reviews: [] } });
      assert.equal(await bench.poll(), count);
    }
    write('a1');
    await bench.poll();
    assert.deepEqual((await outcomes()).sort(), ['quarantined', 'quarantined', 'ticket_created']);
  });

  describe('an answer', () => {
    const first = async () => {
      write('a1');
      await bench.poll();
      return (await bench.tickets())[0]!.id;
    };
    const reply = () => vendor.reviews.get('a1')!.reply;
    const posts = () => vendor.calls.filter(({ method }) => method === 'POST');
    const shown = async (ticketId: string) =>
      (await bench.messages(ticketId))
        .filter(({ direction }) => direction === 'outbound')
        .map(({ text, delivery, deletedAt }) => [text, deletedAt === null ? delivery!.state : 'deleted']);

    it('goes below the review once, in the name of its author, and is known when it is read there', async () => {
      const ticketId = await first();
      await bench.answer(ticketId, 'Sorry.');
      assert.deepEqual(
        posts().map(({ path, body }) => [path, body]),
        [['/v1/private/reviews/a1/reply', { authorBusinessUserId: AUTHOR, message: 'Sorry.' }]],
      );
      for (let i = 0; i < 20; i++) await bench.poll();
      assert.deepEqual(await shown(ticketId), [['Sorry.', 'sent']]);
      assert.deepEqual((await outcomes()).slice(1), ['duplicate', 'duplicate']);
    });

    it('takes the place of the one before it, and the ticket says so', async () => {
      const ticketId = await first();
      await bench.answer(ticketId, 'Sorry.');
      await bench.answer(ticketId, 'Sorry, it is on its way.');
      assert.equal(reply()!.text, 'Sorry, it is on its way.');
      assert.deepEqual(
        (await shown(ticketId)).map(([, state]) => state),
        ['replaced', 'sent'],
      );
      vendor.reviews.get('a1')!.reply = { text: 'From Trustpilot', at: vendor.now };
      await bench.poll();
      assert.deepEqual(
        (await shown(ticketId)).map(([, state]) => state),
        ['replaced', 'replaced', 'sent'],
      );
      delete vendor.reviews.get('a1')!.reply;
      await bench.poll();
      assert.deepEqual((await shown(ticketId)).at(-1), ['From Trustpilot', 'deleted']);
    });

    it('whose confirmation was lost is looked for, and not given twice', async () => {
      const ticketId = await first();
      vendor.end(undefined, 'lost');
      await bench.answer(ticketId, 'Sorry.');
      assert.equal(posts().length, 1);
      assert.deepEqual(await shown(ticketId), [['Sorry.', 'sent']]);
    });

    it('is public, and refused where it can’t stand there', async () => {
      const ticketId = await first();
      const [way] = await bench.out.desk.replyChannels(ticketId);
      assert.deepEqual([way!.public, way!.replaces], [true, true]);
      const message = { text: 'x', attachments: [] };
      const given = { thread: 'a1', sent: [], partSent: () => assert.fail('nothing went out') };
      for (const rest of [
        { thread: undefined },
        { message: { text: ' ', attachments: [] } },
        { message: { text: 'x', attachments: [{}] } },
        { thread: 'unknown' },
      ]) {
        const error = await failure(bench.channel.reply!({ ...given, message, ...rest } as never));
        assert.ok(error instanceof PermanentError, JSON.stringify(rest));
      }
      await bench.channel.reply!({ ...given, message, sent: [{ externalId: 'a1/answer' }] } as never);
      assert.deepEqual(posts(), [], 'it went out in an earlier try');
    });

    it('needs somebody whose it is', async () => {
      const allowed = () => bench.channel.canReply!({} as never);
      assert.equal((await allowed()).allowed, true);
      await reopen({});
      assert.match((await allowed()).reason!, /author or user/);
      await reopen({ user: USER });
      assert.equal((await allowed()).allowed, true);
      const ticketId = await first();
      await bench.answer(ticketId, 'Sorry.');
      assert.deepEqual(posts()[0]!.body, { message: 'Sorry.' });
      assert.equal(vendor.forms.at(-1)!['username'], USER.email);
    });
  });

  describe('access', () => {
    it('is asked for once, kept for a hundred hours, and asked for again when Trustpilot takes it back', async () => {
      await Promise.all([bench.channel.test!(), bench.channel.test!()]);
      assert.equal(vendor.granted, 1);
      assert.deepEqual(vendor.forms, [{ grant_type: 'client_credentials' }]);
      tick(99 * HOUR);
      assert.match(await bench.channel.test!(), /has no reviews/);
      assert.equal(vendor.granted, 1);
      tick(HOUR);
      await bench.channel.test!();
      assert.equal(vendor.granted, 2);
      vendor.revoked.add('tp.2');
      write('a1');
      assert.match(await bench.channel.test!(), /has reviews/);
      assert.equal(vendor.granted, 3);
    });

    for (const settings of [{ apiSecret: 'hush-other' }, { user: { ...USER, password: 'hush-other' } }]) {
      it(`waits for a person where ${Object.keys(settings)[0]} is wrong`, async () => {
        await reopen(settings);
        const error = await failure(bench.channel.poll!(undefined, signal));
        assert.ok(error instanceof AuthExpiredError);
        assert.match(error.hint!, /apiKey and apiSecret/);
      });
    }

    it('that can’t be had for a while is tried again', async () => {
      for (const ending of [{ http: 503 }, { http: 200, body: { token: 'none' } }]) {
        vendor.endToken(ending);
        assert.ok((await failure(bench.channel.test!())) instanceof RetryableError);
      }
    });

    for (const [what, ending, kind, about] of [
      ['a quota', refusal(429, 'Too many'), RateLimitedError, 300_000],
      ['a plan without the API', refusal(403, 'Forbidden'), AuthExpiredError, /plan/],
      ['an unknown business unit', refusal(404, 'Not found'), PermanentError, undefined],
      ['a failure', { status: 500, body: {} }, RetryableError, undefined],
      ['nonsense', { status: 200, body: { reviews: 'none' } }, RetryableError, undefined],
    ] as const) {
      it(`says what ${what} means`, async () => {
        vendor.end({ http: ending.status, body: ending.body });
        const error = await failure(bench.channel.poll!(undefined, signal));
        assert.ok(error instanceof kind, error.constructor.name);
        if (error instanceof RateLimitedError) assert.equal(error.retryAfterMs, about);
        if (about instanceof RegExp) assert.match(error.hint!, about);
      });
    }

    it('rests as long as Trustpilot says, in its words', async () => {
      const body = { fault: { faultstring: 'Rate limit quota violation' } };
      vendor.end({ http: 429, body, headers: { 'retry-after': '77' } });
      const error = await failure(bench.channel.poll!(undefined, signal));
      assert.ok(error instanceof RateLimitedError);
      assert.equal(error.retryAfterMs, 77_000);
      assert.match(error.message, /quota violation/);
    });
  });

  it('are asked for with what can be a business unit', () => {
    const good = { businessUnit: UNIT, ...KEYS };
    assert.ok(trustpilot.config.safeParse(good).success);
    for (const bad of [
      { businessUnit: 'kettles.example.com' },
      { author: 'Olena' },
      { token: 'short' },
      { user: { email: 'desk@example.com' } },
    ]) {
      assert.ok(!trustpilot.config.safeParse({ ...good, ...bad }).success, JSON.stringify(bad));
    }
  });

  it('are checked against a closed world, on either side', () => {
    const description = readTrustpilot();
    const list = `/v1/private/business-units/${UNIT}/reviews`;
    for (const asked of [
      { method: 'GET', path: `${list}?perPage=101` },
      { method: 'GET', path: `${list}?orderBy=updatedat.desc` },
      { method: 'GET', path: `${list}?pageToken=1` },
      { method: 'POST', path: '/v1/private/reviews/a1/reply', body: { text: 'x' } },
    ]) {
      assert.notDeepEqual(description.request(asked), [], asked.path);
    }
    assert.notDeepEqual(description.response({ method: 'GET', path: list }, 200, { reviews: [{}] }), []);
  });
});
