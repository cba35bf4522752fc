import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { line } from '../src/connectors/line/line.ts';
import type { Channel, Reply } from '../src/core/connector.ts';
import {
  AuthExpiredError,
  BadPayloadError,
  PermanentError,
  RateLimitedError,
  RetryableError,
  TributaryError,
} from '../src/core/errors.ts';
import { createHttp } from '../src/http/http.ts';
import type { Egress } from '../src/http/http.ts';
import { fakeContext, fakeLog } from './fakes/context.ts';
import { sampleMessage, sampleTicket } from './fakes/gateway.ts';
import { readLine, SECRET, startLine, TOKEN } from './fakes/line.ts';
import type { FakeLine } from './fakes/line.ts';
import { isDescribed, readDescription } from './fakes/openapi.ts';
import type { Description } from './fakes/openapi.ts';
import { skipUnless } from './skip.ts';

const VECTORS = join(import.meta.dirname, '../../shared/fixtures/signatures/line-bot-sdk-python/vectors.json');
const FIXTURES = join(import.meta.dirname, '../src/connectors/line/fixtures');
const OLENA = 'U7001aaaa0000000000000000000000aa';
const signal = new AbortController().signal;

describe("LINE's channel, against a stand-in that keeps to LINE's description", () => {
  let api: FakeLine;
  let egress: Egress;
  let description: Description | undefined;
  before(() => {
    description = readLine();
  });
  beforeEach(async () => {
    api = await startLine(description);
    egress = createHttp({ allow: ['127.0.0.1'] });
  });
  afterEach(async () => {
    egress.close();
    await api.close();
    assert.deepEqual(api.violations, []);
  });

  async function open(settings: object = {}, given: Parameters<typeof fakeContext>[0] = {}): Promise<Channel> {
    const config = line.config.parse({
      channelSecret: SECRET,
      channelAccessToken: TOKEN,
      apiRoot: api.root,
      ...settings,
    });
    return line.open(config, fakeContext({ id: 'line', http: egress.for({ hosts: [] }), ...given }));
  }

  function replyWith(given: Partial<Reply> & { readonly text?: string } = {}) {
    const sent: string[] = [];
    const reply: Reply = {
      id: 'tsk_1',
      ticket: sampleTicket(),
      message: sampleMessage({ text: given.text ?? 'It comes tomorrow.', direction: 'outbound' }),
      thread: OLENA,
      answers: undefined,
      references: [],
      proof: '',
      sent: [],
      partSent: async (id) => void sent.push(id),
      open: async () => Readable.from([Buffer.from('bytes')]),
      ...given,
    };
    return { reply, sent };
  }

  async function failure(work: Promise<unknown> | undefined): Promise<TributaryError> {
    const error = await Promise.resolve(work).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TributaryError, `threw ${String(error)}`);
    const all = JSON.stringify([error, error.message, error.hint, error.stack, error.response, String(error.cause)]);
    assert.ok(!all.includes(TOKEN), 'the token is in the error');
    return error;
  }
  const keysOf = () => api.calls.map(({ headers }) => headers['x-line-retry-key']);

  describe('an answer', () => {
    it('goes out as text into the chat that it answers', async () => {
      const { reply, sent } = replyWith();
      await (
        await open()
      ).reply!(reply);
      assert.deepEqual(api.calls[0]?.body, { to: OLENA, messages: [{ type: 'text', text: 'It comes tomorrow.' }] });
      assert.deepEqual(sent, ['461230966842064897']);
      assert.match(keysOf()[0]!, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
    });

    it('goes out in parts where it is too long, and goes on behind those that went out', async () => {
      const text = Array.from({ length: 2000 }, (_, index) => `word${index}`).join(' ');
      const channel = await open();
      await channel.reply!(replyWith({ text }).reply);
      const parts = api.delivered.map((message) => message.text);
      assert.equal(parts.length, 4);
      assert.ok(parts.every((part) => part.length <= 5000));
      assert.equal(parts.join(' '), text);
      const again = replyWith({ text, sent: [{ externalId: '1' }, { externalId: '2' }, { externalId: '3' }] });
      await channel.reply!(again.reply);
      assert.equal(again.sent.length, 1);
      assert.equal(new Set(keysOf()).size, 4, 'a key for each part, the same over all tries');
      assert.equal(api.delivered.length, 4);
    });

    it('reaches the customer once, also when the answer to it was lost', async () => {
      api.end('/push', 'lost');
      const channel = await open();
      const { reply, sent } = replyWith();
      const error = await failure(channel.reply!(reply));
      assert.ok(error instanceof RetryableError && error.outcomeUnknown);
      assert.deepEqual(sent, []);
      await channel.reply!(reply);
      assert.deepEqual(sent, ['461230966842064897']);
      assert.equal(api.delivered.length, 1);
      await channel.reply!(replyWith({ id: 'tsk_2' }).reply);
      assert.equal(api.delivered.length, 2, 'the same words under another name are another answer');
    });

    it('is not sent again where LINE took it and does not say under which name', async () => {
      api.end('/push', { http: 409, body: { message: 'The retry key is already accepted' } }, { http: 200 });
      for (let tries = 0; tries < 2; tries++) {
        const { reply, sent } = replyWith();
        await (
          await open()
        ).reply!(reply);
        assert.deepEqual(sent, ['tsk_1:0']);
      }
    });

    it('is refused before anything goes out when it has files, no text or no chat', async () => {
      const channel = await open();
      const file = { id: 'att_1', name: 'a.pdf', mediaType: 'application/pdf', size: 5, state: 'stored' } as const;
      const attachments = [{ ...file, error: null, inline: false, url: '' }];
      for (const [given, words] of [
        [{ message: sampleMessage({ text: 'look', attachments }) }, /files by a public address only/],
        [{ text: '  ' }, /is empty/],
        [{ thread: undefined }, /no chat on LINE/],
      ] as const) {
        const error = await failure(channel.reply!(replyWith(given).reply));
        assert.ok(error instanceof PermanentError);
        assert.match(error.message, words);
      }
      assert.deepEqual(api.calls, []);
    });

    const details = [{ message: 'May not be empty', property: 'messages[0].text' }];
    for (const [http, body, kind, words, hint] of [
      [400, { message: 'Failed to send messages' }, PermanentError, /400: Failed to send messages$/, /Read its answer/],
      [
        400,
        { message: 'Invalid', details },
        PermanentError,
        /Invalid \(messages\[0\]\.text: May not be/,
        /Read its answer/,
      ],
      [400, {}, PermanentError, /answered 400$/, /Read its answer/],
      [401, { message: 'Authentication failed.' }, AuthExpiredError, /Authentication failed/, /Issue a channel access/],
      [403, { message: 'Access denied' }, PermanentError, /Access denied/, /Read its answer/],
      [429, { message: 'The API rate limit has been exceeded.' }, RateLimitedError, /rate limit/, undefined],
      [429, { message: 'You have reached your monthly limit.' }, RateLimitedError, /monthly limit/, /change it/],
      [500, { message: 'Internal error' }, RetryableError, /answered 500: Internal error$/, undefined],
    ] as const) {
      it(`says what ${http} ${JSON.stringify(body)} means`, async () => {
        api.end('/push', { http, body });
        const error = await failure((await open()).reply!(replyWith().reply));
        assert.ok(error instanceof kind, error.name);
        assert.match(error.message, words);
        if (hint) assert.match(error.hint ?? '', hint);
        else assert.equal(error.hint, undefined);
      });
    }

    it('waits for an hour where the messages of the month are used up', async () => {
      api.end(
        '/push',
        { http: 429, body: { message: 'You have reached your monthly limit.' } },
        { http: 429, body: {} },
      );
      const channel = await open();
      const used = await failure(channel.reply!(replyWith().reply));
      assert.equal(used instanceof RateLimitedError && used.retryAfterMs, 3_600_000);
      const fast = await failure(channel.reply!(replyWith().reply));
      assert.equal(fast instanceof RateLimitedError && fast.retryAfterMs, undefined);
    });
  });

  describe('a file', () => {
    const PAYLOAD = { endpointId: 'line', receivedAt: 0, method: 'POST', url: '', headers: {}, body: Buffer.alloc(0) };
    const download = async (mediaType: string) =>
      (await open()).download!({ id: '468789', name: 'a', mediaType }, PAYLOAD);

    it('is fetched by the id of its message', async () => {
      api.files.set('468789', Buffer.from('a picture'));
      assert.equal(await textOf(await download('image/jpeg')), 'a picture');
      assert.equal(await textOf(await download('video/mp4')), 'a picture');
    });

    it('is waited for until it is ready', async () => {
      api.preparing.set('468789', 'processing');
      for (const mediaType of ['video/mp4', 'audio/mp4']) {
        assert.ok((await failure(download(mediaType))) instanceof RetryableError, mediaType);
      }
      api.preparing.set('468789', 'failed');
      assert.ok((await failure(download('video/mp4'))) instanceof PermanentError);
    });

    it('that is gone says nothing about the channel', async () => {
      for (const http of [404, 410]) {
        api.end('/content', { http, body: { message: 'Not found' } });
        const error = await failure(download('image/jpeg'));
        assert.ok(error instanceof PermanentError && !error.gone, String(http));
        assert.doesNotMatch(error.hint ?? '', /new one or remove it/);
      }
    });
  });

  it('tells the name and language of a person, where LINE does', async () => {
    api.profiles.set(OLENA, { displayName: 'Olena', language: 'uk' });
    api.profiles.set('U1', { displayName: 'Bob' });
    const channel = await open();
    const ask = (value: string) => channel.profile!({ kind: 'line:line', value, trust: 'verified' });
    assert.deepEqual(await ask(OLENA), { name: 'Olena', locale: 'uk' });
    assert.deepEqual(await ask('U1'), { name: 'Bob' });
    assert.equal(await ask('U2'), undefined);
    api.end(`/profile/${OLENA}`, { http: 500 }, { http: 401 });
    assert.ok((await failure(ask(OLENA))) instanceof RetryableError);
    assert.ok((await failure(ask(OLENA))) instanceof AuthExpiredError);
    const sealed = createHttp({ allow: [] });
    const cut = await open({}, { http: sealed.for({ hosts: [] }) });
    assert.match(
      (await failure(cut.profile!({ kind: 'line:line', value: OLENA, trust: 'verified' }))).message,
      /may not be called/,
    );
    sealed.close();
  });

  describe('the webhook', () => {
    it('is registered where LINE reaches us', async () => {
      const log = fakeLog();
      await (
        await open({}, { log, publicUrl: 'http://127.0.0.1:8080' })
      ).connect!(signal);
      assert.deepEqual(api.calls, []);
      assert.match(JSON.stringify(log.entries), /PUBLIC_URL/);
      await (
        await open()
      ).connect!(signal);
      assert.equal(api.webhook.endpoint, 'https://desk.example.com/webhooks/line');
    });

    it('is tried by the test, which says which account it is', async () => {
      const channel = await open();
      assert.match(
        (await failure(channel.test!())).message,
        /^Example Desk \(@216example\) answers, but pushes elsewhere/,
      );
      api.end('/webhook/endpoint', { http: 404, body: { message: 'Not found' } });
      assert.match((await failure(channel.test!())).message, /but has no webhook$/);
      await channel.connect!(signal);
      assert.equal(await channel.test!(), 'Example Desk (@216example) answers and pushes to us');
      api.webhook.active = false;
      assert.match((await failure(channel.test!())).hint ?? '', /Use webhook/);
      const other = await open({ channelAccessToken: TOKEN.replace('not', 'yes') });
      assert.ok((await failure(other.test!())) instanceof AuthExpiredError);
    });

    it("gives each of LINE's signatures the verdict that is stated, and none with a byte changed", async function () {
      skipUnless(this, existsSync(VECTORS), 'the collected signatures are not beside the repository');
      const { vectors } = JSON.parse(readFileSync(VECTORS, 'utf8')) as {
        vectors: { secret: string; body: string; signature: string; valid: boolean }[];
      };
      const verdict = async ({ secret, body, signature }: (typeof vectors)[number]) => {
        const channel = await open({ channelSecret: secret });
        const headers = { 'x-line-signature': signature };
        const request = {
          endpointId: 'line',
          receivedAt: 0,
          method: 'POST',
          url: '',
          headers,
          body: Buffer.from(body),
        };
        try {
          await channel.webhook!.verify(request);
          return true;
        } catch (error) {
          assert.ok(error instanceof BadPayloadError);
          return false;
        }
      };
      assert.equal(vectors.length, 2);
      for (const vector of vectors) {
        assert.equal(await verdict(vector), vector.valid);
        if (!vector.valid) continue;
        const hex = Buffer.from(vector.signature, 'base64').toString('hex');
        for (const changed of [
          { body: vector.body.replace('y', 'z') },
          { signature: `A${vector.signature.slice(1)}` },
          { signature: vector.signature.replace(/=$/, '') },
          { signature: hex },
          { signature: '' },
          { secret: `${vector.secret}s` },
        ]) {
          assert.equal(await verdict({ ...vector, ...changed }), false, JSON.stringify(changed));
        }
      }
    });
  });

  it('takes words that mean something to JavaScript for kinds that are not known', async () => {
    const channel = await open();
    const source = { type: 'user', userId: OLENA };
    const events = [
      { type: 'message', source, message: { id: '1', type: 'constructor' } },
      { type: 'toString', source },
    ];
    const body = Buffer.from(JSON.stringify({ events }));
    const items = await channel.normalize({
      endpointId: 'line',
      receivedAt: 0,
      method: 'POST',
      url: '',
      headers: {},
      body,
    });
    assert.equal(items[0]?.kind === 'message' && items[0].text, '[constructor]');
    assert.match(items[1]?.kind === 'ignored' ? items[1].reason : '', /newer than this version/);
  });

  it('is checked against a description that finds mistakes', function () {
    skipUnless(this, description !== undefined, "LINE's description is not beside the repository");
    const message = { type: 'text', text: 'a' };
    const problems = (body: object) =>
      description!.request({ method: 'POST', path: '/v2/bot/message/push', headers: {}, body });
    assert.deepEqual(problems({ to: OLENA, messages: [message] }), []);
    for (const wrong of [
      { messages: [message] },
      { to: OLENA, messages: [] },
      { to: OLENA, messages: [message], silent: true },
      { to: OLENA, messages: [{ type: 'text', words: 'a' }] },
      { to: OLENA, messages: [{ type: 'note', text: 'a' }] },
    ]) {
      assert.notDeepEqual(problems(wrong), [], JSON.stringify(wrong));
    }
  });

  it('opens with settings that LINE accepts only', () => {
    const problems = (settings: object) =>
      line.config
        .safeParse({ channelSecret: SECRET, channelAccessToken: TOKEN, ...settings })
        .error?.issues.map(({ path }) => path.join('.')) ?? [];
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems({ channelSecret: 'with space' }), ['channelSecret']);
    assert.deepEqual(problems({ channelAccessToken: 'with\nline end 0123456789' }), ['channelAccessToken']);
    assert.deepEqual(problems({ apiRoot: 'ftp://example.com' }), ['apiRoot']);
  });
});

describe("LINE's own fixtures", () => {
  it('are webhooks as LINE describes them, but for what it does not describe', function () {
    skipUnless(this, isDescribed('line/webhook.json'), "LINE's description is not beside the repository");
    const description = readDescription('line/webhook.json');
    const wrong = readdirSync(FIXTURES).filter((name) => {
      const body: unknown = JSON.parse(readFileSync(join(FIXTURES, name, 'body.json'), 'utf8'));
      return description.value('CallbackRequest', body).length > 0;
    });
    assert.deepEqual(wrong, [
      'edited',
      'event-from-the-future',
      'kind-from-the-future',
      'not-as-documented',
      'one-of-a-batch-unreadable',
    ]);
  });
});
