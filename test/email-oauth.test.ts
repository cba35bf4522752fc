import assert from 'node:assert/strict';
import { Config } from '../src/connectors/email/config.ts';
import { createImap } from '../src/connectors/email/imap.ts';
import { createAccessTokens } from '../src/core/oauth2.ts';
import type { Http, HttpRequest, HttpResponse } from '../src/core/connector.ts';
import { AuthExpiredError, PermanentError, RetryableError } from '../src/core/errors.ts';
import { createHttp, type Egress } from '../src/http/http.ts';
import { fakeContext, fakeSecrets, sealedHttp } from './fakes/context.ts';
import { dovecotMissing, startDovecot, type Dovecot } from './fakes/dovecot.ts';
import { startReceiver, type Receiver } from './fakes/receiver.ts';
import { skipUnless } from './skip.ts';

const TOKEN_URL = 'https://login.example.com/token';

type Answer = object | Error;

/** A token address that answers what it is given, in turn; the last one for ever. */
function vendor(...answers: Answer[]) {
  const asked: Record<string, string>[] = [];
  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    assert.equal(request.url, TOKEN_URL);
    asked.push(Object.fromEntries(new URLSearchParams(request.body as string)));
    await new Promise(setImmediate);
    const answer = (answers.length > 1 ? answers.shift() : answers[0]) ?? {};
    if (answer instanceof Error) throw answer;
    return { status: 200, headers: {}, text: JSON.stringify(answer), json: answer };
  };
  const http: Http = Object.assign(Object.create(sealedHttp()) as Http, { send });
  return { http, asked };
}

const refused = (error: string, description: string) =>
  new PermanentError(`POST ${TOKEN_URL} answered 400`, {
    response: { status: 400, text: JSON.stringify({ error, error_description: description }) },
  });

function open(http: Http, settings: object = {}) {
  const oauth2 = { clientId: 'app', clientSecret: 'hush-hush', refreshToken: 'first-refresh', tokenUrl: TOKEN_URL };
  const imap = { host: 'imap.example.com', user: 'a@example.com', oauth2: { ...oauth2, ...settings } };
  const config = Config.parse({ address: 'a@example.com', imap });
  const context = fakeContext({ http, secrets: fakeSecrets() });
  const again = () => createAccessTokens(config.imap!.oauth2!, context);
  return { context, tokens: again(), again };
}

describe('access to a mailbox by OAuth2', () => {
  it('is asked for over a line only that nobody can listen to', () => {
    for (const tokenUrl of ['http://login.example.com/token', 'http://127.0.0.1.example.com/', 'nowhere', 'http://']) {
      assert.throws(() => open(sealedHttp(), { tokenUrl }), { name: 'ZodError' }, tokenUrl);
    }
    for (const tokenUrl of [TOKEN_URL, 'http://localhost:1/', 'http://127.0.0.1/', 'http://[::1]:1/']) {
      assert.ok(open(sealedHttp(), { tokenUrl }), tokenUrl);
    }
  });

  it('is asked for with the refresh token, and again shortly before it expires', async () => {
    const { http, asked } = vendor(
      { access_token: 'one', expires_in: 3600 },
      { access_token: 'two', expires_in: '10' },
    );
    const { tokens, context } = open(http, { scope: 'mail' });
    assert.equal(await tokens.current(), 'one');
    assert.deepEqual(asked, [
      {
        grant_type: 'refresh_token',
        client_id: 'app',
        client_secret: 'hush-hush',
        refresh_token: 'first-refresh',
        scope: 'mail',
      },
    ]);
    await context.clock.advance(3_539_000);
    assert.equal(await tokens.current(), 'one');
    await context.clock.advance(2000);
    assert.equal(await tokens.current(), 'two');
    assert.equal(await tokens.current(), 'two');
    assert.equal(asked.length, 3, 'one that lives shorter than a minute is used once');
  });

  it('is asked for once, however many want it', async () => {
    const { http, asked } = vendor({ access_token: 'one' });
    const { tokens } = open(http);
    assert.deepEqual(await Promise.all([tokens.current(), tokens.current(), tokens.current()]), ['one', 'one', 'one']);
    assert.equal(asked.length, 1);
  });

  it('is asked for anew once the server has refused it, but not twice for one token', async () => {
    const { http, asked } = vendor({ access_token: 'one' }, { access_token: 'two' });
    const { tokens } = open(http);
    assert.equal(await tokens.current(), 'one');
    tokens.forget('one');
    assert.equal(await tokens.current(), 'two');
    tokens.forget('one');
    assert.equal(await tokens.current(), 'two');
    assert.equal(asked.length, 2);
  });

  it('keeps a new refresh token, also over a restart, before the access token is used', async () => {
    const { http, asked } = vendor({ access_token: 'one', refresh_token: 'second-refresh' }, { access_token: 'two' });
    const { tokens, again, context } = open(http);
    let saved = '';
    const { save } = context.secrets;
    Object.assign(context.secrets, {
      save: async (name: string, value: string) => {
        await new Promise(setImmediate);
        saved = value;
        await save(name, value);
      },
    });
    await tokens.current();
    assert.equal(saved, 'second-refresh');
    assert.equal(await again().current(), 'two');
    assert.deepEqual(
      asked.map(({ refresh_token }) => refresh_token),
      ['first-refresh', 'second-refresh'],
    );
  });

  it('starts from the refresh token that an operator enters anew', async () => {
    const { http, asked } = vendor({ access_token: 'one', refresh_token: 'second-refresh' });
    const { tokens, context } = open(http);
    await tokens.current();
    const entered = open(http, { refreshToken: 'entered-anew' });
    Object.assign(entered.context, { secrets: context.secrets });
    await entered.again().current();
    assert.equal(asked[1]?.['refresh_token'], 'entered-anew');
  });

  it('says that a person must allow it again, in the vendor’s words but without his secrets', async () => {
    const said = refused('invalid_grant', 'AADSTS70000: the grant first-refresh of hush-hush was revoked');
    const { tokens } = open(vendor(said).http);
    await assert.rejects(tokens.current(), (error) => {
      assert.ok(error instanceof AuthExpiredError);
      assert.match(error.message, /invalid_grant: AADSTS70000: the grant \[secret\] of \[secret\] was revoked/);
      assert.match(error.hint ?? '', /refreshToken/);
      assert.equal(error.response, undefined);
      return true;
    });
  });

  it('is tried again where nobody can help', async () => {
    const away = new RetryableError('the token address answered 503');
    const { tokens } = open(
      vendor(away, refused('temporarily_unavailable', ''), { error: 'x' }, { access_token: 'a' }).http,
    );
    await assert.rejects(tokens.current(), away);
    await assert.rejects(tokens.current(), (error) => error instanceof RetryableError && error !== away);
    await assert.rejects(tokens.current(), /without an access token/);
    assert.equal(await tokens.current(), 'a');
  });
});

