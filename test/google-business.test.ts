import assert from 'node:assert/strict';
import { text as textOf } from 'node:stream/consumers';
import { isOfGoogle } from '../src/connectors/google-business/api.ts';
import { googleBusiness } from '../src/connectors/google-business/google-business.ts';
import { wordsOf } from '../src/connectors/google-business/review.ts';
import { AuthExpiredError, PermanentError, RetryableError, TributaryError } from '../src/core/errors.ts';
import { ACCOUNT, GRANT, SHOP, startGoogleBusiness, STATION } from './fakes/google-business.ts';
import type { FakeGoogleBusiness, FakeReview } from './fakes/google-business.ts';
import { openReviews } from './fakes/reviews.ts';
import type { Bench } from './fakes/reviews.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const { signal } = new AbortController();
const LOCATIONS = [
  { id: SHOP, name: 'The shop' },
  { id: STATION, name: 'At the station' },
];

describe('reviews on Google Business Profile, against a stand-in that keeps to Google’s pages', () => {
  let google: FakeGoogleBusiness;
  let bench: Bench;
  beforeEach(async () => {
    google = await startGoogleBusiness();
    bench = await open();
    tick();
  });
  afterEach(async () => {
    await bench.close();
    await google.close();
    assert.deepEqual(google.violations, []);
  });

  const open = (settings: object = {}) =>
    openReviews((context) => {
      const roots = { apiRoot: google.root, tokenUrl: google.tokenUrl };
      const config = { account: ACCOUNT, locations: LOCATIONS.slice(0, 1), ...GRANT, ...roots, ...settings };
      return googleBusiness.open(googleBusiness.config.parse(config), context);
    });
  async function reopen(settings: object): Promise<void> {
    await bench.close();
    bench = await open(settings);
    tick();
  }
  /** Google's clock is ours. */
  function tick(ms = 0): void {
    bench.out.clock.jump(ms);
    google.now = bench.out.clock.now();
  }
  function write(id: string, rest: Partial<FakeReview> = {}, location = SHOP): FakeReview {
    const review = { text: 'Slow service', rating: 2, createdAt: google.now, at: google.now, ...rest };
    google.reviews.get(location)!.set(id, review);
    return review;
  }
  const many = (count: number, at = google.now) => {
    for (let i = 0; i < count; i++) write(`r${i}`, { at: at - i * 1000, createdAt: at - i * 1000 });
  };
  const edit = (id: string, rest: Partial<FakeReview>): void => {
    tick(MINUTE);
    Object.assign(google.reviews.get(SHOP)!.get(id)!, { at: google.now, ...rest });
  };
  const gets = () =>
    google.calls.filter(({ method }) => method === 'GET').map(({ path }) => path.split('/reviews')[1]!);
  const outcomes = async () => (await bench.events()).map(({ outcome }) => outcome);
  async function failure(work: Promise<unknown> | undefined): Promise<TributaryError> {
    const error = await Promise.resolve(work).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.doesNotMatch(all, /hush|ya29\./, 'a secret is in the error');
    return error;
  }

  it('are one message each, however often they are read', async () => {
    write('r1');
    for (let i = 0; i < 100; i++) {
      // The author's picture has another address each time.
      const reviewer = { displayName: 'Olena', profilePhotoUrl: `https://lh3.googleusercontent.com/${i}` };
      google.reviews.get(SHOP)!.get('r1')!.more = { reviewer, reviewReplyUrl: 'https://business.google.com/r1' };
      await bench.poll();
      tick(10 * MINUTE);
    }
    const [message, ...more] = await bench.messages();
    assert.equal(more.length, 0);
    assert.deepEqual(await outcomes(), ['ticket_created'], 'what has not changed is not even handed over');
    const { review, text, verified, externalId } = message!;
    assert.deepEqual(
      [externalId, text, review?.rating, review?.maxRating, review?.product, review?.url, verified],
      [`${SHOP}/r1`, 'Slow service', 2, 5, 'The shop', 'https://business.google.com/r1', true],
    );
  });

  it('have a revision for each edit, of words or stars', async () => {
    write('r1');
    await bench.poll();
    const [ticket] = await bench.tickets();
    await bench.out.desk.updateTicket(ticket!.id, { status: 'solved' }, 'user:usr_1');
    for (const change of [{ text: 'Slow, and cold' }, { rating: 1 }, { text: 'They called me, thanks', rating: 5 }]) {
      edit('r1', change);
      await bench.poll();
    }
    assert.deepEqual(await outcomes(), ['ticket_created', 'revised', 'revised', 'revised']);
    const [message] = await bench.messages();
    assert.deepEqual(
      [message!.text, message!.review!.rating, message!.revision],
      ['They called me, thanks', 5, google.now],
    );
    assert.equal((await bench.tickets())[0]!.status, 'open', 'an author who writes again is heard');
    assert.equal((await bench.messages()).length, 1);
  });

  it('may have stars only', async () => {
    const { text: _text, ...rest } = write('r1', { more: { reviewReplyUrl: 'javascript:alert(1)' } });
    google.reviews.get(SHOP)!.set('r1', rest);
    await bench.poll();
    const [message] = await bench.messages();
    assert.deepEqual([message!.text, message!.review!.rating], ['', 2]);
    assert.equal(message!.review!.url, undefined, 'what is no address of a page is none');
  });

  it('come page by page, from the newest to where the first week begins', async () => {
    many(120);
    const began = bench.out.clock.now();
    assert.equal(await bench.poll(), 120);
    assert.deepEqual(
      gets().map((query) => new URLSearchParams(query).get('pageToken')),
      [null, '0:50', '0:100'],
    );
    assert.ok(bench.out.clock.now() - began >= 2000, 'it rests between pages');
    assert.equal(await bench.poll(), 0);
  });

  it('from before the first week are no news, and only the newest are looked at for what happens to them', async () => {
    many(300, google.now - 8 * DAY);
    write('new');
    assert.equal(await bench.poll(), 1);
    assert.equal(gets().length, 4, 'four pages, not all that there ever was');
  });

  it('of a week of downtime come afterwards, however many', async () => {
    write('before');
    await bench.poll();
    tick(7 * DAY);
    many(330);
    assert.equal(await bench.poll(), 330);
    assert.deepEqual(new Set(await outcomes()), new Set(['ticket_created']));
    assert.equal(await bench.poll(), 0);
  });

  it('are read from the beginning again where Google has forgotten the page', async () => {
    many(120);
    const { items, cursor } = await bench.channel.poll!(undefined, signal);
    assert.match(items[0]!.body.toString(), /"reviewId":"r49"/, 'the oldest of a page is filed first');
    bench.cursor = cursor;
    google.forgetPages();
    assert.equal(await bench.poll(), 70, 'what was handed over is not handed over again');
  });

  it('come again with a page that was not stored, and are known then', async () => {
    many(3);
    await bench.poll();
    bench.cursor = undefined;
    assert.equal(await bench.poll(), 3);
    assert.deepEqual((await outcomes()).slice(3), ['duplicate', 'duplicate', 'duplicate']);
  });

  it('that were deleted are marked so, once Google says so by name', async () => {
    for (const id of ['kept', 'deleted']) write(id);
    await bench.poll();
    google.reviews.get(SHOP)!.delete('deleted');
    const before = gets().length;
    await bench.poll();
    await bench.poll();
    assert.deepEqual(gets().slice(before), [
      '?pageSize=50&orderBy=updateTime+desc',
      '/deleted',
      '?pageSize=50&orderBy=updateTime+desc',
    ]);
    const deleted = [];
    for (const ticket of await bench.tickets()) {
      for (const one of await bench.messages(ticket.id)) if (one.deletedAt !== null) deleted.push(one.externalId);
    }
    assert.deepEqual(deleted, [`${SHOP}/deleted`]);
    // Hidden from the list for a while, it is neither deleted nor asked for again and again.
    google.end({ http: 200, body: {} });
    await bench.poll();
    await bench.poll();
    assert.deepEqual((await outcomes()).slice(2), ['revised', 'duplicate']);
    google.reviews.get(SHOP)!.delete('kept');
    google.end({ http: 200, body: {} }, { http: 500 });
    await assert.rejects(bench.poll(), RetryableError);
    google.end({ http: 200, body: {} }, { http: 403, body: { error: { message: 'No' } } });
    await assert.rejects(bench.poll(), AuthExpiredError);
    assert.equal((await outcomes()).length, 4, 'a failure is no deletion');
  });

  it('that are older than what was read are not taken for deleted', async () => {
    many(200);
    await bench.poll();
    tick(HOUR);
    for (let i = 0; i < 20; i++) write(`new${i}`);
    assert.equal(await bench.poll(), 20);
    assert.deepEqual(
      gets().filter((path) => path.startsWith('/')),
      [],
    );
  });

  it('that can’t be read are set aside once, and hold up no other', async () => {
    const body = {
      reviews: [{ reviewId: 7 }, { reviewId: 'x', starRating: 'SIX', createTime: '2026-11-22T10:00:00Z' }],
    };
    for (const count of [2, 0]) {
      google.end({ http: 200, body });
      assert.equal(await bench.poll(), count);
    }
    write('r1');
    await bench.poll();
    assert.deepEqual((await outcomes()).sort(), ['quarantined', 'quarantined', 'ticket_created']);
  });

  it('that Google has translated keep the words of their author', () => {
    const both = { text: 'Повільно', translation: 'Slow' };
    assert.deepEqual(wordsOf('(Translated by Google) Slow\n\n(Original)\nПовільно'), both);
    assert.deepEqual(wordsOf('Повільно\n\n(Translated by Google)\nSlow'), both);
    for (const text of ['Slow', '(Translated by Google) Slow', '(Original) is what I call it']) {
      assert.deepEqual(wordsOf(text), { text }, 'nothing is lost');
    }
  });

  it('bring their photos, from Google only, without our token', async () => {
    const photo = `${google.root}/photos/1`;
    const more = { reviewMediaItems: [{ thumbnailUrl: photo, videoUrl: 'https://www.google.com/video' }] };
    write('r1', { more });
    const { items } = await bench.channel.poll!(undefined, signal);
    const payload = { endpointId: 'shop', receivedAt: 0, method: 'POLL', url: '', headers: {}, body: items[0]!.body };
    const [item] = await bench.channel.normalize(payload);
    assert.ok(item?.kind === 'review');
    const [file] = item.attachments!;
    assert.deepEqual([file!.name, item.fields!['videos']], ['photo-1.jpg', 'https://www.google.com/video']);
    const bytes = await bench.channel.download!(file!, payload);
    assert.equal(await textOf(bytes), 'photo /photos/1');
    const download = async (id: string) => bench.channel.download!({ ...file!, id }, payload);
    await assert.rejects(download('another'), PermanentError);
    for (const [address, is] of [
      ['https://lh3.googleusercontent.com/x', true],
      ['https://googleusercontent.com.example.com/x', false],
      ['https://evilgoogleusercontent.com/x', false],
      ['http://lh3.googleusercontent.com/x', false],
      ['https://lh3.googleusercontent.com:8443/x', false],
      ['nonsense', false],
    ] as const) {
      assert.equal(isOfGoogle(address, 'https://mybusiness.googleapis.com'), is, address);
    }
    const foreign = { thumbnailUrl: 'http://127.0.0.2:9/x' };
    const body = Buffer.from(items[0]!.body.toString().replace(photo, foreign.thumbnailUrl));
    const [other] = await bench.channel.normalize({ ...payload, body });
    assert.ok(other?.kind === 'review');
    const given = { ...payload, body } as never;
    await assert.rejects(async () => bench.channel.download!(other.attachments![0]!, given), /not kept at Google/);
  });

  describe('of several locations', () => {
    beforeEach(() => reopen({ locations: LOCATIONS }));

    it('are told apart, and answered where they stand', async () => {
      write('same');
      write('same', { text: 'No trains' }, STATION);
      assert.equal(await bench.poll(), 2);
      const tickets = await bench.tickets();
      assert.equal(tickets.length, 2);
      for (const { id } of tickets) await bench.answer(id, 'Sorry!');
      const said = [SHOP, STATION].map((one) => google.reviews.get(one)!.get('same')!.answer!.text);
      assert.deepEqual(said, ['Sorry!', 'Sorry!']);
      const products = [];
      for (const { id } of tickets)
        products.push((await bench.messages(id)).find(({ review }) => review)!.review!.product);
      assert.deepEqual(products.sort(), ['At the station', 'The shop']);
    });

    it('go on with the others where Google doesn’t know one, which is asked for again an hour later', async () => {
      google.unknown.add(SHOP);
      write('r1', {}, STATION);
      const error = await failure(bench.poll());
      assert.ok(error instanceof PermanentError);
      assert.match(`${error.message} ${error.hint}`, /locations\/222.*verified/);
      assert.equal(await bench.poll(), 1);
      assert.equal(await bench.poll(), 0);
      write('r2');
      google.unknown.clear();
      tick(50 * MINUTE);
      assert.equal(await bench.poll(), 0);
      tick(10 * MINUTE);
      assert.equal(await bench.poll(), 1);
      google.unknown.add(SHOP);
      await assert.rejects(bench.poll(), PermanentError);
      bench.out.clock.jump(-DAY);
      await assert.rejects(bench.poll(), PermanentError, 'a clock that was set back makes no rest of days');
    });

    const forbidden = { http: 403, body: { error: { message: 'The caller does not have permission' } } };

    it('go on with the others where Google lets us not read one, which is asked for again an hour later', async () => {
      write('r1', {}, STATION);
      google.end(forbidden);
      const error = await failure(bench.poll());
      assert.ok(error instanceof PermanentError, 'the credentials are good for the other one');
      assert.match(`${error.message} ${error.hint}`, /locations\/222.*manage the profile/);
      write('r2');
      assert.equal(await bench.poll(), 1);
      tick(50 * MINUTE);
      assert.equal(await bench.poll(), 0);
      tick(10 * MINUTE);
      assert.equal(await bench.poll(), 1);
    });

    it('are none of them to blame where the credentials are refused', async () => {
      write('r1');
      google.end({ http: 401 }, { http: 401 });
      await assert.rejects(bench.poll(), AuthExpiredError);
      assert.equal(await bench.poll(), 1, 'none is left out for an hour');
    });

    it('that are all refused are no silence, and come as soon as Google lets us read them', async () => {
      for (const location of [SHOP, STATION]) google.unknown.add(location);
      for (let i = 0; i < 5; i++) await assert.rejects(bench.poll(), PermanentError);
      google.unknown.clear();
      google.end(forbidden);
      await assert.rejects(bench.poll(), AuthExpiredError, 'a person must act');
      write('r1');
      write('r2', {}, STATION);
      assert.equal(await bench.poll(), 2);
    });

    it('forget what is no longer read', async () => {
      write('r1');
      write('r2', {}, STATION);
      await bench.poll();
      const { cursor } = bench;
      await reopen({ locations: LOCATIONS.slice(1) });
      bench.cursor = cursor;
      assert.equal(await bench.poll(), 0, 'the one that stays is known');
      assert.deepEqual(Object.keys((JSON.parse(bench.cursor!) as { listings: object }).listings), [STATION]);
    });

    it('are counted by the test', async () => {
      write('r1');
      assert.equal(await bench.channel.test!(), 'reviews of The shop: 1, 3.3 stars; reviews of At the station: 0');
    });
  });

  describe('an answer', () => {
    const first = async () => {
      write('r1');
      await bench.poll();
      return (await bench.tickets())[0]!.id;
    };
    const answered = () => google.reviews.get(SHOP)!.get('r1')!;
    const puts = () => google.calls.filter(({ method }) => method === 'PUT');
    const shown = async (ticketId: string) =>
      (await bench.messages(ticketId))
        .filter(({ direction }) => direction === 'outbound')
        .map(({ text, delivery, deletedAt }) => [text, deletedAt === null ? delivery!.state : 'deleted']);

    it('goes below the review once, is known when it is read there, and delivered once Google lets it through', async () => {
      google.moderation = 'PENDING';
      const ticketId = await first();
      await bench.answer(ticketId, 'Sorry to hear that.');
      assert.deepEqual(
        puts().map(({ path, body }) => [path, body]),
        [[`/v4/accounts/111/locations/222/reviews/r1/reply`, { comment: 'Sorry to hear that.' }]],
      );
      await bench.poll();
      assert.deepEqual(await shown(ticketId), [['Sorry to hear that.', 'sent']]);
      answered().answer!.state = 'APPROVED';
      await bench.poll();
      assert.deepEqual(await shown(ticketId), [['Sorry to hear that.', 'delivered']]);
      const said = await outcomes();
      for (let i = 0; i < 20; i++) await bench.poll();
      assert.deepEqual(await outcomes(), said, 'what has not changed is not even handed over');
    });

    it('that Google rejects says why', async () => {
      const ticketId = await first();
      await bench.answer(ticketId, 'Buy kettles at example.com!');
      Object.assign(answered().answer!, { state: 'REJECTED', violation: 'ADVERTISING_AND_SOLICITATION' });
      await bench.poll();
      const answer = (await bench.messages(ticketId)).find(({ direction }) => direction === 'outbound');
      assert.equal(answer!.delivery!.state, 'failed');
      assert.match(answer!.delivery!.error!, /ADVERTISING_AND_SOLICITATION/);
    });

    it('takes the place of the one before it, and the ticket says so', async () => {
      const ticketId = await first();
      await bench.answer(ticketId, 'Sorry.');
      await bench.answer(ticketId, 'Sorry, we have called you.');
      assert.equal(answered().answer!.text, 'Sorry, we have called you.');
      const both = [
        ['Sorry.', 'replaced'],
        ['Sorry, we have called you.', 'sent'],
      ];
      assert.deepEqual(await shown(ticketId), both);
      tick(MINUTE);
      answered().answer = { text: 'From the profile', at: google.now };
      await bench.poll();
      assert.deepEqual(
        (await shown(ticketId)).map(([, state]) => state),
        ['replaced', 'replaced', 'sent'],
      );
      delete answered().answer;
      await bench.poll();
      assert.deepEqual((await shown(ticketId)).at(-1), ['From the profile', 'deleted']);
    });

    it('whose confirmation was lost goes out again and is still one', async () => {
      const ticketId = await first();
      google.end('lost');
      await bench.answer(ticketId, 'Sorry.');
      assert.equal(puts().length, 2);
      assert.deepEqual(await shown(ticketId), [['Sorry.', 'sent']]);
    });

    it('is public, and may have 4,096 bytes, which are fewer letters', async () => {
      const ticketId = await first();
      const [way] = await bench.out.desk.replyChannels(ticketId);
      assert.deepEqual([way!.public, way!.longest, way!.replaces], [true, 4096, true]);
      await assert.rejects(bench.answer(ticketId, 'x'.repeat(4097)), /takes 4096/);
      await bench.answer(ticketId, 'ж'.repeat(2049));
      await bench.answer(ticketId, 'ж'.repeat(2048));
      assert.deepEqual(
        (await shown(ticketId)).map(([, state]) => state),
        ['failed', 'sent'],
      );
      assert.equal(puts().length, 1);
    });

    it('is refused where it can’t stand there', async () => {
      const { reply } = bench.channel;
      const message = { text: 'x', attachments: [] };
      const given = { thread: `${SHOP}/r1`, sent: [], partSent: () => assert.fail('nothing went out') };
      write('r1');
      for (const rest of [
        { thread: undefined },
        { thread: 'r1' },
        { thread: `${STATION}/r1` },
        { message: { text: ' ', attachments: [] } },
        { message: { text: 'x', attachments: [{}] } },
        { thread: `${SHOP}/unknown` },
      ]) {
        const error = await failure(reply!({ ...given, message, ...rest } as never));
        assert.ok(error instanceof PermanentError, JSON.stringify(rest));
      }
      assert.deepEqual(
        puts().map(({ path }) => path.split('/reviews')[1]),
        ['/unknown/reply'],
        'only Google knows the last one',
      );
      await reply!({ ...given, message, sent: [{ externalId: 'r1/answer' }] } as never);
      assert.equal(answered().answer, undefined, 'it went out in an earlier try');
    });
  });
});
