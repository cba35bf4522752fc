import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { teams } from '../src/connectors/teams/teams.ts';
import type { Http, HttpRequest } from '../src/core/connector.ts';
import { BadPayloadError, PermanentError, RetryableError } from '../src/core/errors.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, sealedHttp } from './fakes/context.ts';
import { APP_ID, createPair, PASSWORD, SERVICE, TENANT, tokenOf } from './fakes/teams.ts';
import type { SigningPair } from './fakes/teams.ts';
import { until } from './fakes/until.ts';

const NOW = Date.parse('2026-11-23T10:00:00Z');
const HOUR = 60 * 60_000;
const DAY = 24 * HOUR;
const CONFIGURATION = 'https://login.botframework.com/v1/.well-known/openidconfiguration';
const KEYS = 'https://login.botframework.com/v1/.well-known/keys';
const activity = { type: 'message', channelId: 'msteams', serviceUrl: SERVICE };

describe('What comes for a bot in Teams', () => {
  const pair = createPair('key-1');
  const other = createPair('key-2');
  const clock = fakeClock(NOW);
  const setClock = (at: number) => clock.jump(at - clock.now());
  let asked: string[];
  let published: SigningPair[];
  let jwksUri: string;
  let down: Error | undefined;
  let http: Http;
  beforeEach(() => {
    setClock(NOW);
    asked = [];
    published = [pair];
    jwksUri = KEYS;
    down = undefined;
    const send = async ({ url }: HttpRequest) => {
      asked.push(url);
      if (down) throw down;
      const json = url === CONFIGURATION ? { jwks_uri: jwksUri } : { keys: published.map(({ jwk }) => jwk) };
      return { status: 200, headers: {}, text: '', json };
    };
    http = Object.assign(sealedHttp(), { send });
  });

  async function open() {
    const config = teams.config.parse({ appId: APP_ID, appPassword: PASSWORD, tenantId: TENANT });
    return teams.open(config, fakeContext({ id: 'teams', http, clock }));
  }
  type Opened = Awaited<ReturnType<typeof open>>;
  const verify = async (channel: Opened, authorization: string | undefined, body: object | string = activity) =>
    channel.webhook!.verify({
      endpointId: 'teams',
      receivedAt: clock.now(),
      method: 'POST',
      url: '/webhooks/teams',
      headers: authorization === undefined ? {} : { authorization },
      body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
    });
  async function refusal(authorization: string | undefined, body?: object | string): Promise<BadPayloadError> {
    const error = await verify(await open(), authorization, body).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof BadPayloadError, String(error));
    assert.equal(error.status, 401);
    return error;
  }
  const bearer = (claims?: object, header?: object, by = pair) => `Bearer ${tokenOf(by, clock.now(), claims, header)}`;

  it('is taken when Microsoft signed its token, for this bot and this service address', async () => {
    await verify(await open(), bearer());
    await verify(await open(), bearer({ aud: APP_ID.toUpperCase() }));
    await verify(await open(), bearer().replace('Bearer', 'bearer'));
    await verify(await open(), bearer(), { ...activity, channelId: undefined });
  });

  const sec = NOW / 1000;
  for (const [what, claims, words] of [
    ['another bot', { aud: TENANT }, /for another bot/],
    ['several bots', { aud: [APP_ID] }, /none that the Bot Framework makes/],
    ['nobody', { aud: undefined }, /none that/],
    ['somebody else’s issuer', { iss: 'https://sts.windows.net/' }, /issued by somebody else/],
    ['another service address', { serviceurl: 'https://evil.example.com/' }, /another service address/],
    ['no service address', { serviceurl: undefined }, /none that/],
    ['the past', { exp: sec - 300 }, /not valid now/],
    ['the future', { nbf: sec + 301 }, /not valid now/],
    ['ever', { exp: undefined }, /none that/],
    ['a time that is none', { exp: String(sec + 60) }, /none that/],
  ] as const) {
    it(`is refused with a token for ${what}`, async () => {
      assert.match((await refusal(bearer(claims))).message, words);
    });
  }

  it('is taken from clocks that are some minutes apart', async () => {
    await verify(await open(), bearer({ exp: sec - 299 }));
    await verify(await open(), bearer({ nbf: sec + 300 }));
  });

  it('is refused with a token that is not signed as Microsoft signs', async () => {
    const [head = '', claims = '', signature = ''] = tokenOf(pair, NOW).split('.');
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const bytes = Buffer.from(signature, 'base64url');
    bytes.writeUInt8(bytes.readUInt8(7) ^ 1, 7);
    const last = signature.at(-1)!;
    // Spare bits of the last letter: other text, the same bytes.
    const twin = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].find(
      (letter) =>
        letter !== last &&
        Buffer.from(signature.slice(0, -1) + letter, 'base64url').equals(Buffer.from(signature, 'base64url')),
    )!;
    for (const [what, authorization] of [
      ['nothing', undefined],
      ['an empty header', ''],
      ['another scheme', `Basic ${head}.${claims}.${signature}`],
      ['no signature', `Bearer ${head}.${claims}.`],
      ['two parts', `Bearer ${head}.${claims}`],
      ['four parts', `Bearer ${head}.${claims}.${signature}.${signature}`],
      ['two headers', `Bearer ${head}.${claims}.${signature}, Bearer ${head}.${claims}.${signature}`],
      ['a byte of it', `Bearer ${head}.${claims}.${bytes.toString('base64url')}`],
      ['the same bytes, written otherwise', `Bearer ${head}.${claims}.${signature.slice(0, -1)}${twin}`],
      [
        'other claims',
        `Bearer ${head}.${part({ ...JSON.parse(Buffer.from(claims, 'base64url').toString()), x: 1 })}.${signature}`,
      ],
      ['claims that are no JSON', `Bearer ${head}.${Buffer.from('{').toString('base64url')}.${signature}`],
      ['padding', `Bearer ${head}.${claims}.${signature}==`],
      ['a megabyte', `Bearer ${head}.${claims}.${'A'.repeat(1_000_000)}`],
      ['no algorithm', bearer({}, { alg: 'none' })],
      ['a shared secret', bearer({}, { alg: 'HS256' })],
      ['what must be understood', bearer({}, { crit: ['b64'] })],
      ['the name of another key', bearer({}, { kid: 'key-2' })],
      ['another key of that name', bearer({}, { kid: 'key-1' }, other)],
    ] as const) {
      const error = await refusal(authorization);
      assert.ok(error.message !== '', what);
    }
  });

  it('is refused when the activity names another service address than its token, or none', async () => {
    for (const serviceUrl of [
      'https://smba.trafficmanager.net/amer/',
      `${SERVICE}x`,
      'https://evil.example.com/',
      undefined,
      7,
    ]) {
      assert.match(
        (await refusal(bearer(), { ...activity, serviceUrl })).message,
        /another service/,
        String(serviceUrl),
      );
    }
  });

  it('is kept when its body can not be read, since the token is genuine', async () => {
    for (const body of ['{', '[]', 'null', '"text"']) await verify(await open(), bearer(), body);
  });

  it('is refused when the key may not speak for the channel, where it says for which', async () => {
    const ofWebChat = createPair('key-1', ['webchat']);
    published = [ofWebChat];
    const error = await refusal(bearer({}, {}, ofWebChat));
    assert.match(error.message, /does not speak for the channel msteams/);
    published = [{ ...pair, jwk: { ...pair.jwk, endorsements: undefined } }];
    await verify(await open(), bearer());
  });

  it('causes no call where the token is none for this bot, whoever sends it', async () => {
    for (const authorization of [
      undefined,
      bearer({ aud: TENANT }),
      bearer({ iss: 'x' }),
      bearer({ exp: sec - HOUR }),
    ]) {
      await refusal(authorization);
    }
    assert.deepEqual(asked, []);
  });

  it('is told to come again while the keys can not be had, and taken once they can', async () => {
    const channel = await open();
    for (const error of [
      new RetryableError('down'),
      new PermanentError('may not be called'),
      new BadPayloadError('odd'),
    ]) {
      down = error;
      await assert.rejects(verify(channel, bearer()), RetryableError);
    }
    down = undefined;
    jwksUri = 'https://evil.example.com/keys';
    await assert.rejects(verify(channel, bearer()), /names keys at https:\/\/evil.example.com/);
    jwksUri = KEYS;
    await verify(channel, bearer());
  });

  it('is checked with keys that are asked for once a day, by all together', async () => {
    const channel = await open();
    await Promise.all([verify(channel, bearer()), verify(channel, bearer()), verify(channel, bearer())]);
    await verify(channel, bearer());
    assert.deepEqual(asked, [CONFIGURATION, KEYS]);
    setClock(NOW + DAY - 1);
    await verify(channel, bearer());
    assert.equal(asked.length, 2);
    setClock(NOW + DAY);
    await verify(channel, bearer());
    await until(() => asked.length === 4, 'the keys are asked for');
  });

  it('is checked with the keys that are there, up to five days, where nobody answers', async () => {
    const channel = await open();
    await verify(channel, bearer());
    down = new RetryableError('down');
    setClock(NOW + 5 * DAY - 1);
    await verify(channel, bearer());
    setClock(NOW + 5 * DAY);
    await assert.rejects(verify(channel, bearer()), RetryableError);
  });

  it('is looked up anew when its key is not known, once an hour', async () => {
    const channel = await open();
    await verify(channel, bearer());
    published = [other];
    await assert.rejects(verify(channel, bearer({}, {}, other)), BadPayloadError);
    assert.equal(asked.length, 2);
    setClock(NOW + HOUR);
    await verify(channel, bearer({}, {}, other));
    assert.equal(asked.length, 4);
    await assert.rejects(verify(channel, bearer()), BadPayloadError, 'a key that is no longer published');
  });

  it('is checked with the keys that can be used, whatever stands beside them', async () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const odd = [{ ...publicKey.export({ format: 'jwk' }), kid: 'ec' }, { kty: 'RSA', kid: 'odd', n: '', e: '' }, {}];
    published = [...odd.map((jwk) => ({ ...pair, jwk })), pair];
    await verify(await open(), bearer());
    assert.match((await refusal(bearer({}, { kid: 'odd' }))).message, /not signed with a key/);
  });
});
