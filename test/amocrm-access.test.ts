import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { AuthExpiredError, PermanentError, RateLimitedError, RetryableError } from '../src/core/errors.ts';
import type { Destination } from '../src/core/destination.ts';
import { amocrm } from '../src/dispatch/amocrm/amocrm.ts';
import { createHttp } from '../src/http/http.ts';
import { CLIENT_ID, CLIENT_SECRET, ID_FIELD, REDIRECT, startAmocrm, TOKEN } from './fakes/amocrm.ts';
import type { FakeAmocrm } from './fakes/amocrm.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, fakeSecrets } from './fakes/context.ts';

const FIRST = 'not-a-real-refresh-token-0';
const DAY = 24 * 3_600_000;

describe('amoCRM’s tokens and refusals', function () {
  this.timeout(30_000);
  let far: FakeAmocrm;
  let clock: ReturnType<typeof fakeClock>;
  let secrets: ReturnType<typeof fakeSecrets>;
  const egress = createHttp({ allow: ['127.0.0.1'] });
  beforeEach(async () => {
    far = await startAmocrm();
    clock = fakeClock();
    far.now = () => clock.now();
    secrets = fakeSecrets();
  });
  afterEach(async () => {
    await far.close();
    assert.deepEqual(far.violations, []);
  });
  after(() => egress.close());

  const oauth2 = { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET, redirectUri: REDIRECT, refreshToken: FIRST };
  function open(given: object = { oauth2 }): Destination {
    const config = amocrm.config.parse({ apiRoot: far.root, idField: ID_FIELD, ...given });
    const context = { ...fakeContext({ id: 'crm', clock, http: egress.for({ hosts: [] }) }), secrets };
    return amocrm.open(config, context) as Destination;
  }
  const grants = () => far.calls.filter(({ path }) => path === '/oauth2/access_token');
  const look = (destination: Destination) =>
    destination.findTicket!({ id: 'tkt_1', createdAt: new Date(clock.now()).toISOString() } as never);
  const errorOf = async (promise: Promise<unknown>) => promise.then(() => undefined).catch((error: unknown) => error);

  it('exchanges the refresh token once a day, whoever asks', async () => {
    const destination = open();
    await Promise.all([look(destination), look(destination)]);
    assert.equal(grants().length, 1);
    clock.jump(DAY);
    await look(destination);
    assert.equal(grants().length, 2);
  });

  it('keeps the new refresh token before it uses the access token', async () => {
    const saved: string[] = [];
    const { save } = secrets;
    secrets.save = async (name, value) => {
      saved.push(`${value} after ${far.calls.length} calls`);
      await save(name, value);
    };
    await look(open());
    assert.deepEqual(saved, [`${[...far.refreshTokens][0]!} after 1 calls`]);
    secrets.save = async () => {
      throw new RetryableError('the store is away');
    };
    clock.jump(DAY);
    const before = far.calls.length;
    assert.ok((await errorOf(look(open()))) instanceof RetryableError);
    assert.deepEqual(
      far.calls.slice(before).map(({ path }) => path),
      ['/oauth2/access_token'],
    );
  });

  it('goes on with the token that it kept, and begins anew with one that was entered', async () => {
    await look(open());
    await look(open());
    assert.equal(far.refreshTokens.size, 1);
    far.refreshTokens.clear();
    far.refreshTokens.add('another-refresh-token');
    const entered = open({ oauth2: { ...oauth2, refreshToken: 'another-refresh-token' } });
    await look(entered);
    assert.equal(grants().length, 3);
  });

  it('looks whether another process was faster before it asks for a person', async () => {
    far.refreshTokens.add('newer-refresh-token');
    const kept = ['used-up-refresh-token', 'newer-refresh-token'];
    secrets = { load: async () => kept.shift(), save: async () => undefined };
    await look(open());
    assert.equal(grants().length, 2);
  });

  it('asks for a person where the refresh token is worth nothing, and shows no secret', async () => {
    far.refreshTokens.clear();
    const error = await errorOf(look(open()));
    assert.ok(error instanceof AuthExpiredError, inspect(error));
    const shown = inspect(error, { depth: 8, showHidden: true });
    assert.ok(!shown.includes(FIRST) && !shown.includes(CLIENT_SECRET));
  });

  it('asks no second time with the token that was refused', async () => {
    await look(open());
    far.refreshTokens.clear();
    assert.ok((await errorOf(look(open()))) instanceof AuthExpiredError);
    assert.equal(grants().length, 2);
  });

  it('keeps no answer that quotes the secret, whatever it means', async () => {
    for (const [http, kind] of [
      [500, RetryableError],
      [403, AuthExpiredError],
      [429, RateLimitedError],
      [401, AuthExpiredError],
    ] as const) {
      far.end('POST /oauth2/access_token', { http, body: { you: 'sent', client_secret: CLIENT_SECRET, token: FIRST } });
      const error = await errorOf(look(open()));
      assert.ok(error instanceof kind, inspect(error));
      const shown = inspect(error, { depth: 8, showHidden: true });
      assert.ok(!shown.includes(FIRST) && !shown.includes(CLIENT_SECRET), shown);
    }
  });

  it('gets a fresh token where one ended before its time, and asks for a person only after that', async () => {
    const destination = open();
    await look(destination);
    far.tokens.clear();
    await look(destination);
    assert.equal(grants().length, 2);
    assert.ok((await errorOf(look(open({ accessToken: 'withdrawn' })))) instanceof AuthExpiredError);
    far.tokens.add(TOKEN);
    assert.equal(await look(open({ accessToken: TOKEN })), undefined);
  });

  it('takes an answer without a token for none', async () => {
    far.end('POST /oauth2/access_token', { http: 200, body: { access_token: 'x' } });
    const error = await errorOf(look(open()));
    assert.ok(error instanceof RetryableError && /without an access token/.test(error.message), inspect(error));
  });

  describe('told no', () => {
    const refused = async (http: number, body: object | string) => {
      far.end('GET /api/v4/leads', { http, body });
      return errorOf(look(open({ accessToken: TOKEN })));
    };
    const page = '<html><head><title>403 Forbidden</title></head><body>nginx</body></html>';

    it('rests for long where it was shut out for too many calls', async () => {
      const error = await refused(403, page);
      assert.ok(error instanceof RateLimitedError && error.retryAfterMs === 15 * 60_000, inspect(error));
      assert.match(error.hint!, /support/);
    });

    it('rests as well where tokens are refused so', async () => {
      far.end('POST /oauth2/access_token', { http: 403, body: page });
      assert.ok((await errorOf(look(open()))) instanceof RateLimitedError);
    });

    it('gives up only the call where its API says so', async () => {
      const error = await refused(403, { title: 'Forbidden', status: 403, detail: 'no rights' });
      assert.ok(error instanceof PermanentError, inspect(error));
    });

    it('asks for a person where the account is not paid', async () => {
      const error = await refused(402, { title: 'Payment Required', status: 402 });
      assert.ok(error instanceof AuthExpiredError && /not paid/.test(error.message), inspect(error));
    });
  });
});
