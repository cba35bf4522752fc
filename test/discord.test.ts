import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { createApi, DISCORD } from '../src/connectors/discord/api.ts';
import { discord } from '../src/connectors/discord/discord.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
  UncertainError,
} from '../src/core/errors.ts';
import { Secret } from '../src/core/secret.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeClock } from './fakes/clock.ts';
import { fakeContext, sealedHttp } from './fakes/context.ts';
import { readDiscord } from './fakes/discord-description.ts';
import { AT, BOT_TOKEN, CHANNEL, idOf, PUBLIC_KEY, saying, startDiscord } from './fakes/discord.ts';
import type { FakeDiscord } from './fakes/discord.ts';
import type { Description } from './fakes/openapi.ts';
import { sampleMessage, samplePayload, sampleTicket } from './fakes/samples.ts';
import { until } from './fakes/until.ts';
import { skipUnless } from './skip.ts';

const PAYLOAD = samplePayload('');
const POST = `POST /channels/${CHANNEL}/messages`;

describe("Discord's channel, against a stand-in that keeps to Discord's description", () => {
  let api: FakeDiscord;
  let egress: Egress;
  let clock: ReturnType<typeof fakeClock>;
  let description: Description | undefined;
  before(() => {
    description = readDiscord();
  });
  beforeEach(async () => {
    api = await startDiscord(description);
    egress = createHttp({ allow: ['127.0.0.1'] });
    clock = fakeClock(AT);
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  const settings = (given: object = {}) => ({ botToken: BOT_TOKEN, apiRoot: api.root, ...given });
  async function open(given: object = {}): Promise<Channel> {
    const context = fakeContext({ id: 'discord', http: egress.for({ hosts: [] }), clock });
    return discord.open(discord.config.parse(settings(given)), context);
  }

  function replyWith(given: Partial<Reply> & { readonly text?: string; readonly files?: readonly string[] } = {}) {
    const sent: string[] = [];
    const attachments = (given.files ?? []).map((name) => ({
      ...{ id: name, name, mediaType: 'text/plain', size: 5, state: 'stored' as const },
      ...{ error: null, inline: false, url: '' },
    }));
    const reply: Reply = {
      id: 'tsk_1',
      ticket: sampleTicket(),
      message: sampleMessage({ text: given.text ?? 'It comes tomorrow.', attachments }),
      thread: CHANNEL,
      answers: sampleMessage({ externalId: idOf(AT) }),
      references: [],
      proof: '',
      sent: [],
      partSent: async (id) => void sent.push(id),
      open: async (id) => Readable.from([Buffer.from(`bytes of ${id}`)]),
      ...given,
    };
    return { reply, sent };
  }
  const answer = async (given: Parameters<typeof replyWith>[0] = {}) => {
    const { reply, sent } = replyWith(given);
    const channel = await open();
    await channel.reply!(reply);
    return sent;
  };
  async function failure(work: Promise<unknown>): Promise<TributaryError> {
    const error: unknown = await work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.ok(!all.includes(BOT_TOKEN), 'the token is in the error');
    return error;
  }
  const posted = () => api.said.get(CHANNEL) ?? [];
  /** Lets time pass as often as somebody waits. */
  async function wait(...each: readonly number[]): Promise<void> {
    for (const ms of each) {
      await until(() => clock.sleepers > 0, 'it waits');
      await clock.advance(ms);
    }
  }

  describe('an answer', () => {
    it('goes out where the customer wrote, below his words, and calls nobody', async () => {
      const sent = await answer({ text: 'Ask @everyone or <@1100000000000000111>' });
      const { nonce, ...body } = api.callsOf(POST)[0]!.body;
      assert.deepEqual(body, {
        content: 'Ask @everyone or <@1100000000000000111>',
        allowed_mentions: { parse: [] },
        enforce_nonce: true,
        message_reference: { message_id: idOf(AT), fail_if_not_exists: false },
      });
      assert.ok(typeof nonce === 'string' && nonce.length <= 25);
      assert.deepEqual(sent, [posted()[0]!.id]);
    });

    it('goes out by itself where it answers nothing that Discord knows', async () => {
      await answer({ answers: undefined });
      await answer({ id: 'tsk_2', answers: sampleMessage({ externalId: '<mail@example.com>' }) });
      assert.ok(api.callsOf(POST).every(({ body }) => !('message_reference' in body)));
    });

    it('goes out in parts where it is too long, and goes on behind those that went out', async () => {
      const text = Array.from({ length: 1000 }, (_, index) => `word${index}`).join(' ');
      await answer({ text });
      const parts = posted().map(({ content }) => content as string);
      assert.equal(parts.join(' '), text);
      assert.ok(parts.length > 1 && parts.every((part) => part.length <= 2000));
      const bodies = api.callsOf(POST).map(({ body }) => body);
      assert.equal(new Set(bodies.map(({ nonce }) => nonce)).size, parts.length);
      assert.deepEqual(
        bodies.map((body) => 'message_reference' in body),
        parts.map((_, index) => index === 0),
      );
      await answer({ id: 'tsk_2', text, sent: parts.slice(1).map((_, index) => ({ externalId: String(index) })) });
      assert.equal(posted().length, parts.length + 1);
    });

    it('brings its files behind its text', async () => {
      const sent = await answer({ text: 'Both:', files: ['a.txt', 'b "é"\r\n.txt'] });
      assert.deepEqual(
        api.uploads.map(({ name, bytes }) => [name, bytes.toString()]),
        [
          ['a.txt', 'bytes of a.txt'],
          ['b _é___.txt', 'bytes of b "é"\r\n.txt'],
        ],
      );
      assert.deepEqual(posted()[1]!.attachments, [{ id: '0', filename: 'a.txt' }]);
      assert.deepEqual(posted()[1]!.allowed_mentions, { parse: [] });
      assert.equal(sent.length, 3);
    });

    it('reaches the customer once when only its confirmation was lost', async () => {
      for (const lost of [{ fate: 'lost' }, { http: 502, done: true }] as const) {
        api.said.clear();
        api.end(POST, lost, { http: 429 });
        const over = answer({ text: 'Once' });
        await wait(1000, 5000);
        assert.deepEqual(await over, [posted()[0]!.id]);
        assert.equal(posted().length, 1);
      }
    });

    it('waits for a person where Discord cannot be asked any more', async () => {
      for (const last of [
        { fate: 'cut' },
        { http: 403, json: { code: 50_013, message: 'Missing Permissions' } },
      ] as const) {
        api.end(POST, { fate: 'lost' }, { fate: 'cut' }, last);
        const over = failure(answer());
        await wait(1000, 5000);
        const error = await over;
        assert.ok(error instanceof UncertainError, error.name);
        assert.match(error.hint ?? '', /replay the delivery/);
      }
    });

    it('is refused before anything goes out when it has no words or no place', async () => {
      for (const [given, words] of [
        [{ text: ' ' }, /is empty/],
        [{ thread: undefined }, /no place in Discord/],
        [{ thread: '1/../../users' }, /no place in Discord/],
      ] as const) {
        const error = await failure(answer(given));
        assert.ok(error instanceof PermanentError);
        assert.match(error.message, words);
      }
      assert.deepEqual(api.calls, []);
    });

    for (const [http, code, kind, words, hint] of [
      [403, 50_001, PermanentError, /Some words \(50001\)/, /View Channel/],
      [403, 50_007, PermanentError, /50007/, /blocked/],
      [403, 50_013, PermanentError, /50013/, /Send Messages in Threads/],
      [403, 160_005, PermanentError, /160005/, /unlock/],
      [404, 10_003, PermanentError, /10003/, /deleted/],
      [413, 40_005, PermanentError, /40005/, /link/],
      [400, 50_035, PermanentError, /50035\) \{"content":"too long"\}/, /field/],
      [400, 1, PermanentError, /Some words \(1\)/, undefined],
      [401, 0, AuthExpiredError, /bot token/, /Reset Token/],
    ] as const) {
      it(`says what ${http} with code ${code} means`, async () => {
        api.end(POST, {
          http,
          json: { code, message: 'Some words', errors: code === 50_035 ? { content: 'too long' } : undefined },
        });
        const error = await failure(answer());
        assert.ok(error instanceof kind, error.name);
        assert.match(error.message, words);
        if (hint) assert.match(error.hint ?? '', hint);
        else assert.equal(error.hint, undefined);
      });
    }

    it('says what an answer without a reason means', async () => {
      api.end(POST, { http: 404 });
      assert.ok((await failure(answer())) instanceof PermanentError);
      api.end(POST, { http: 429, headers: { 'retry-after': '7' } });
      const error = await failure(answer());
      assert.ok(error instanceof RateLimitedError);
      assert.equal(error.retryAfterMs, 7000);
    });
  });

  describe('keeps to the limits that Discord names', () => {
    const used = (after: string) => ({
      http: 200,
      done: true as const,
      headers: { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset-after': after },
    });

    it('by waiting before it would be refused, at that place only', async () => {
      const text = 'word '.repeat(700);
      api.end(POST, used('1.25'));
      let isOver = false;
      const channel = await open();
      const over = channel.reply!(replyWith({ text }).reply).finally(() => (isOver = true));
      await until(() => clock.sleepers > 0, 'it waits');
      await channel.reply!(replyWith({ thread: '1300000000000000002' }).reply);
      await clock.advance(1249);
      assert.deepEqual([isOver, posted().length], [false, 1]);
      await clock.advance(1);
      await over;
      assert.equal(posted().length, 2);
    });

    it('and lets the host rest where that is long', async () => {
      api.end(POST, used('65'));
      const channel = await open();
      await channel.reply!(replyWith().reply);
      const error = await failure(channel.reply!(replyWith({ id: 'tsk_2' }).reply));
      assert.ok(error instanceof RateLimitedError);
      assert.equal(error.retryAfterMs, 65_000);
      await clock.advance(65_000);
      await channel.reply!(replyWith({ id: 'tsk_3' }).reply);
      assert.equal(posted().length, 2);
    });
  });

  describe('a file', () => {
    const message = idOf(AT);
    const id = `${CHANNEL}/${message}/7`;
    const download = async (given: string = id) =>
      (await open()).download!({ id: given, name: 'a.png', mediaType: 'image/png' }, PAYLOAD);
    const holding = (url: string) => ({ attachments: [{ id: '7', filename: 'a.png', url }] });

    it('is fetched by where it stands, without the token', async () => {
      api.files.set('/attachments/a.png', { bytes: Buffer.from('a picture') });
      const url = `${api.root}/attachments/a.png?ex=6a&is=69&hm=1`;
      api.said.set(CHANNEL, [saying('', holding(url))]);
      assert.equal(await textOf(await download()), 'a picture');
      api.said.set(CHANNEL, [saying('', { message_snapshots: [{ message: holding(url) }] })]);
      assert.equal(await textOf(await download()), 'a picture', 'of a message that was passed on');
    });

    it('is fetched from Discord’s hosts only', async () => {
      for (const url of [
        'https://example.com/a',
        'https://cdn.discordapp.com.example.com/a',
        'file:///etc/passwd',
        'a',
      ]) {
        api.said.set(CHANNEL, [saying('', holding(url))]);
        assert.match((await failure(download())).message, /no host of Discord's/, url);
      }
    });

    it('that is gone says nothing about the channel', async () => {
      assert.match((await failure(download())).message, /10003/);
      api.said.set(CHANNEL, [saying('', { attachments: [{ id: '8', url: '' }] })]);
      assert.match((await failure(download())).message, /taken out/);
      for (const status of [401, 403, 404, 410]) {
        api.files.set('/attachments/a.png', { bytes: Buffer.from('gone'), status });
        api.said.set(CHANNEL, [saying('', holding(`${api.root}/attachments/a.png`))]);
        const error = await failure(download());
        assert.ok(error instanceof PermanentError && !error.gone, String(status));
      }
      api.files.set('/attachments/a.png', { bytes: Buffer.from('later'), status: 503 });
      assert.ok((await failure(download())) instanceof RetryableError);
      const asked = api.calls.length;
      for (const odd of ['1/2', '1/2/3/4', '../users/@me', '1/2/x']) {
        assert.match((await failure(download(odd))).message, /no file of Discord's/);
      }
      assert.equal(api.calls.length, asked);
    });
  });

  it('knows which addresses are Discord’s, or the proxy’s', () => {
    const isDiscord = (apiRoot: string, url: string) =>
      createApi({ token: new Secret(BOT_TOKEN), apiRoot, http: sealedHttp(), clock, publicUrl: '' }).isDiscord(url);
    const proxy = 'https://discord-proxy.example.com:8443/api';
    for (const root of [DISCORD, proxy]) {
      for (const url of [
        'https://cdn.discordapp.com/a',
        'https://media.discordapp.net/a',
        'wss://gateway.discord.gg/',
        'wss://gateway-us-east1-b.discord.gg/?v=10',
      ]) {
        assert.equal(isDiscord(root, url), true, url);
      }
      for (const url of [
        'http://cdn.discordapp.com/a',
        'ws://gateway.discord.gg/',
        'https://notdiscord.com/',
        'https://discord.com.evil.test/',
        'https://discordapp.gg/',
        'discord.com',
      ]) {
        assert.equal(isDiscord(root, url), false, url);
      }
    }
    assert.equal(isDiscord(proxy, 'wss://discord-proxy.example.com:8443/gateway'), true);
    assert.equal(isDiscord(proxy, 'ws://discord-proxy.example.com:8443/gateway'), false, 'in clear');
    assert.equal(isDiscord(proxy, 'https://discord-proxy.example.com/a'), false, 'another port');
    assert.equal(isDiscord(DISCORD, 'https://discord-proxy.example.com:8443/a'), false);
  });

  it('tries the token, and whether it may read what is written', async () => {
    const channel = await open();
    assert.equal(await channel.test!(), '@help-desk answers');
    api.flags = 1 << 18;
    assert.equal(await channel.test!(), '@help-desk answers');
    api.flags = 0;
    assert.match((await failure(channel.test!())).hint ?? '', /Message Content Intent/);
    const other = await open({ botToken: 'somebody-elses-bot-token.Gabcde.it-only-looks-like-one-of-them' });
    assert.ok((await failure(other.test!())) instanceof AuthExpiredError);
  });

  it('knows what Discord has signed, and nothing with a byte changed', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const key = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('hex');
    const verdict = async (given: object = {}) => {
      const { timestamp, body, signature, ...own } = { ...genuine, ...given };
      const channel = await open({ publicKey: key, ...own });
      try {
        const headers = { 'x-signature-ed25519': signature, 'x-signature-timestamp': timestamp };
        await channel.webhook!.verify(samplePayload(body, headers));
        return true;
      } catch (error) {
        assert.ok(error instanceof BadPayloadError);
        return false;
      }
    };
    const signed = (text: string) => sign(null, Buffer.from(text), privateKey).toString('hex');
    const genuine = { timestamp: '1795341601', body: '{"type":1}', signature: signed('1795341601{"type":1}') };
    assert.equal(await verdict(), true);
    for (const [at, isGood] of [
      [-299_000, true],
      [-299_001, false],
      [301_000, true],
      [301_001, false],
    ] as const) {
      clock = fakeClock(AT + at);
      assert.equal(await verdict(), isGood, String(at));
    }
    clock = fakeClock(AT);
    for (const changed of [
      { body: '{"type":2}' },
      { timestamp: '1795341602' },
      { signature: genuine.signature.toUpperCase() },
      { signature: `${genuine.signature}0` },
      { signature: '' },
      { publicKey: PUBLIC_KEY },
      // The same bytes, cut elsewhere.
      { timestamp: '1795341601{', body: '"type":1}' },
      { timestamp: '', body: 'without a time', signature: signed('without a time') },
    ]) {
      assert.equal(await verdict(changed), false, JSON.stringify(changed));
    }
  });

  it('has no address to push to without the key of the app', async () => {
    assert.equal((await open()).webhook, undefined);
    assert.notEqual((await open({ publicKey: PUBLIC_KEY })).webhook, undefined);
  });

  it('is checked against a description that finds mistakes', function () {
    skipUnless(this, description !== undefined, "Discord's description is not beside the repository");
    const problems = (body: object) =>
      description!.request({ method: 'POST', path: '/channels/1/messages', headers: {}, body });
    const asked = (path: string) => description!.request({ method: 'GET', path });
    assert.deepEqual(problems({ content: 'a', nonce: 'b', enforce_nonce: true }), []);
    assert.deepEqual(asked('/channels/1/messages?after=1&limit=100'), []);
    for (const wrong of [
      { content: 1 },
      { words: 'a' },
      { content: 'a', nonce: 'x'.repeat(26) },
      { content: 'a', allowed_mentions: { parse: ['nobody'] } },
      { content: 'a', message_reference: { fail_if_not_exists: false } },
    ]) {
      assert.notDeepEqual(problems(wrong), [], JSON.stringify(wrong));
    }
    assert.notDeepEqual(asked('/channels/1/messages?limit=101'), []);
    assert.notDeepEqual(asked('/channels/x/messages'), []);
    assert.notDeepEqual(asked('/channels/1/messages?since=1'), []);
    assert.notDeepEqual(asked('/channels/1/threads/archived/public?limit=1'), []);
    assert.notDeepEqual(asked('/users/@me/guilds?limit=201'), []);
    assert.notDeepEqual(asked('/dreams'), []);
  });

  it('opens with settings that work only', () => {
    const problems = (given: object) =>
      discord.config.safeParse(settings(given)).error?.issues.map(({ path }) => path.join('.')) ?? [];
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems({ botToken: `Bot ${BOT_TOKEN}` }), ['botToken']);
    assert.deepEqual(problems({ botToken: undefined }), ['botToken']);
    assert.deepEqual(problems({ agents: ['anna'] }), ['agents.0']);
    assert.deepEqual(problems({ publicKey: PUBLIC_KEY.toUpperCase() }), ['publicKey']);
    assert.deepEqual(problems({ publicKey: '' }), ['publicKey']);
    assert.deepEqual(problems({ apiRoot: 'ftp://example.com' }), ['apiRoot']);
  });
});
