import assert from 'node:assert/strict';
import { googleBusiness } from '../src/connectors/google-business/google-business.ts';
import {
  AuthExpiredError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../src/core/errors.ts';
import { ACCOUNT, GRANT, refusal, SHOP, startGoogleBusiness, STATION } from './fakes/google-business.ts';
import type { FakeGoogleBusiness } from './fakes/google-business.ts';
import { readGoogleBusiness } from './fakes/google-business-description.ts';
import { openReviews } from './fakes/reviews.ts';
import type { Bench } from './fakes/reviews.ts';

const MINUTE = 60_000;
const { signal } = new AbortController();
const LOCATIONS = [
  { id: SHOP, name: 'The shop' },
  { id: STATION, name: 'At the station' },
];

describe('access to Google Business Profile', () => {
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

  it('begins with a token that is asked for once, and again when it ends or Google takes it back', async () => {
    await Promise.all([bench.channel.test!(), bench.channel.test!()]);
    assert.equal(google.granted, 1);
    tick(58 * MINUTE);
    await bench.channel.test!();
    assert.equal(google.granted, 1);
    tick(MINUTE);
    await bench.channel.test!();
    assert.equal(google.granted, 2);
    google.revoked.add('ya29.2');
    await bench.channel.test!();
    assert.equal(google.granted, 3);
    assert.equal(google.calls.at(-1)!.auth, 'Bearer ya29.3');
  });

  for (const [settings, hint] of [
    [{ refreshToken: '1//hush-old' }, /new refresh token.*seven days/],
    [{ clientSecret: 'hush-other' }, /clientSecret/],
  ] as const) {
    it(`that ends for good with ${Object.keys(settings)[0]} waits for a person`, async () => {
      await reopen(settings);
      const error = await failure(bench.channel.poll!(undefined, signal));
      assert.ok(error instanceof AuthExpiredError);
      assert.match(error.hint!, hint);
    });
  }

  it('that can’t be had for a while is tried again', async () => {
    google.endToken({ http: 503, body: { error: 'internal_failure' } });
    assert.ok((await failure(bench.channel.test!())) instanceof RetryableError);
    google.endToken({ http: 200, body: { token: 'none' } });
    assert.ok((await failure(bench.channel.test!())) instanceof RetryableError);
    await bench.channel.test!();
  });

  const none = { quota_limit_value: '0', quota_unit: '1/min/{project}' };
  for (const [what, ending, kind, about] of [
    ['a quota', refusal(429, 'Quota exceeded', { quota_limit_value: '300' }), RateLimitedError, 300_000],
    ['a project that is not approved', refusal(429, 'Quota exceeded', none), AuthExpiredError, /approve/],
    ['no permission', refusal(403, 'The caller does not have permission'), AuthExpiredError, /manage the profile/],
    ['an unknown location', refusal(404, 'Requested entity was not found.'), PermanentError, /verified/],
    ['a failure', { status: 503, body: {} }, RetryableError, undefined],
    ['nonsense', { status: 200, body: { reviews: 'none' } }, RetryableError, undefined],
  ] as const) {
    it(`says what ${what} means`, async () => {
      google.end({ http: ending.status, body: ending.body });
      const error = await failure(bench.channel.poll!(undefined, signal));
      assert.ok(error instanceof kind, error.constructor.name);
      if (error instanceof RateLimitedError) assert.equal(error.retryAfterMs, about);
      if (about instanceof RegExp) assert.match(error.hint!, about);
    });
  }

  it('rests as long as Google says', async () => {
    google.end({ http: 429, body: { error: {} }, headers: { 'retry-after': '77' } });
    const error = await failure(bench.channel.poll!(undefined, signal));
    assert.ok(error instanceof RateLimitedError);
    assert.equal(error.retryAfterMs, 77_000);
  });

  it('is asked for with what can be an account and its locations', () => {
    const good = { account: ACCOUNT, locations: LOCATIONS, ...GRANT };
    assert.ok(googleBusiness.config.safeParse(good).success);
    for (const bad of [
      { account: 'accounts/111' },
      { locations: [] },
      { locations: [LOCATIONS[0], LOCATIONS[0]] },
      { locations: [{ id: 'locations/1', name: 'x' }] },
      { refreshToken: '' },
    ]) {
      assert.ok(!googleBusiness.config.safeParse({ ...good, ...bad }).success, JSON.stringify(bad));
    }
  });

  it('is checked against a closed world, on either side', () => {
    const description = readGoogleBusiness();
    const reviews = '/v4/accounts/1/locations/2/reviews';
    for (const asked of [
      { method: 'GET', path: `${reviews}?pageSize=51` },
      { method: 'GET', path: `${reviews}?orderBy=updateTime` },
      { method: 'GET', path: `${reviews}?token=1` },
      { method: 'PUT', path: `${reviews}/r/reply`, body: { text: 'x' } },
      { method: 'POST', path: `${reviews}/r/reply`, body: { comment: 'x' } },
    ]) {
      assert.notDeepEqual(description.request(asked), [], asked.path);
    }
    assert.notDeepEqual(description.response({ method: 'GET', path: reviews }, 200, { reviews: [{}] }), []);
  });
});