describe('a mailbox on Dovecot that is opened by OAuth2', () => {
  const user = 'olena@example.test';
  let vendor: Receiver;
  let dovecot: Dovecot;
  let egress: Egress;
  /** What the vendor hands out next, and what he says when the mail server asks. */
  let handedOut: string[] = [];
  const good = new Set<string>();

  before(async function () {
    const missing = dovecotMissing();
    skipUnless(this, missing === undefined, missing ?? '');
    vendor = await startReceiver();
    vendor.behave(({ url }) => {
      const { pathname, searchParams } = new URL(url, vendor.origin);
      if (pathname === '/token') return json({ access_token: handedOut.shift() ?? 'none' });
      return json({ user, active: good.has(searchParams.get('token') ?? '') });
    });
    dovecot = await startDovecot([user], { introspection: `${vendor.origin}/check?token=` });
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  after(async () => {
    egress?.close();
    await dovecot?.stop();
    await vendor?.close();
  });

  const json = (body: object) => ({
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

  function open() {
    const oauth2 = { clientId: 'app', refreshToken: 'first-refresh', tokenUrl: `${vendor.origin}/token` };
    const imap = { host: '127.0.0.1', port: dovecot.imapPort, secure: false, user, oauth2 };
    const config = Config.parse({ address: user, imap });
    const context = fakeContext({ http: egress.for({ hosts: [] }) });
    return createImap({ imap: config.imap!, context, tokens: createAccessTokens(config.imap!.oauth2!, context) });
  }

  it('lets us in with an access token', async () => {
    handedOut = ['fresh'];
    good.add('fresh');
    assert.match(await open().test(), /lets olena@example\.test in; read: INBOX/);
  });

  it('lets us in once more with a new token when it has revoked the one we have', async () => {
    handedOut = ['revoked', 'renewed', 'unused'];
    good.add('renewed');
    assert.match(await open().test(), /lets olena@example\.test in/);
    assert.deepEqual(handedOut, ['unused']);
  });

  it('says that a person must act when it takes no token at all', async () => {
    handedOut = ['bad', 'worse', 'unused'];
    await assert.rejects(open().test(), (error) => {
      assert.ok(error instanceof AuthExpiredError, String(error));
      assert.match(error.hint ?? '', /refreshToken/);
      assert.doesNotMatch(error.message, /bad|worse/);
      return true;
    });
    assert.deepEqual(handedOut, ['unused'], 'two tries are enough');
  });
});
